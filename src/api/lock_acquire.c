/*
 * To get a lock, and to wait for it. The queue is in the replicated state (store/apply_lock.c): a
 * place in it outlives leaders, and this node only looks whether its place has become a holder.
 *
 *     ASKED ──queued──> WAITS ──the place has gone, or no time is left──> LEAVES ──> answered
 *       │                 └──it holds the lock──> answered                   │
 *       └──held, locked──> answered                         client gone──> RETURNS ──> answered
 *
 * W1  Nobody is answered 423 whose place may yet become a holder: it is given back before, through
 *     the log, which says whether it holds the lock by then.
 * W2  Who has a lock and a client that has gone gives it back.
 * W3  This node may be behind whoever decided: that a place is not there says nothing before it was
 *     seen here.
 */
#include "api/lock_int.h"
#include "base/assert.h"

#define LEAVE_MS 5000u

static struct lock_call *lock_of(struct system_call *call)
{
    return CONTAINER_OF(call, struct lock_call, call);
}

static bool is_abandoned(const struct lock_call *lock)
{
    return lock->query.wait_ms > 0 && http_is_abandoned(lock->x->request);
}

/* It does not wait any more. */
static void settle(struct lock_call *lock)
{
    struct api *api = lock->x->api;
    env_timer_deinit(&lock->timer);
    api_linger_stop(api, &lock->linger);
    node_notice_stop(api->node, &lock->notice);
}

static void call(struct lock_call *lock, enum lock_stage stage, const struct txn_op *op,
                 void (*done)(struct system_call *, const struct command_result *,
                              const struct txn_result *))
{
    struct api *api = lock->x->api;
    lock->stage = stage;
    lock->call = (struct system_call){
        .api = api,
        .deadline_ms = env_now_ms(api->options.env) + LEAVE_MS,
        .is_repeatable = true,
        .done = done,
    };
    api_system_call(&lock->call, op);
}

/* ---- it is held ---- */

static void returned(struct system_call *call, const struct command_result *result,
                     const struct txn_result *op)
{
    (void)result;
    (void)op;
    api_system_refuse(lock_of(call)->x, ERR_DRAINING); /* nobody reads it */
}

static void held(struct lock_call *lock, uint64_t token, uint64_t lease, uint64_t ttl_ms)
{
    settle(lock);
    if (is_abandoned(lock) && !lock->x->api->is_ending) { /* W2 */
        const struct txn_op op = {.type = TXN_UNLOCK, .key = lock->name, .number = token};
        call(lock, LOCK_RETURNS, &op, returned);
        return;
    }
    api_lock_respond_held(lock, token, lease, ttl_ms);
}

/* ---- its place is given back ---- */

static struct lock_holder holder_of(const struct txn_result *op)
{
    return (struct lock_holder){
        .token = op->has_record ? op->number : 0,
        .ttl_ms = op->ttl_ms,
        .content_type = op->content_type,
        .text = op->value,
    };
}

static void left(struct system_call *call, const struct command_result *result,
                 const struct txn_result *op)
{
    struct lock_call *lock = lock_of(call);
    if (result->e != OK) { /* the place may still be there, and get the lock */
        settle(lock);
        api_system_refuse(lock->x, ERR_OUTCOME_UNKNOWN);
    } else if (op->is_held) {
        held(lock, op->number, op->lease, op->ttl_ms);
    } else if (lock->why != OK) {
        settle(lock);
        api_system_refuse(lock->x, lock->why);
    } else {
        struct lock_holder holder = holder_of(op);
        settle(lock);
        api_lock_respond_locked(lock, &holder);
    }
}

static void leave(struct lock_call *lock, err why)
{
    const struct txn_op op = {.type = TXN_LOCK_LEAVE, .key = lock->name, .number = lock->place};
    ASSERT(lock->stage == LOCK_WAITS);
    settle(lock);
    lock->why = why;
    call(lock, LOCK_LEAVES, &op, left);
}

/* ---- it waits ---- */

/* Whether its place has become a holder, or has gone. False: it waits on. */
static bool look(struct lock_call *lock)
{
    struct node_state state;
    struct store_party party;
    if (node_state_look(lock->x->api->node, &state) != OK) {
        return false;
    }
    err e = store_waiter_get(state.store, lock->name, lock->place, &party);
    lock->is_seen = lock->is_seen || e == OK;
    if (e != ERR_NOT_FOUND) {
        return false;
    }
    if (store_holder_of_place(state.store, lock->name, lock->place, &party) == OK) {
        held(lock, party.number, party.party.lease, party.party.ttl_ms);
        return true;
    }
    if (lock->is_seen) { /* W1: the log knows */
        leave(lock, OK);
    }
    return lock->is_seen;
}

