/*
 * Locks, semaphores, elections: who holds a name, and who waits for it, first come first. What it
 * is held by is a token; tokens only grow, over all locks, so that the newest holder of a name has
 * the largest.
 */
#include "base/assert.h"
#include "store/apply_int.h"

#define WAITERS_MAX 10000u /* for one lock */

/* ---- the records ---- */

static bool find_lock(const struct txn_run *run, struct slice name, struct system_lock *out_lock)
{
    struct system_key key;
    struct store_record record;
    *out_lock = (struct system_lock){0};
    if (!stage_find(&run->stage, STORE_SPACE_SYSTEM, system_key_lock(&key, name), true, &record)) {
        return false;
    }
    if (!system_lock_decode(record.value, out_lock)) {
        apply_end_inconsistent(run, "a lock");
    }
    return true;
}

/* Y2: one that nobody holds or waits for is gone. */
static void put_lock(struct txn_run *run, struct slice name, const struct system_lock *lock)
{
    struct system_key key;
    (void)system_key_lock(&key, name);
    if (lock->holders == 0 && lock->waiters == 0) {
        stage_delete(&run->stage, STORE_SPACE_SYSTEM, system_key_slice(&key));
        return;
    }
    system_lock_encode(lock, &run->scratch);
    apply_put_system(run, system_key_slice(&key));
}

static struct system_party decode_party(const struct txn_run *run,
                                        const struct store_record *record)
{
    struct system_party party;
    if (!system_party_decode(record->value, &party)) {
        apply_end_inconsistent(run, "a lock's holder, or who waits for it");
    }
    return party;
}

static bool find_party(const struct txn_run *run, struct slice key, struct store_record *out_record,
                       struct system_party *out_party)
{
    if (!stage_find(&run->stage, STORE_SPACE_SYSTEM, key, true, out_record)) {
        return false;
    }
    *out_party = decode_party(run, out_record);
    return true;
}

/* The first holder, or waiter, whose key begins with `prefix`, at or after `from`. */
static bool next_party(const struct txn_run *run, struct slice prefix, struct slice from,
                       struct system_key *out_key, struct store_record *out_record)
{
    return stage_next(&run->stage, STORE_SPACE_SYSTEM, from, out_key, out_record) &&
           out_key->size == prefix.size + 8 &&
           memcmp(out_key->bytes, prefix.data, prefix.size) == 0;
}

/* The party of a key that was found, its value verified. */
static struct system_party find_whole(const struct txn_run *run, struct slice key,
                                      struct store_record *record)
{
    struct system_party party;
    if (!find_party(run, key, record, &party)) {
        apply_end_inconsistent(run, "a lock's holder, or who waits for it");
    }
    return party;
}

/* What the keys of all holders, or waiters, begin with. */
static struct slice holders_prefix(struct system_key *key, struct slice name)
{
    struct slice first = system_key_holder(key, name, 0);
    return (struct slice){first.data, first.size - 8};
}

static struct slice waiters_prefix(struct system_key *key, struct slice name)
{
    struct slice first = system_key_waiter(key, name, 0);
    return (struct slice){first.data, first.size - 8};
}

bool apply_lock_is_held(const struct txn_run *run, struct slice name, uint64_t token)
{
    struct system_key key;
    struct store_record record;
    return stage_find(&run->stage, STORE_SPACE_SYSTEM, system_key_holder(&key, name, token), false,
                      &record);
}

/* ---- holding ---- */

/* Makes the party a holder; returns its token. Its lease is not there: the ids are random. */
static err hold(struct txn_run *run, struct slice name, const struct system_party *party,
                uint64_t *out_token)
{
    struct system_key key;
    uint64_t token = run->last_token + 1 > run->revision ? run->last_token + 1 : run->revision;
    if (party->lease != 0) {
        err e = apply_lease_grant(run, party->lease, party->ttl_ms);
        if (e != OK) {
            return e;
        }
        apply_put_system(run, system_key_lease_holder(&key, party->lease, token, name));
    }
    system_party_encode(party, &run->scratch);
    apply_put_system(run, system_key_holder(&key, name, token));
    run->last_token = token;
    run->is_revision = true;
    *out_token = token;
    return OK;
}

/* Takes whoever waits at the key out of the queue. */
static void leave_queue(struct txn_run *run, struct slice name, struct slice key,
                        const struct system_party *party)
{
    struct system_key due;
    stage_delete(&run->stage, STORE_SPACE_SYSTEM, key);
    stage_delete(&run->stage, STORE_SPACE_SYSTEM,
                 system_key_expiry_of_place(&due, party->due_ms, party->place, name));
}

