/* A walk over all records in pieces, each in a transaction of its own: it pins nothing for long. */
#include "base/assert.h"
#include "store/checkpoint_int.h"

/* Whether a look-up finds the very record at which the cursor stands. */
static bool is_found(MDB_txn *txn, MDB_dbi dbi, MDB_val key, MDB_val bytes)
{
    MDB_val found;
    int status = mdb_get(txn, dbi, &key, &found);
    return status == 0 && found.mv_data == bytes.mv_data;
}

static int walk(MDB_txn *txn, MDB_cursor *cursor, const struct checkpoint_piece *piece)
{
    MDB_val key = val_of(piece->from);
    MDB_val bytes;
    size_t size = 0;
    bool goes_on = true;
    int status =
        mdb_cursor_get(cursor, &key, &bytes, piece->from.size > 0 ? MDB_SET_RANGE : MDB_FIRST);
    while (status == 0 && goes_on && size < piece->size_max) {
        goes_on = piece->each(piece->ctx, slice_of(key), slice_of(bytes),
                              is_found(txn, mdb_cursor_dbi(cursor), key, bytes));
        size += key.mv_size + bytes.mv_size;
        status = goes_on ? mdb_cursor_get(cursor, &key, &bytes, MDB_NEXT) : 0;
    }
    return status;
}

err store_checkpoint_walk(struct checkpoint *checkpoint, const struct checkpoint_piece *piece,
                          bool *out_is_end)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    int status = mdb_txn_begin(checkpoint->mdb, NULL, MDB_RDONLY, &txn);
    if (status != 0) { /* out of memory, or of reader slots: there are more than we use */
        store_checkpoint_die(checkpoint, "read", status);
    }
    status = mdb_cursor_open(txn, checkpoint->spaces[piece->space], &cursor);
    if (status == 0) {
        status = walk(txn, cursor, piece);
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    if (status != 0 && status != MDB_NOTFOUND) {
        return ERR_CORRUPT;
    }
    *out_is_end = status == MDB_NOTFOUND;
    return OK;
}