static void changed(struct node_notice *notice)
{
    (void)look(CONTAINER_OF(notice, struct lock_call, notice));
}

static void due(struct env_timer *timer)
{
    leave(CONTAINER_OF(timer, struct lock_call, timer), OK);
}

static void visit(struct lingerer *linger, enum linger_reason reason)
{
    struct lock_call *lock = CONTAINER_OF(linger, struct lock_call, linger);
    if (reason == LINGER_END) { /* nobody can be asked any more */
        settle(lock);
        api_system_refuse(lock->x, ERR_OUTCOME_UNKNOWN);
    } else if (reason == LINGER_DRAIN) {
        leave(lock, ERR_DRAINING);
    } else if (is_abandoned(lock)) {
        leave(lock, OK);
    }
}

static void wait(struct lock_call *lock, uint64_t place)
{
    struct exchange *x = lock->x;
    struct system_key key;
    uint64_t now_ms = env_now_ms(x->api->options.env);
    lock->stage = LOCK_WAITS;
    lock->place = place;
    lock->linger.visit = visit;
    lock->notice.changed = changed;
    env_timer_init(x->api->options.env, &lock->timer, due);
    if (api_linger_start(x->api, &lock->linger) != OK) {
        leave(lock, ERR_OVERLOADED);
        return;
    }
    node_notice_start(x->api->node, &lock->notice, system_key_waiter(&key, lock->name, place));
    env_timer_start(&lock->timer, lock->deadline_ms > now_ms ? lock->deadline_ms - now_ms : 0, 0);
    (void)look(lock);
}

/* ---- the beginning ---- */

static void asked(struct system_call *call, const struct command_result *result,
                  const struct txn_result *op)
{
    struct lock_call *lock = lock_of(call);
    struct exchange *x = lock->x;
    struct lock_holder nobody = {.token = 0};
    api_system_take_result(x, result);
    if (result->e == OK && op->is_held) {
        held(lock, op->number, op->lease, op->ttl_ms);
    } else if (result->e == OK) {
        wait(lock, op->number);
    } else if (result->e == ERR_LOCKED) {
        struct lock_holder holder = op != NULL ? holder_of(op) : nobody;
        api_lock_respond_locked(lock, &holder);
    } else if (result->e == ERR_CONFLICT) {
        api_exchange_refuse(x, ERR_CONFLICT,
                            "who holds this lock, or waits for it, has said another limit: all "
                            "have to say the same");
    } else {
        api_system_refuse(x, result->e);
    }
}

static uint64_t new_lease(struct exchange *x)
{
    uint64_t lease = 0;
    while (lease == 0) {
        lease = env_random(x->api->options.env);
    }
    return lease;
}

void api_lock_acquire(struct lock_call *lock)
{
    struct exchange *x = lock->x;
    const struct system_query *query = &lock->query;
    uint64_t now_ms = env_now_ms(x->api->options.env);
    uint64_t patience_ms = query->wait_ms > query->timeout_ms ? query->wait_ms : query->timeout_ms;
    struct slice body = api_system_body(x->request);
    const struct txn_op op = {
        .type = TXN_LOCK,
        .key = lock->name,
        .ttl_ms = query->ttl_ms,
        .lease = query->ttl_ms != 0 ? new_lease(x) : 0,
        .number = query->limit != 0 ? query->limit : 1,
        .wait_ms = query->wait_ms,
        .content_type = api_system_content_type(x->request),
        .value = body,
    };
    x->is_patient = query->wait_ms > 0;
    lock->stage = LOCK_ASKED;
    lock->deadline_ms = now_ms + query->wait_ms;
    lock->call = (struct system_call){
        .api = x->api,
        .deadline_ms = now_ms + patience_ms,
        .done = asked,
    };
    api_system_take_key(x, body, &lock->call);
    if (lock->call.idempotency_key.size == 0 && query->wait_ms > 0) {
        lock->call.idempotency_key = api_system_call_key(x->api, lock->key);
        lock->call.is_repeatable = true;
    }
    api_system_call(&lock->call, &op);
}