/* As long as there is room, the first in the queue holds it; then the lock's record is right. */
static void promote(struct txn_run *run, struct slice name, struct system_lock *lock)
{
    struct system_key prefix_key;
    struct slice prefix = waiters_prefix(&prefix_key, name);
    struct system_key key;
    struct store_record record;
    while (lock->holders < lock->limit && lock->waiters > 0) {
        if (!next_party(run, prefix, prefix, &key, &record)) {
            apply_end_inconsistent(run, "a lock's queue");
        }
        struct system_party party = find_whole(run, system_key_slice(&key), &record);
        struct buf *owner = buf_ref(record.owner); /* the party's bytes, until they stand again */
        leave_queue(run, name, system_key_slice(&key), &party);
        lock->waiters--;
        uint64_t token;
        if (hold(run, name, &party, &token) == OK) { /* else its lease's id was taken meanwhile */
            lock->holders++;
        }
        buf_unref(owner);
    }
    put_lock(run, name, lock);
}

void apply_lock_drop_holder(struct txn_run *run, struct slice name, uint64_t token)
{
    struct system_key key;
    struct system_lock lock;
    if (!find_lock(run, name, &lock) || lock.holders == 0) {
        apply_end_inconsistent(run, "a lock that is held");
    }
    stage_delete(&run->stage, STORE_SPACE_SYSTEM, system_key_holder(&key, name, token));
    lock.holders--;
    run->is_revision = true;
    promote(run, name, &lock);
}

void apply_lock_place_due(struct txn_run *run, struct slice name, uint64_t place)
{
    struct system_key key;
    struct system_lock lock;
    struct store_record record;
    struct system_party party;
    (void)system_key_waiter(&key, name, place);
    if (!find_party(run, system_key_slice(&key), &record, &party) || !find_lock(run, name, &lock) ||
        lock.waiters == 0) {
        apply_end_inconsistent(run, "who waits for a lock");
    }
    leave_queue(run, name, system_key_slice(&key), &party);
    lock.waiters--;
    put_lock(run, name, &lock);
}

/* ---- operations ---- */

/* The oldest holder, for who does not get the lock. */
static void show_holder(struct txn_run *run, struct slice name, struct txn_result *result)
{
    struct system_key prefix_key;
    struct slice prefix = holders_prefix(&prefix_key, name);
    struct system_key key;
    struct store_record record;
    struct system_lease lease;
    if (!next_party(run, prefix, prefix, &key, &record)) {
        return; /* there are only some who wait */
    }
    struct system_party party = find_whole(run, system_key_slice(&key), &record);
    result->number = system_key_number(system_key_slice(&key), prefix.size);
    result->modified_ms = record.modified_ms;
    result->has_record = true;
    result->content_type = party.content_type;
    result->value = party.owner;
    result->lease = party.lease;
    if (party.lease != 0 && apply_lease_find(run, party.lease, &lease)) {
        uint64_t now_ms = run->region->elapsed_ms;
        result->ttl_ms = lease.due_ms > now_ms ? lease.due_ms - now_ms : 1;
    }
}

static void queue(struct txn_run *run, struct slice name, struct system_party *party)
{
    struct system_key key;
    run->last_token++;
    party->place = run->last_token;
    system_party_encode(party, &run->scratch);
    apply_put_system(run, system_key_waiter(&key, name, party->place));
    apply_put_system(run, system_key_expiry_of_place(&key, party->due_ms, party->place, name));
}

/* ERR_CONFLICT: another limit than those have who hold it or wait. ERR_LOCKED. */
static err lock(struct txn_run *run, const struct txn_op *op, struct txn_result *result)
{
    struct system_lock lock;
    struct system_party party = {
        .lease = op->lease,
        .ttl_ms = op->ttl_ms,
        .due_ms = run->region->elapsed_ms + op->wait_ms,
        .content_type = op->content_type,
        .owner = op->value,
    };
    result->existed = find_lock(run, op->key, &lock);
    if (result->existed && lock.limit != op->number) {
        return ERR_CONFLICT;
    }
    lock.limit = (uint32_t)op->number;
    if (lock.holders < lock.limit && lock.waiters == 0) {
        err e = hold(run, op->key, &party, &result->number);
        if (e != OK) {
            return e;
        }
        result->is_held = true;
        result->lease = op->lease;
        result->ttl_ms = op->ttl_ms;
        lock.holders++;
        put_lock(run, op->key, &lock);
        return OK;
    }
    if (op->wait_ms == 0 || lock.waiters == WAITERS_MAX) {
        show_holder(run, op->key, result);
        return ERR_LOCKED;
    }
    queue(run, op->key, &party);
    lock.waiters++;
    put_lock(run, op->key, &lock);
    result->number = party.place;
    return OK;
}

