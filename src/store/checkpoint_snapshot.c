/*
 * What snapshots need of LMDB: a reader of their own (P6), the transaction that replaces a region.
 *
 * Q1  A replacement holds a bounded amount of memory. LMDB keeps what a transaction writes in
 *     memory until the commit, or until it counts 2^17 pieces, and a value of 64 MiB counts as one:
 *     so it is made to write out what it has (spill).
 * Q2  It goes to the disk in small pieces. A commit that syncs all of it keeps the syncs of other
 *     files on that disk, the log's, waiting for as long as that takes.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "store/checkpoint_int.h"

/* Below it LMDB has never to write early, which in 0.9.24 loses 1 MiB of memory a transaction. */
#define SPILL_BYTES (16u << 20)

/* Of the rest, so much at a time (Q2). */
#define SYNC_BYTES (1u << 20)

/* LMDB's unnamed database, where the names of the others stand. */
#define DBI_NAMES 1

struct checkpoint_reader {
    struct list link; /* in checkpoint->readers, until it is cut off */
    struct checkpoint *checkpoint;
    struct checkpoint_range range;
    MDB_txn *txn;           /* NULL: cut off */
    enum store_space space; /* that it reads at present */
    MDB_cursor *cursor;     /* in it */
    bool is_placed;         /* the cursor stands at `key`, or at the end: status */
    int status;
    MDB_val key;
    MDB_val bytes;
};

/* ---- a reader ---- */

/* Before the first record of the space. */
static int enter(struct checkpoint_reader *reader, enum store_space space)
{
    reader->space = space;
    reader->is_placed = false;
    return mdb_cursor_open(reader->txn, reader->checkpoint->spaces[space], &reader->cursor);
}

struct checkpoint_reader *store_checkpoint_reader_open(struct checkpoint *checkpoint,
                                                       struct checkpoint_range range)
{
    struct checkpoint_reader *reader = mem_calloc(1, sizeof(*reader));
    reader->checkpoint = checkpoint;
    reader->range = range;
    int status = mdb_txn_begin(checkpoint->mdb, NULL, MDB_RDONLY, &reader->txn);
    if (status == 0) {
        status = enter(reader, STORE_SPACE_USER);
    }
    if (status != 0) { /* out of memory, or of reader slots: we have two of more than a hundred */
        store_checkpoint_die(checkpoint, "read", status);
    }
    list_push_back(&checkpoint->readers, &reader->link);
    return reader;
}

static void cut(struct checkpoint_reader *reader)
{
    mdb_cursor_close(reader->cursor);
    mdb_txn_abort(reader->txn);
    reader->cursor = NULL;
    reader->txn = NULL;
    list_remove(&reader->link);
}

void store_checkpoint_reader_close(struct checkpoint_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    if (reader->txn != NULL) {
        cut(reader);
    }
    mem_free(reader);
}

void store_checkpoint_readers_cut(struct checkpoint *checkpoint)
{
    LIST_FOREACH (link, &checkpoint->readers) {
        cut(CONTAINER_OF(link, struct checkpoint_reader, link));
    }
}

static err read_error(int status)
{
    if (status == MDB_NOTFOUND) {
        return ERR_NOT_FOUND;
    }
    return status == 0 ? OK : ERR_CORRUPT;
}

err store_checkpoint_reader_region(struct checkpoint_reader *reader, region_id region,
                                   struct slice *out_state)
{
    if (reader->txn == NULL) {
        return ERR_UNAVAILABLE;
    }
    uint8_t bytes[CHECKPOINT_REGION_KEY_SIZE];
    MDB_val key = val_of(store_checkpoint_region_key(region, bytes));
    MDB_val value;
    err e = read_error(mdb_get(reader->txn, reader->checkpoint->meta, &key, &value));
    if (e == OK) {
        *out_state = slice_of(value);
    }
    return e;
}

