/*
 * What is due: by the region's elapsed time alone, which is the same on every replica when this
 * entry is applied. What is due and not yet removed is there for everybody.
 */
#include "base/assert.h"
#include "store/apply_int.h"
#include "store/distrust.h"

/* Removes what one entry of 'E' is of, with the entry. */
static void expire_one(struct txn_run *run, struct slice entry)
{
    struct slice name = {entry.data + SYSTEM_NAME_OFFSET, entry.size - SYSTEM_NAME_OFFSET};
    struct store_record record;
    uint64_t keys;
    switch (entry.data[SYSTEM_WHAT_OFFSET]) {
    case SYSTEM_OF_KEY:
        if (!stage_find(&run->stage, STORE_SPACE_USER, name, false, &record)) {
            apply_end_inconsistent(run, "a key that expires");
        }
        apply_key_delete(run, name, &record);
        break;
    case SYSTEM_OF_LEASE:
        if (apply_lease_end(run, system_key_number(entry, SYSTEM_NAME_OFFSET), &keys) != OK) {
            apply_end_inconsistent(run, "a lease that ends");
        }
        break;
    case SYSTEM_OF_PLACE:
        apply_lock_place_due(run, (struct slice){name.data + 8, name.size - 8},
                             system_key_number(entry, SYSTEM_NAME_OFFSET));
        break;
    default:
        apply_end_inconsistent(run, "what expires");
    }
}

/* The next of `what` that is due; false: none is. */
static bool next_due(struct txn_run *run, char what, struct slice from,
                     struct system_key *out_entry)
{
    struct store_record record;
    return stage_next(&run->stage, STORE_SPACE_SYSTEM, from, out_entry, &record) &&
           out_entry->bytes[0] == (uint8_t)what &&
           system_key_number(system_key_slice(out_entry), 1) <= run->region->elapsed_ms;
}

static uint64_t floor_of(const struct store *store, char what)
{
    return what == SYSTEM_EXPIRY ? store->due.expiry_floor_ms : store->due.age_floor_ms;
}

/* The place before all that there is of `what`. */
static struct slice place_of_first(const struct store *store, char what, struct system_key *key)
{
    struct slice begin = system_key_age(key, floor_of(store, what), SLICE_EMPTY);
    key->bytes[0] = (uint8_t)what;
    return begin;
}

/* What is removed may make way for something new, which is never due at once: so it goes on
 * behind each. */
static uint64_t sweep(struct txn_run *run, char what, uint64_t count_max,
                      void (*remove)(struct txn_run *run, struct slice entry))
{
    struct system_key entry;
    struct slice from = place_of_first(run->store, what, &entry);
    uint64_t count = 0;
    while (count < count_max && next_due(run, what, from, &entry)) {
        remove(run, system_key_slice(&entry));
        count++;
        system_key_step(&entry);
        from = system_key_slice(&entry);
    }
    return count;
}

uint64_t apply_expire(struct txn_run *run, uint64_t count_max)
{
    uint64_t count = sweep(run, SYSTEM_EXPIRY, count_max, expire_one);
    return count + sweep(run, SYSTEM_AGE, count_max - count, apply_answer_forget);
}

bool apply_first_age(struct txn_run *run, struct system_key *out_age)
{
    struct store_record record;
    struct slice from = system_key_age(out_age, run->age_floor_ms, SLICE_EMPTY);
    if (!stage_next(&run->stage, STORE_SPACE_SYSTEM, from, out_age, &record) ||
        out_age->bytes[0] != SYSTEM_AGE) {
        return false;
    }
    run->age_floor_ms = system_key_number(system_key_slice(out_age), 1);
    return true;
}

/* ---- for whoever asks for that ---- */

void apply_note_due(struct store *store, struct slice key, bool is_put)
{
    struct store_due *due = &store->due;
    uint64_t *floor_ms = key.data[0] == SYSTEM_EXPIRY ? &due->expiry_floor_ms
                         : key.data[0] == SYSTEM_AGE  ? &due->age_floor_ms
                                                      : NULL;
    if (floor_ms == NULL) {
        return;
    }
    due->is_known = false;
    uint64_t time_ms = system_key_number(key, 1);
    if (is_put && time_ms < *floor_ms) {
        *floor_ms = time_ms;
    }
}

/* The time of the first entry of `what`; false: there is none. Damage there ends the process, as it
 * would in applying what is due: taken for none, nothing would ever go any more, and taken for
 * something, it would be asked for without end. */
static bool first_time(struct store *store, char what, uint64_t *out_ms)
{
    struct system_key key;
    struct slice found;
    struct store_record record;
    struct slice from = place_of_first(store, what, &key);
    err e = store_find_next(store, STORE_SPACE_SYSTEM, from, key.bytes, &found, &record);
    if (e != OK && e != ERR_NOT_FOUND) {
        store_end_damaged(store->options.env, store->directory, "what is due next");
    }
    if (e != OK || found.data[0] != (uint8_t)what) {
        return false;
    }
    *out_ms = system_key_number(found, 1);
    return true;
}

bool store_next_due(struct store *store, region_id region, uint64_t *out_elapsed_ms)
{
    struct store_due *due = &store->due;
    ASSERT(store_find_region(store, region) != NULL);
    ASSERT(store->region_count == 1); /* the system's space is its */
    if (!due->is_known) {
        uint64_t expiry_ms = UINT64_MAX;
        uint64_t age_ms = UINT64_MAX;
        bool has_expiry = first_time(store, SYSTEM_EXPIRY, &expiry_ms);
        bool has_age = first_time(store, SYSTEM_AGE, &age_ms);
        due->is_known = true;
        due->is_any = has_expiry || has_age;
        due->next_ms = expiry_ms < age_ms ? expiry_ms : age_ms;
        due->expiry_floor_ms = has_expiry ? expiry_ms : due->expiry_floor_ms;
        due->age_floor_ms = has_age ? age_ms : due->age_floor_ms;
    }
    *out_elapsed_ms = due->next_ms;
    return due->is_any;
}