/* The holder says something else of itself. With the lock's record, which stays what it is, whoever
 * has an eye on the lock hears of it. */
static void say(struct txn_run *run, const struct txn_op *op, const struct system_party *party)
{
    struct system_key key;
    struct system_lock lock;
    struct system_party next = *party;
    if (!find_lock(run, op->key, &lock)) {
        apply_end_inconsistent(run, "a lock that is held");
    }
    next.content_type = op->content_type;
    next.owner = op->value;
    system_party_encode(&next, &run->scratch);
    apply_put_system(run, system_key_holder(&key, op->key, op->number));
    put_lock(run, op->key, &lock);
    run->is_revision = true;
}

/* ERR_FENCE_LOST. */
static err renew(struct txn_run *run, const struct txn_op *op, struct txn_result *result)
{
    struct system_key key;
    struct store_record record;
    struct system_party party;
    (void)system_key_holder(&key, op->key, op->number);
    if (!find_party(run, system_key_slice(&key), &record, &party)) {
        return ERR_FENCE_LOST;
    }
    result->existed = true;
    result->is_held = true;
    result->number = op->number;
    result->lease = party.lease;
    if (op->value.size > 0) {
        say(run, op, &party);
    }
    return party.lease == 0 ? OK : apply_lease_keep(run, party.lease, op->ttl_ms, &result->ttl_ms);
}

/* Its token if it holds the lock by now; the queue is left in any case. */
static err leave(struct txn_run *run, const struct txn_op *op, struct txn_result *result)
{
    struct system_key key;
    struct store_record record;
    struct system_party party;
    (void)system_key_waiter(&key, op->key, op->number);
    if (find_party(run, system_key_slice(&key), &record, &party)) {
        result->existed = true;
        apply_lock_place_due(run, op->key, op->number);
        show_holder(run, op->key, result);
        return OK;
    }
    struct system_key prefix_key;
    struct slice prefix = holders_prefix(&prefix_key, op->key);
    struct slice from = prefix;
    while (next_party(run, prefix, from, &key, &record)) {
        party = find_whole(run, system_key_slice(&key), &record);
        if (party.place == op->number) {
            result->is_held = true;
            result->number = system_key_number(system_key_slice(&key), prefix.size);
            result->lease = party.lease;
            result->ttl_ms = party.ttl_ms;
            return OK;
        }
        system_key_step(&key);
        from = system_key_slice(&key);
    }
    show_holder(run, op->key, result);
    return OK;
}

/* Lets go of the lock that the token has; its lease ends, with what else is on it. */
static void release(struct txn_run *run, struct slice name, uint64_t token,
                    const struct system_party *party)
{
    uint64_t keys;
    if (party->lease == 0) {
        apply_lock_drop_holder(run, name, token);
    } else if (apply_lease_end(run, party->lease, &keys) != OK) {
        apply_end_inconsistent(run, "a holder's lease");
    }
}

static void release_all(struct txn_run *run, struct slice name, struct txn_result *result)
{
    struct system_key prefix_key;
    struct slice prefix = holders_prefix(&prefix_key, name);
    struct system_key key;
    struct store_record record;
    struct slice from = prefix;
    uint64_t newest = run->last_token; /* who comes to hold it now, keeps it */
    while (next_party(run, prefix, from, &key, &record)) {
        uint64_t token = system_key_number(system_key_slice(&key), prefix.size);
        if (token > newest) {
            break;
        }
        struct system_party party = find_whole(run, system_key_slice(&key), &record);
        release(run, name, token, &party);
        result->existed = true;
        result->number = token;
        system_key_step(&key);
        from = system_key_slice(&key);
    }
}

/* ERR_FENCE_LOST: the token is no holder's. */
static err unlock(struct txn_run *run, const struct txn_op *op, struct txn_result *result)
{
    if ((op->flags & TXN_FORCE) != 0) {
        release_all(run, op->key, result);
        return OK;
    }
    struct system_key key;
    struct store_record record;
    struct system_party party;
    (void)system_key_holder(&key, op->key, op->number);
    if (!find_party(run, system_key_slice(&key), &record, &party)) {
        return ERR_FENCE_LOST;
    }
    result->existed = true;
    result->number = op->number;
    release(run, op->key, op->number, &party);
    return OK;
}

err apply_lock_op(struct txn_run *run, const struct txn_op *op, struct txn_result *result)
{
    switch ((int)op->type) {
    case TXN_LOCK:
        return lock(run, op, result);
    case TXN_LOCK_RENEW:
        return renew(run, op, result);
    case TXN_LOCK_LEAVE:
        return leave(run, op, result);
    default:
        ASSERT(op->type == TXN_UNLOCK);
        return unlock(run, op, result);
    }
}
