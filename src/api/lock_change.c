/* To renew a lock, and to give it back: by its token, which only its holder knows of. */
#include <inttypes.h>

#include "api/lock_int.h"
#include "base/assert.h"

static struct lock_call *lock_of(struct system_call *call)
{
    return CONTAINER_OF(call, struct lock_call, call);
}

static void begin(struct lock_call *lock, const struct txn_op *op, bool is_repeatable,
                  void (*done)(struct system_call *, const struct command_result *,
                               const struct txn_result *))
{
    struct exchange *x = lock->x;
    lock->call = (struct system_call){
        .api = x->api,
        .deadline_ms = env_now_ms(x->api->options.env) + lock->query.timeout_ms,
        .is_repeatable = is_repeatable,
        .done = done,
    };
    api_system_take_key(x, api_system_body(x->request), &lock->call);
    api_system_call(&lock->call, op);
}

static void refuse(struct lock_call *lock, err e)
{
    if (e != ERR_FENCE_LOST) {
        api_system_refuse(lock->x, e);
        return;
    }
    api_exchange_refuse(lock->x, e,
                        lock->kind == TXN_LOCK_ELECTION
                            ? "who has this token leads no more: its time was over, or it was "
                              "deposed"
                            : "who has this token holds the lock no more: its time was over, or it "
                              "was taken away");
}

static void renewed(struct system_call *call, const struct command_result *result,
                    const struct txn_result *op)
{
    struct lock_call *lock = lock_of(call);
    api_system_take_result(lock->x, result);
    if (result->e != OK) {
        refuse(lock, result->e);
    } else {
        api_lock_respond_held(lock, op->number, op->lease, op->ttl_ms);
    }
}

void api_lock_renew(struct lock_call *lock)
{
    const struct txn_op op = {
        .type = TXN_LOCK_RENEW,
        .key = lock->name,
        .number = lock->fence.token,
        .ttl_ms = lock->query.ttl_ms,
        .content_type = api_system_content_type(lock->x->request),
        .value = api_system_body(lock->x->request),
    };
    ASSERT(lock->has_fence);
    begin(lock, &op, true, renewed);
}

static void released(struct system_call *call, const struct command_result *result,
                     const struct txn_result *op)
{
    struct lock_call *lock = lock_of(call);
    struct writer document = {0};
    api_system_take_result(lock->x, result);
    if (result->e != OK) {
        refuse(lock, result->e);
        return;
    }
    writer_format(&document, "{\"released\":%s", op->existed ? "true" : "false");
    if (op->existed) {
        writer_format(&document, ",\"token\":%" PRIu64, op->number);
    }
    writer_format(&document, ",\"revision\":%" PRIu64 "}", result->revision);
    api_system_respond(lock->x, 200, &document);
}

void api_lock_release(struct lock_call *lock, uint64_t token)
{
    const struct txn_op op = {.type = TXN_UNLOCK, .key = lock->name, .number = token};
    begin(lock, &op, false, released);
}

void api_lock_release_by_force(struct lock_call *lock)
{
    const struct txn_op op = {.type = TXN_UNLOCK, .flags = TXN_FORCE, .key = lock->name};
    begin(lock, &op, false, released);
}

void api_lock_delete(struct lock_call *lock)
{
    if (lock->query.is_forced) {
        api_lock_release_by_force(lock);
    } else {
        api_lock_release(lock, lock->fence.token);
    }
}
