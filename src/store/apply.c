/*
 * Applying: what a committed entry does to the applied state, deterministically (S1). Nothing here
 * looks at a clock, at a limit of this node, or at where a record happens to be stored.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "store/apply_int.h"
#include "store/distrust.h"
#include "store/record.h"

/* S5, and the mark that there is something new to checkpoint. */
static void advance(struct store *store, struct store_region *region, struct raft_pos pos)
{
    ASSERT(pos.index == region->applied.index + 1);
    ASSERT(pos.term >= region->applied.term);
    ASSERT(!store_is_installing(store, region->id));
    region->applied = pos;
    if (!store->is_dirty) {
        store->is_dirty = true;
        store->dirty_since_ms = env_now_ms(store->options.env);
    }
}

static struct store_region *known_region(const struct store *store, region_id id)
{
    struct store_region *region = store_find_region(store, id);
    ASSERT(region != NULL);
    return region;
}

/* The slice is one the tail may keep for as long as it has the owner. */
static bool lies_in(struct slice slice, const struct buf *owner)
{
    return slice.size == 0 ||
           (slice.data >= owner->data && slice.data + slice.size <= owner->data + owner->size);
}

/*
 * The record that the entry meets; false: none. A head that is damaged leaves no way to apply what
 * every other replica applies. (A damaged value does not matter here: a PUT replaces it.)
 */
static bool find_existing(struct store *store, const struct store_region *region, struct slice key,
                          struct store_record *out_record)
{
    err e = store_find_record(store, STORE_SPACE_USER, key, out_record);
    if (e == OK) {
        return true;
    }
    if (e != ERR_NOT_FOUND) {
        char what[128];
        (void)snprintf(what, sizeof(what), "the record that entry %" PRIu64 " writes over",
                       region->applied.index);
        store_end_damaged(store->options.env, store->directory, what);
    }
    return false;
}

/* Whether the PUT would make the records larger than they are and than its quota (0: none). */
static bool outgrows_quota(const struct store_region *region, const struct command *command,
                           const struct store_record *existing)
{
    if (command->type != COMMAND_PUT || command->quota_bytes == 0) {
        return false;
    }
    uint64_t before = store_region_used(region);
    uint64_t after = before + command->value.size;
    if (existing != NULL) {
        after -= existing->value.size;
    } else {
        after += command->key.size + STORE_RECORD_COST;
    }
    return after > before && after > command->quota_bytes;
}

void apply_tell_change(const struct store *store, const struct store_region *region,
                       const struct store_change *change)
{
    if (store->options.changed != NULL) {
        store->options.changed(store->options.ctx, region->id, change);
    }
}

/* `record`, `replaced`: as in store_change. Before the tail changes: `replaced` may be its own. */
static void tell_change(const struct store *store, const struct store_region *region,
                        enum store_change_kind kind, struct slice key,
                        const struct store_record *record, const struct store_record *replaced)
{
    const struct store_change change = {.kind = kind,
                                        .revision = region->revision,
                                        .clock_ms = region->clock_ms,
                                        .key = key,
                                        .record = record,
                                        .replaced = replaced};
    apply_tell_change(store, region, &change);
}

static void tell_revision(const struct store *store, const struct store_region *region)
{
    if (store->options.revised != NULL) {
        store->options.revised(store->options.ctx, region->id, region->revision);
    }
}

/* `existing` is the record that is replaced, or NULL. */
static void apply_put(struct store *store, struct store_region *region,
                      const struct command *command, struct buf *owner,
                      const struct store_record *existing, struct command_result *out_result)
{
    ASSERT(lies_in(command->value, owner));
    ASSERT(lies_in(command->content_type, owner));
    region->revision++;
    struct store_record record = {
        .owner = owner,
        .value = command->value,
        .content_type = command->content_type,
        .create_revision = existing != NULL ? existing->create_revision : region->revision,
        .mod_revision = region->revision,
        .version = existing != NULL ? existing->version + 1 : 1,
        .modified_ms = region->clock_ms,
    };
    store_record_seal(&record, command->key);
    if (existing != NULL) { /* before it goes: it may be the tail's own */
        store_count_out(region, STORE_SPACE_USER, command->key, existing);
    }
    store_count_in(region, STORE_SPACE_USER, command->key, &record);
    tell_change(store, region, STORE_CHANGE_PUT, command->key, &record, existing);
    store_tail_put(store->active.of[STORE_SPACE_USER], command->key, &record);
    if (existing == NULL) {
        store_census_came(store, region, command->key);
    }
    out_result->create_revision = record.create_revision;
    out_result->mod_revision = record.mod_revision;
    out_result->version = record.version;
    out_result->modified_ms = record.modified_ms;
}

static void apply_delete(struct store *store, struct store_region *region, struct slice key,
                         const struct store_record *existing)
{
    region->revision++;
    store_count_out(region, STORE_SPACE_USER, key, existing);
    tell_change(store, region, STORE_CHANGE_DELETE, key, NULL, existing);
    store_tail_delete(store->active.of[STORE_SPACE_USER], key);
    store_census_went(store, region, key);
}

/* A plain PUT or DELETE. */
static void apply_plain(struct store *store, struct store_region *region,
                        const struct command *command, struct buf *owner,
                        struct command_result *out_result)
{
    struct store_record existing;
    bool exists = find_existing(store, region, command->key, &existing);
    struct command_result result = {.e = OK, .existed = exists};
    bool writes = command->type == COMMAND_PUT || exists;
    if ((writes && region->revision == REVISION_MAX) ||
        outgrows_quota(region, command, exists ? &existing : NULL)) {
        result = (struct command_result){.e = ERR_QUOTA};
        writes = false;
    }
    if (writes && exists && existing.expires_ms != 0) {
        apply_drop_time(store, region, command->key, &existing);
    }
    if (writes && command->type == COMMAND_PUT) {
        apply_put(store, region, command, owner, exists ? &existing : NULL, &result);
    } else if (writes) {
        ASSERT(command->type == COMMAND_DELETE);
        apply_delete(store, region, command->key, &existing);
    }
    result.revision = region->revision;
    *out_result = result;
}

void store_prefetch(const struct store *store, const struct slice *keys, uint32_t count)
{
    store_tail_prefetch(store->active.of[STORE_SPACE_USER], keys, count);
}

void store_apply(struct store *store, region_id id, struct raft_pos pos,
                 const struct command *command, struct buf *owner,
                 struct command_result *out_result)
{
    struct store_region *region = known_region(store, id);
    advance(store, region, pos);
    store->applied_bytes += owner->size;
    if (command->stamp_ms > region->clock_ms) {
        region->clock_ms = command->stamp_ms;
    }
    uint64_t revision_before = region->revision;
    if (command->type == COMMAND_TXN) {
        apply_txn(store, region, command, owner, out_result);
    } else {
        apply_plain(store, region, command, owner, out_result);
    }
    if (region->revision != revision_before) {
        tell_revision(store, region);
    }
    store_count_tail(store);
}

void store_apply_nothing(struct store *store, region_id id, struct raft_pos pos)
{
    advance(store, known_region(store, id), pos);
}

void store_apply_membership(struct store *store, region_id id, struct raft_pos pos,
                            const struct membership *membership)
{
    struct store_region *region = store_find_region(store, id);
    if (region == NULL) {
        region = store_add_region(store, id);
    }
    advance(store, region, pos);
    region->membership = *membership;
}
