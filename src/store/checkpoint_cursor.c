#include "store/checkpoint_cursor.h"

#include "base/assert.h"
#include "base/mem.h"
#include "store/checkpoint_int.h"

struct checkpoint_cursor {
    struct checkpoint *checkpoint;
    MDB_cursor *mdb;
    bool has_failed;
};

err store_checkpoint_cursor_open(struct checkpoint *checkpoint,
                                 struct checkpoint_cursor **out_cursor)
{
    MDB_cursor *mdb;
    if (mdb_cursor_open(checkpoint->reader, checkpoint->spaces[STORE_SPACE_USER], &mdb) != 0) {
        return store_checkpoint_read_failed(checkpoint);
    }
    struct checkpoint_cursor *cursor = mem_calloc(1, sizeof(*cursor));
    cursor->checkpoint = checkpoint;
    cursor->mdb = mdb;
    *out_cursor = cursor;
    return OK;
}

void store_checkpoint_cursor_close(struct checkpoint_cursor *cursor)
{
    if (cursor != NULL) {
        mdb_cursor_close(cursor->mdb);
        mem_free(cursor);
    }
}

/* Without values: those that have pages of their own are not looked at. */
static int move_to(MDB_cursor *mdb, enum checkpoint_move move, struct slice bound, MDB_val *key)
{
    int status;
    *key = val_of(bound);
    switch (move) {
    case CHECKPOINT_MOVE_AT:
        return mdb_cursor_get(mdb, key, NULL, bound.size > 0 ? MDB_SET_RANGE : MDB_FIRST);
    case CHECKPOINT_MOVE_BEFORE:
        status = bound.size > 0 ? mdb_cursor_get(mdb, key, NULL, MDB_SET_RANGE) : MDB_NOTFOUND;
        if (status == MDB_NOTFOUND) {
            return mdb_cursor_get(mdb, key, NULL, MDB_LAST);
        }
        return status == 0 ? mdb_cursor_get(mdb, key, NULL, MDB_PREV) : status;
    case CHECKPOINT_MOVE_NEXT:
        return mdb_cursor_get(mdb, key, NULL, MDB_NEXT);
    case CHECKPOINT_MOVE_BACK:
    default:
        return mdb_cursor_get(mdb, key, NULL, MDB_PREV);
    }
}

static err fail(struct checkpoint_cursor *cursor)
{
    if (cursor->has_failed) {
        return ERR_CORRUPT;
    }
    cursor->has_failed = true;
    return store_checkpoint_read_failed(cursor->checkpoint);
}

err store_checkpoint_cursor_move(struct checkpoint_cursor *cursor, enum checkpoint_move move,
                                 struct slice key, struct slice *out_key)
{
    MDB_val found;
    int status = cursor->has_failed ? MDB_CORRUPTED : move_to(cursor->mdb, move, key, &found);
    if (status == MDB_NOTFOUND) {
        return ERR_NOT_FOUND;
    }
    if (status != 0 || found.mv_size == 0 || found.mv_size > KEY_SIZE_MAX) {
        return fail(cursor);
    }
    *out_key = slice_of(found);
    return OK;
}

err store_checkpoint_cursor_bytes(struct checkpoint_cursor *cursor, struct slice *out_bytes)
{
    MDB_val key;
    MDB_val bytes;
    int status = cursor->has_failed ? MDB_CORRUPTED
                                    : mdb_cursor_get(cursor->mdb, &key, &bytes, MDB_GET_CURRENT);
    if (status != 0) {
        return fail(cursor);
    }
    *out_bytes = slice_of(bytes);
    return OK;
}