static void place(struct checkpoint_reader *reader, MDB_cursor_op op)
{
    reader->status = mdb_cursor_get(reader->cursor, &reader->key, &reader->bytes, op);
    reader->is_placed = true;
    struct slice end = reader->range.end;
    if (reader->status == 0 && reader->space == STORE_SPACE_USER && end.size > 0 &&
        slice_compare(slice_of(reader->key), end) >= 0) {
        reader->status = MDB_NOTFOUND;
    }
}

static void place_first(struct checkpoint_reader *reader)
{
    bool is_range = reader->space == STORE_SPACE_USER && reader->range.begin.size > 0;
    reader->key = val_of(reader->range.begin);
    place(reader, is_range ? MDB_SET_RANGE : MDB_FIRST);
}

err store_checkpoint_reader_peek(struct checkpoint_reader *reader, enum store_space *out_space,
                                 struct slice *out_key, struct slice *out_bytes)
{
    if (reader->txn == NULL) {
        return ERR_UNAVAILABLE;
    }
    if (!reader->is_placed) {
        place_first(reader);
    }
    if (reader->status == MDB_NOTFOUND && reader->space == STORE_SPACE_USER) {
        mdb_cursor_close(reader->cursor);
        reader->status = enter(reader, STORE_SPACE_SYSTEM);
        if (reader->status != 0) {
            store_checkpoint_die(reader->checkpoint, "read", reader->status);
        }
        place_first(reader);
    }
    err e = read_error(reader->status);
    if (e == OK) {
        *out_space = reader->space;
        *out_key = slice_of(reader->key);
        *out_bytes = slice_of(reader->bytes);
    }
    return e;
}

void store_checkpoint_reader_advance(struct checkpoint_reader *reader)
{
    ASSERT(reader->txn != NULL);
    ASSERT(reader->is_placed);
    ASSERT(reader->status == 0);
    place(reader, MDB_NEXT);
}

/* ---- a replacement ---- */

static bool is_whole(const struct checkpoint_range *range)
{
    return range->begin.size == 0 && range->end.size == 0;
}

/* Upper bound of the bytes by which it makes the file longer: nothing that it frees is reused. */
static uint64_t need_of(const struct checkpoint *checkpoint,
                        const struct checkpoint_replacement *replacement)
{
    uint64_t used = checkpoint->figures.used_bytes;
    uint64_t deleting = is_whole(&replacement->range) ? used / 256 : used + used / 4;
    return 2 * (replacement->size_bytes + replacement->region.state.size) + deleting +
           CHECKPOINT_NEED_SLACK;
}

void store_checkpoint_replace_reserve(struct checkpoint *checkpoint,
                                      const struct checkpoint_replacement *replacement)
{
    store_checkpoint_map_fit(checkpoint, need_of(checkpoint, replacement));
}

static int delete_range(struct checkpoint *checkpoint, MDB_txn *txn,
                        const struct checkpoint_range *range)
{
    int status = mdb_drop(txn, checkpoint->spaces[STORE_SPACE_SYSTEM], 0);
    if (status == 0 && is_whole(range)) {
        return mdb_drop(txn, checkpoint->spaces[STORE_SPACE_USER], 0);
    }
    if (status != 0) {
        return status;
    }
    MDB_cursor *cursor;
    status = mdb_cursor_open(txn, checkpoint->spaces[STORE_SPACE_USER], &cursor);
    if (status != 0) {
        return status;
    }
    while (status == 0) {
        MDB_val key = val_of(range->begin);
        status = mdb_cursor_get(cursor, &key, NULL, key.mv_size > 0 ? MDB_SET_RANGE : MDB_FIRST);
        if (status != 0) {
            break;
        }
        if (range->end.size > 0 && slice_compare(slice_of(key), range->end) >= 0) {
            break;
        }
        status = mdb_cursor_del(cursor, 0);
    }
    mdb_cursor_close(cursor);
    return status == MDB_NOTFOUND ? 0 : status;
}

