/*
 * To get a lock, and to wait for it. The queue is in the replicated state (store/apply_lock.c): a
 * place in it outlives leaders, and this node only looks whether its place has become a holder.
 *
 *     ASKED ──queued──> WAITS ──the place has gone, or no time is left──> LEAVES ──> answered
 *       │                 └──it holds the lock──> answered                   │
 *       └──held, locked──> answered                         client gone──> RETURNS ──> answered
 *
 * And where the answer is that of an earlier request with the same Idempotency-Key:
 *
 *     ASKED ──queued──> RECALLS ──> WAITS ──it holds the lock──> CONFIRMS ──> answered
 *       ^ └──held──> CONFIRMS          └──the place has gone──> LEAVES │
 *       └──────────── the next attempt, while there is time ──────┴────┘
 *
 * W1  Nobody is answered 423 whose place may yet become a holder: it is given back before, through
 *     the log, which says whether it holds the lock by then.
 * W2  Who has a lock and a client that has gone gives it back; but not under a client's key: that
 *     client may be asking again, at any node, and have been told there that it holds the lock. So
 *     it is left to that request, or to the end of its ttl. A place is given back in any case:
 *     whoever else waits for it sees that it has gone (W4).
 * W3  This node may be behind whoever decided: that a place is not there says nothing before it was
 *     seen here.
 * W4  With an Idempotency-Key each attempt has one of its own that follows from it (as K1 of
 *     kv_patch.c), and the next is made only after the one before has ended for sure: its place
 *     does not wait and got nothing, or what it got is not held any more. So whoever repeats the
 *     request goes the same way, and at most the last attempt holds or waits. That a place was
 *     left without the lock is thus never an answer, but for the request whose time was over.
 * W5  Whoever is told again that it holds the lock has it renewed before: so it does, and for its
 *     whole ttl.
 */
#include "api/kv_intent.h"
#include "api/lock_int.h"
#include "base/assert.h"

#define LEAVE_MS 5000u

static void ask(struct lock_call *lock);

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

/* W4: the attempt before this has ended. */
static void ask_again(struct lock_call *lock)
{
    struct api *api = lock->x->api;
    struct lock_holder nobody = {.token = 0};
    settle(lock);
    if (api->is_ending) {
        api_system_refuse(lock->x, ERR_DRAINING);
    } else if (env_now_ms(api->options.env) >= lock->end_ms) {
        api_lock_respond_locked(lock, &nobody);
    } else {
        lock->attempt++;
        ask(lock);
    }
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
    if (is_abandoned(lock) && !lock->has_client_key && !lock->x->api->is_ending) { /* W2 */
        const struct txn_op op = {.type = TXN_UNLOCK, .key = lock->name, .number = token};
        call(lock, LOCK_RETURNS, &op, returned);
        return;
    }
    if (lock->is_replayed) {
        api_exchange_field_text(lock->x, "Idempotency-Replayed", "true");
    }
    api_lock_respond_held(lock, token, lease, ttl_ms);
}

static void confirmed(struct system_call *call, const struct command_result *result,
                      const struct txn_result *op)
{
    struct lock_call *lock = lock_of(call);
    if (result->e == OK) {
        api_exchange_take_revision(lock->x, result);
        held(lock, op->number, op->lease, op->ttl_ms);
    } else if (result->e != ERR_FENCE_LOST) {
        api_system_refuse(lock->x, ERR_OUTCOME_UNKNOWN);
    } else if (lock->query.ttl_ms != 0) {
        ask_again(lock);
    } else { /* no time has ended it; and nothing would end one that a late copy gets */
        api_exchange_refuse(lock->x, ERR_CONFLICT,
                            "this Idempotency-Key had the lock, and that was given back, or taken "
                            "away: a new request needs a new key");
    }
}

