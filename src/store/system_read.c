#include "store/system_read.h"

#include <string.h>

#include "base/assert.h"
#include "store/record.h"
#include "store/store_int.h"

/* ---- records ---- */

static err find(struct store *store, struct slice key, struct store_record *out_record)
{
    err e = store_find_record(store, STORE_SPACE_SYSTEM, key, out_record);
    if (e == OK && out_record->owner == NULL) {
        e = store_record_verify(out_record, key);
    }
    return e;
}

/* The first key at or after `from` that begins with `prefix`; `from` may lie in `key`. */
static err next_key(struct store *store, struct slice prefix, struct slice from,
                    struct system_key *key)
{
    struct slice found;
    struct store_record record;
    struct system_key target;
    err e = store_find_next(store, STORE_SPACE_SYSTEM, from, target.bytes, &found, &record);
    if (e == OK &&
        (found.size < prefix.size || memcmp(found.data, prefix.data, prefix.size) != 0)) {
        e = ERR_NOT_FOUND;
    }
    if (e == OK) {
        key->size = found.size;
        memcpy(key->bytes, found.data, found.size);
    }
    return e;
}

/* ---- leases ---- */

err store_lease_get(struct store *store, uint64_t lease, struct system_lease *out_lease)
{
    struct system_key key;
    struct store_record record;
    err e = find(store, system_key_lease(&key, lease), &record);
    if (e == OK && !system_lease_decode(record.value, out_lease)) {
        e = ERR_CORRUPT;
    }
    return e;
}

err store_lease_next(struct store *store, uint64_t *lease, struct system_lease *out_lease)
{
    static const uint8_t what = SYSTEM_LEASE;
    struct system_key key;
    if (*lease == UINT64_MAX) {
        return ERR_NOT_FOUND;
    }
    err e = next_key(store, (struct slice){&what, 1}, system_key_lease(&key, *lease + 1), &key);
    if (e == OK && key.size != 1 + sizeof(uint64_t)) {
        e = ERR_CORRUPT;
    }
    if (e == OK) {
        *lease = system_key_number(system_key_slice(&key), 1);
        e = store_lease_get(store, *lease, out_lease);
    }
    return e;
}

err store_leased_next(struct store *store, uint64_t lease, struct system_key *key)
{
    struct system_key prefix_key;
    struct system_key from_key;
    struct slice prefix = system_key_leased(&prefix_key, lease, SLICE_EMPTY);
    struct slice from = prefix;
    if (key->size > 0) {
        (void)system_key_leased(&from_key, lease, system_key_slice(key));
        system_key_step(&from_key);
        from = system_key_slice(&from_key);
    }
    err e = next_key(store, prefix, from, &from_key);
    if (e == OK) {
        key->size = from_key.size - prefix.size;
        memcpy(key->bytes, from_key.bytes + prefix.size, key->size);
    }
    return e;
}

/* ---- locks ---- */

err store_lock_get(struct store *store, struct slice name, struct system_lock *out_lock)
{
    struct system_key key;
    struct store_record record;
    err e = find(store, system_key_lock(&key, name), &record);
    if (e == OK && !system_lock_decode(record.value, out_lock)) {
        e = ERR_CORRUPT;
    }
    return e;
}

/* What is known of the party at the key, whose last 8 bytes are its number. */
static err take_party(struct store *store, struct slice key, struct store_party *out_party)
{
    struct store_record record;
    err e = find(store, key, &record);
    if (e != OK) {
        return e;
    }
    struct store_party party = {
        .number = system_key_number(key, key.size - sizeof(uint64_t)),
        .modified_ms = record.modified_ms,
        .revision = record.mod_revision,
    };
    if (!system_party_decode(record.value, &party.party)) {
        return ERR_CORRUPT;
    }
    *out_party = party;
    return OK;
}

/* The one behind that of `key`, among those of the same lock. */
static err next_party(struct store *store, struct system_key *key, struct store_party *out_party)
{
    struct system_key prefix = *key;
    prefix.size -= sizeof(uint64_t);
    system_key_step(key);
    err e = next_key(store, system_key_slice(&prefix), system_key_slice(key), key);
    if (e == OK && key->size != prefix.size + sizeof(uint64_t)) {
        e = ERR_CORRUPT;
    }
    return e == OK ? take_party(store, system_key_slice(key), out_party) : e;
}

err store_holder_get(struct store *store, struct slice name, uint64_t token,
                     struct store_party *out_holder)
{
    struct system_key key;
    return take_party(store, system_key_holder(&key, name, token), out_holder);
}

err store_holder_next(struct store *store, struct slice name, uint64_t token,
                      struct store_party *out_holder)
{
    struct system_key key;
    (void)system_key_holder(&key, name, token);
    return next_party(store, &key, out_holder);
}

err store_holder_of_place(struct store *store, struct slice name, uint64_t place,
                          struct store_party *out_holder)
{
    struct store_party holder;
    ASSERT(place != 0);
    err e = store_holder_next(store, name, 0, &holder);
    while (e == OK && holder.party.place != place) {
        e = store_holder_next(store, name, holder.number, &holder);
    }
    if (e == OK) {
        *out_holder = holder;
    }
    return e;
}

err store_waiter_get(struct store *store, struct slice name, uint64_t place,
                     struct store_party *out_waiter)
{
    struct system_key key;
    return take_party(store, system_key_waiter(&key, name, place), out_waiter);
}

err store_waiter_next(struct store *store, struct slice name, uint64_t place,
                      struct store_party *out_waiter)
{
    struct system_key key;
    (void)system_key_waiter(&key, name, place);
    return next_party(store, &key, out_waiter);
}