/*
 * Makes LMDB write out what the transaction has gathered (Q1). There is no call for it, but a put
 * makes room for its value first: one of 4 GiB has it write everything. The put itself is refused,
 * as it would have a record take the place of a database; the value is never looked at. Should
 * another version not write first, it only takes more memory.
 */
static int spill(MDB_txn *txn)
{
    MDB_val key = val_of(SLICE_LITERAL("data"));
    MDB_val value = {.mv_size = UINT32_MAX - 255, .mv_data = NULL};
    int status = mdb_put(txn, DBI_NAMES, &key, &value, 0);
    ASSERT(status != 0);
    return status == MDB_INCOMPATIBLE ? 0 : status;
}

/* Puts what `next` gives. Its error in *out_error, LMDB's as the result. */
static int put_records(MDB_txn *txn, MDB_cursor *const *cursors,
                       const struct checkpoint_replacement *replacement, err *out_error)
{
    uint64_t room = SPILL_BYTES;
    uint64_t gathered = 0;
    int status = 0;
    while (status == 0) {
        enum store_space space;
        struct slice key;
        struct slice bytes;
        *out_error = replacement->next(replacement->ctx, &space, &key, &bytes);
        if (*out_error != OK) {
            break;
        }
        /* In the middle of other regions' records nothing is appended. */
        bool is_alone = space == STORE_SPACE_SYSTEM || is_whole(&replacement->range);
        MDB_val mdb_key = val_of(key);
        MDB_val mdb_bytes = val_of(bytes);
        status = mdb_cursor_put(cursors[space], &mdb_key, &mdb_bytes, is_alone ? MDB_APPEND : 0);
        gathered += key.size + bytes.size;
        if (status == 0 && gathered >= room) {
            status = spill(txn);
            status = status == 0 ? mdb_env_sync(mdb_txn_env(txn), 1) : status;
            room = SYNC_BYTES;
            gathered = 0;
        }
    }
    if (*out_error == ERR_NOT_FOUND) {
        *out_error = OK;
    }
    return status;
}

static int replace(struct checkpoint *checkpoint, MDB_txn *txn,
                   const struct checkpoint_replacement *replacement, err *out_error)
{
    MDB_cursor *cursors[STORE_SPACES] = {NULL};
    int status = delete_range(checkpoint, txn, &replacement->range);
    for (size_t i = 0; status == 0 && i < STORE_SPACES; i++) {
        status = mdb_cursor_open(txn, checkpoint->spaces[i], &cursors[i]);
    }
    if (status == 0) {
        status = put_records(txn, cursors, replacement, out_error);
    }
    for (size_t i = 0; i < STORE_SPACES && cursors[i] != NULL; i++) {
        mdb_cursor_close(cursors[i]);
    }
    if (status == 0 && *out_error == OK) {
        uint8_t bytes[CHECKPOINT_REGION_KEY_SIZE];
        MDB_val key = val_of(store_checkpoint_region_key(replacement->region.id, bytes));
        MDB_val state = val_of(replacement->region.state);
        status = mdb_put(txn, checkpoint->meta, &key, &state, 0);
    }
    return status;
}

err store_checkpoint_replace(struct checkpoint *checkpoint,
                             const struct checkpoint_replacement *replacement)
{
    uint64_t need = need_of(checkpoint, replacement);
    MDB_txn *txn;
    int status = mdb_txn_begin(checkpoint->mdb, NULL, 0, &txn);
    if (status != 0) {
        return store_checkpoint_write_failed(checkpoint, need, status);
    }
    err e = OK;
    status = replace(checkpoint, txn, replacement, &e);
    if (status != 0 || e != OK) {
        mdb_txn_abort(txn);
        return e != OK ? e : store_checkpoint_write_failed(checkpoint, need, status);
    }
    status = mdb_txn_commit(txn);
    return status == 0 ? OK : store_checkpoint_write_failed(checkpoint, need, status);
}