/* By this attempt, which may be one that was made before. */
static void granted(struct lock_call *lock, uint64_t token, uint64_t lease, uint64_t ttl_ms)
{
    const struct txn_op op = {.type = TXN_LOCK_RENEW, .key = lock->name, .number = token};
    if (!lock->is_replayed || is_abandoned(lock) || lock->x->api->is_ending) {
        held(lock, token, lease, ttl_ms);
        return;
    }
    settle(lock);
    call(lock, LOCK_CONFIRMS, &op, confirmed); /* W5 */
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

/* Somebody else with the same key has given its place back, or its time in the queue was over. */
static bool may_ask_again(const struct lock_call *lock, const struct txn_result *op)
{
    return lock->has_client_key && !op->existed && !is_abandoned(lock) &&
           env_now_ms(lock->x->api->options.env) < lock->deadline_ms;
}

static void left(struct system_call *call, const struct command_result *result,
                 const struct txn_result *op)
{
    struct lock_call *lock = lock_of(call);
    if (result->e != OK) { /* the place may still be there, and get the lock */
        settle(lock);
        api_system_refuse(lock->x, ERR_OUTCOME_UNKNOWN);
    } else if (op->is_held) {
        granted(lock, op->number, op->lease, op->ttl_ms);
    } else if (lock->why != OK) {
        settle(lock);
        api_system_refuse(lock->x, lock->why);
    } else if (may_ask_again(lock, op)) {
        ask_again(lock);
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
        granted(lock, party.number, party.party.lease, party.party.ttl_ms);
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

static void wait(struct lock_call *lock)
{
    struct exchange *x = lock->x;
    struct system_key key;
    uint64_t now_ms = env_now_ms(x->api->options.env);
    if (x->api->is_ending) { /* nobody would visit it any more */
        api_system_refuse(x, ERR_OUTCOME_UNKNOWN);
        return;
    }
    lock->stage = LOCK_WAITS;
    lock->linger.visit = visit;
    lock->notice.changed = changed;
    env_timer_init(x->api->options.env, &lock->timer, due);
    if (api_linger_start(x->api, &lock->linger) != OK) {
        leave(lock, ERR_OVERLOADED);
        return;
    }
    node_notice_start(x->api->node, &lock->notice,
                      system_key_waiter(&key, lock->name, lock->place));
    env_timer_start(&lock->timer, lock->deadline_ms > now_ms ? lock->deadline_ms - now_ms : 0, 0);
    (void)look(lock);
}

/* W3: nothing that was decided before the replay is missing here any more; if nobody can say so, it
 * waits as one that is new. */
static void recalled(struct node_read *read, err e, struct store_record *record)
{
    struct lock_call *lock = CONTAINER_OF(read, struct lock_call, read);
    ASSERT(record == NULL);
    lock->is_seen = e == OK;
    wait(lock);
}

static void queued(struct lock_call *lock, uint64_t place)
{
    lock->place = place;
    if (!lock->is_replayed) {
        wait(lock);
        return;
    }
    lock->stage = LOCK_RECALLS;
    lock->query.consistency = READ_LINEARIZABLE;
    api_lock_read(lock, recalled);
}

/* ---- the beginning ---- */

static void refuse(struct lock_call *lock, const struct command_result *result)
{
    if (result->is_replayed) {
        api_exchange_field_text(lock->x, "Idempotency-Replayed", "true");
    }
    if (result->e == ERR_CONFLICT) {
        api_exchange_refuse(lock->x, ERR_CONFLICT,
                            "who holds this lock, or waits for it, has said another limit: all "
                            "have to say the same");
    } else {
        api_system_refuse(lock->x, result->e);
    }
}

static void asked(struct system_call *call, const struct command_result *result,
                  const struct txn_result *op)
{
    struct lock_call *lock = lock_of(call);
    struct lock_holder nobody = {.token = 0};
    api_exchange_take_revision(lock->x, result);
    lock->is_replayed = lock->has_client_key && result->is_replayed;
    if (result->e == OK && op->is_held) {
        granted(lock, op->number, op->lease, op->ttl_ms);
    } else if (result->e == OK) {
        queued(lock, op->number);
    } else if (result->e == ERR_LOCKED) {
        struct lock_holder holder = op != NULL ? holder_of(op) : nobody;
        api_lock_respond_locked(lock, &holder);
    } else {
        refuse(lock, result);
    }
}

static void ask(struct lock_call *lock)
{
    struct exchange *x = lock->x;
    const struct system_query *query = &lock->query;
    uint64_t now_ms = env_now_ms(x->api->options.env);
    char key[API_ATTEMPT_KEY_SIZE];
    const struct txn_op op = {
        .type = TXN_LOCK,
        .key = lock->name,
        .ttl_ms = query->ttl_ms,
        .lease = query->ttl_ms != 0 ? api_lease_new_id(x->api) : 0,
        .number = query->limit != 0 ? query->limit : 1,
        .wait_ms = lock->deadline_ms > now_ms ? lock->deadline_ms - now_ms : 0,
        .content_type = api_system_content_type(x->request),
        .value = api_system_body(x->request),
    };
    lock->stage = LOCK_ASKED;
    lock->is_seen = false;
    lock->call = (struct system_call){
        .api = x->api,
        .deadline_ms = lock->end_ms,
        .is_repeatable = lock->key.size > 0,
        .idempotency_key = api_kv_attempt_key(lock->key, "lock", lock->attempt, key),
        .fingerprint = lock->fingerprint,
        .done = asked,
    };
    api_system_call(&lock->call, &op);
}

void api_lock_acquire(struct lock_call *lock)
{
    struct exchange *x = lock->x;
    const struct system_query *query = &lock->query;
    struct problem problem = {.e = OK};
    uint64_t now_ms = env_now_ms(x->api->options.env);
    uint64_t patience_ms = query->wait_ms > query->timeout_ms ? query->wait_ms : query->timeout_ms;
    x->is_patient = query->wait_ms > 0;
    lock->deadline_ms = now_ms + query->wait_ms;
    lock->end_ms = now_ms + patience_ms;
    lock->call = (struct system_call){0};
    api_system_take_key(x, api_system_body(x->request), &lock->call);
    lock->key = lock->call.idempotency_key;
    lock->fingerprint = lock->call.fingerprint;
    lock->has_client_key = lock->key.size > 0;
    if (api_exchange_begin_key(x, lock->key, &problem) != OK) {
        api_exchange_respond_problem(x, &problem);
        return;
    }
    if (!lock->has_client_key && query->wait_ms > 0) {
        lock->key = api_system_call_key(x->api, lock->own_key);
    }
    ask(lock);
}
