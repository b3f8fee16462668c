/* Leases: a time that many keys, and who holds locks, have in common. */
#include "base/assert.h"
#include "store/apply_int.h"

/* Y1: the lease, and when it ends. */
static void put_lease(struct txn_run *run, uint64_t id, const struct system_lease *lease)
{
    struct system_key key;
    system_lease_encode(lease, &run->scratch);
    apply_put_system(run, system_key_lease(&key, id));
    apply_put_system(run, system_key_expiry_of_lease(&key, lease->due_ms, id));
}

static void drop_expiry(struct txn_run *run, uint64_t id, const struct system_lease *lease)
{
    struct system_key key;
    stage_delete(&run->stage, STORE_SPACE_SYSTEM,
                 system_key_expiry_of_lease(&key, lease->due_ms, id));
}

bool apply_lease_find(const struct txn_run *run, uint64_t id, struct system_lease *out_lease)
{
    struct system_key key;
    struct store_record record;
    if (!stage_find(&run->stage, STORE_SPACE_SYSTEM, system_key_lease(&key, id), true, &record)) {
        return false;
    }
    if (!system_lease_decode(record.value, out_lease)) {
        apply_end_inconsistent(run, "a lease");
    }
    return true;
}

err apply_lease_grant(struct txn_run *run, uint64_t id, uint64_t ttl_ms)
{
    struct system_lease lease;
    ASSERT(id != 0);
    if (apply_lease_find(run, id, &lease)) {
        return ERR_CONFLICT;
    }
    lease = (struct system_lease){.ttl_ms = ttl_ms, .due_ms = run->region->elapsed_ms + ttl_ms};
    put_lease(run, id, &lease);
    return OK;
}

err apply_lease_keep(struct txn_run *run, uint64_t id, uint64_t ttl_ms, uint64_t *out_ttl_ms)
{
    struct system_lease lease;
    if (!apply_lease_find(run, id, &lease)) {
        return ERR_LEASE_NOT_FOUND;
    }
    drop_expiry(run, id, &lease);
    lease.ttl_ms = ttl_ms != 0 ? ttl_ms : lease.ttl_ms;
    lease.due_ms = run->region->elapsed_ms + lease.ttl_ms;
    put_lease(run, id, &lease);
    *out_ttl_ms = lease.ttl_ms;
    return OK;
}

/* What the entry of 'K' is of ends; true: it was a key. */
static bool end_leased(struct txn_run *run, struct slice place)
{
    struct slice name = {place.data + SYSTEM_NAME_OFFSET, place.size - SYSTEM_NAME_OFFSET};
    if (place.data[SYSTEM_WHAT_OFFSET] == SYSTEM_OF_KEY) {
        struct store_record record;
        if (!stage_find(&run->stage, STORE_SPACE_USER, name, false, &record)) {
            apply_end_inconsistent(run, "a key that is on a lease");
        }
        apply_key_delete(run, name, &record); /* and the entry */
        return true;
    }
    ASSERT(place.data[SYSTEM_WHAT_OFFSET] == SYSTEM_OF_HOLDER);
    uint64_t token = system_key_number(place, SYSTEM_NAME_OFFSET);
    stage_delete(&run->stage, STORE_SPACE_SYSTEM, place);
    apply_lock_drop_holder(run, (struct slice){name.data + 8, name.size - 8}, token);
    return false;
}

err apply_lease_end(struct txn_run *run, uint64_t id, uint64_t *out_keys)
{
    struct system_lease lease;
    struct system_key prefix;
    struct system_key place;
    struct store_record record;
    if (!apply_lease_find(run, id, &lease)) {
        return ERR_LEASE_NOT_FOUND;
    }
    *out_keys = 0;
    struct slice begin = system_key_lease_prefix(&prefix, id);
    struct slice from = begin;
    while (stage_next(&run->stage, STORE_SPACE_SYSTEM, from, &place, &record) &&
           place.size > begin.size && memcmp(place.bytes, begin.data, begin.size) == 0) {
        *out_keys += end_leased(run, system_key_slice(&place)) ? 1 : 0;
        system_key_step(&place);
        from = system_key_slice(&place);
    }
    drop_expiry(run, id, &lease);
    stage_delete(&run->stage, STORE_SPACE_SYSTEM, system_key_lease(&prefix, id));
    return OK;
}

err apply_lease_op(struct txn_run *run, const struct txn_op *op, struct txn_result *result)
{
    err e;
    result->lease = op->lease;
    switch ((int)op->type) {
    case TXN_LEASE_GRANT:
        result->ttl_ms = op->ttl_ms;
        return apply_lease_grant(run, op->lease, op->ttl_ms);
    case TXN_LEASE_KEEP:
        e = apply_lease_keep(run, op->lease, op->ttl_ms, &result->ttl_ms);
        break;
    default:
        ASSERT(op->type == TXN_LEASE_REVOKE);
        e = apply_lease_end(run, op->lease, &result->number);
        break;
    }
    result->existed = e == OK;
    return e;
}
