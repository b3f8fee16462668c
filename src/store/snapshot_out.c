/* Out of the store: see snapshot.h. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/region.h"
#include "store/snapshot_format.h"
#include "store/store_int.h"

enum step {
    STEP_HEADER,
    STEP_RECORDS,
    STEP_DONE,
};

struct store_snapshot {
    struct store *store;
    struct checkpoint_reader *reader;
    struct store_region region;
    struct store_snapshot_chain chain;
    struct store_snapshot_sums sums;
    enum step step;
    err failure; /* of a read: OK, or the snapshot is at its end */
};

/* N1. */
static err open_region(struct store_snapshot *snapshot, region_id id)
{
    struct slice state;
    err e = store_checkpoint_reader_region(snapshot->reader, id, &state);
    if (e != OK) {
        return e == ERR_NOT_FOUND ? ERR_UNAVAILABLE : e;
    }
    return store_region_decode(state, id, &snapshot->region) == OK ? OK : ERR_CORRUPT;
}

err store_snapshot_open(struct store *store, region_id region, struct store_snapshot **out_snapshot)
{
    if (store->snapshot_count == STORE_SNAPSHOTS_MAX || store_find_region(store, region) == NULL) {
        return ERR_UNAVAILABLE;
    }
    struct store_snapshot *snapshot = mem_calloc(1, sizeof(*snapshot));
    snapshot->store = store;
    snapshot->reader =
        store_checkpoint_reader_open(store->checkpoint, store_region_range(store, region));
    store->snapshot_count++;
    err e = open_region(snapshot, region);
    if (e != OK) {
        store_snapshot_close(snapshot);
        return e;
    }
    *out_snapshot = snapshot;
    return OK;
}

void store_snapshot_close(struct store_snapshot *snapshot)
{
    if (snapshot == NULL) {
        return;
    }
    ASSERT(snapshot->store->snapshot_count > 0);
    snapshot->store->snapshot_count--;
    store_checkpoint_reader_close(snapshot->reader);
    mem_free(snapshot);
}

struct raft_pos store_snapshot_pos(const struct store_snapshot *snapshot)
{
    return snapshot->region.applied;
}

const struct membership *store_snapshot_membership(const struct store_snapshot *snapshot)
{
    return &snapshot->region.membership;
}

const struct store_region *store_snapshot_state(const struct store_snapshot *snapshot)
{
    return &snapshot->region;
}

static enum store_snapshot_kind kind_of(enum store_space space)
{
    return space == STORE_SPACE_USER ? STORE_SNAPSHOT_RECORDS : STORE_SNAPSHOT_SYSTEM_RECORDS;
}

/*
 * Appends records of one space to the chunk that begins at `begin`, while it stays within
 * `size_max`, and one in any case; what kind of chunk that makes it. N2: each is verified first.
 * ERR_NOT_FOUND: there is none left.
 */
static err put_records(struct store_snapshot *snapshot, size_t size_max, struct writer *out,
                       size_t begin, enum store_snapshot_kind *out_kind)
{
    bool is_empty = true;
    for (;;) {
        enum store_space space;
        struct slice key;
        struct slice bytes;
        err e = store_checkpoint_reader_peek(snapshot->reader, &space, &key, &bytes);
        if (e == ERR_NOT_FOUND && !is_empty) {
            return OK;
        }
        if (e != OK) {
            return e;
        }
        size_t size = out->size - begin + store_snapshot_record_size(key, bytes);
        if (!is_empty && (size > size_max || kind_of(space) != *out_kind)) {
            return OK;
        }
        e = store_snapshot_sum(&snapshot->sums, space, key, bytes);
        if (e != OK) {
            snapshot->store->stats.corrupt_records++;
            return e;
        }
        store_snapshot_put_record(out, key, bytes);
        store_checkpoint_reader_advance(snapshot->reader);
        *out_kind = kind_of(space);
        is_empty = false;
    }
}

/* Appends the payload of the next chunk; what kind of chunk that makes it. */
static err put_payload(struct store_snapshot *snapshot, size_t size_max, struct writer *out,
                       size_t begin, enum store_snapshot_kind *out_kind)
{
    if (snapshot->step == STEP_HEADER) {
        store_snapshot_put_header(out, &snapshot->region);
        snapshot->step = STEP_RECORDS;
        *out_kind = STORE_SNAPSHOT_HEADER;
        return OK;
    }
    err e = put_records(snapshot, size_max, out, begin, out_kind);
    if (e != ERR_NOT_FOUND) {
        return e;
    }
    /* LMDB's branches have no checksums: keys may have gone without any record being damaged. */
    if (!store_snapshot_sums_agree(&snapshot->sums, &snapshot->region)) {
        return ERR_CORRUPT;
    }
    store_snapshot_put_end(out, store_snapshot_sum_records(&snapshot->sums), &snapshot->chain);
    snapshot->step = STEP_DONE;
    *out_kind = STORE_SNAPSHOT_END;
    return OK;
}

err store_snapshot_read(struct store_snapshot *snapshot, size_t size_max, struct writer *out,
                        bool *out_is_last)
{
    ASSERT(snapshot->step != STEP_DONE);
    ASSERT(size_max <= STORE_SNAPSHOT_CHUNK_MAX);
    if (snapshot->failure != OK) {
        return snapshot->failure;
    }
    size_t begin = store_snapshot_begin(out);
    enum store_snapshot_kind kind = STORE_SNAPSHOT_END;
    err e = put_payload(snapshot, size_max, out, begin, &kind);
    if (e != OK) {
        out->size = begin;
        snapshot->failure = e;
        return e;
    }
    store_snapshot_finish(&snapshot->chain, kind, out, begin);
    *out_is_last = kind == STORE_SNAPSHOT_END;
    return OK;
}
