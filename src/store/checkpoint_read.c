/* What is read of the last state that was written: on the loop thread, or before there is one. */
#include <string.h>

#include "base/assert.h"
#include "store/checkpoint_int.h"

err store_checkpoint_read_failed(struct checkpoint *checkpoint)
{
    store_checkpoint_reader_renew(checkpoint);
    return ERR_CORRUPT;
}

/* Whether the file has the space: one that is not there is empty. */
static bool has_space(const struct checkpoint *checkpoint, enum store_space space)
{
    return space == STORE_SPACE_USER || checkpoint->has_system;
}

err store_checkpoint_get(struct checkpoint *checkpoint, enum store_space space, struct slice key,
                         struct slice *out_bytes)
{
    if (!has_space(checkpoint, space)) {
        return ERR_NOT_FOUND;
    }
    MDB_val mdb_key = val_of(key);
    MDB_val value;
    int status = mdb_get(checkpoint->reader, checkpoint->spaces[space], &mdb_key, &value);
    if (status == MDB_NOTFOUND) {
        return ERR_NOT_FOUND;
    }
    if (status != 0) {
        return store_checkpoint_read_failed(checkpoint);
    }
    *out_bytes = slice_of(value);
    return OK;
}

/* Moves the place by `op`, from `key` on where that says so. */
static err move_place(struct checkpoint *checkpoint, enum store_space space, MDB_cursor_op op,
                      struct slice *key, struct slice *out_bytes)
{
    MDB_val mdb_key = val_of(*key);
    MDB_val value;
    int status = mdb_cursor_get(checkpoint->places[space], &mdb_key, &value, op);
    if (status == MDB_NOTFOUND) {
        return ERR_NOT_FOUND;
    }
    if (status != 0) {
        return store_checkpoint_read_failed(checkpoint);
    }
    *key = slice_of(mdb_key);
    *out_bytes = slice_of(value);
    return OK;
}

err store_checkpoint_seek(struct checkpoint *checkpoint, enum store_space space, struct slice from,
                          struct slice *out_key, struct slice *out_bytes)
{
    if (!has_space(checkpoint, space)) {
        return ERR_NOT_FOUND;
    }
    MDB_cursor **place = &checkpoint->places[space];
    if (*place == NULL &&
        mdb_cursor_open(checkpoint->reader, checkpoint->spaces[space], place) != 0) {
        *place = NULL;
        return store_checkpoint_read_failed(checkpoint);
    }
    *out_key = from;
    return move_place(checkpoint, space, from.size > 0 ? MDB_SET_RANGE : MDB_FIRST, out_key,
                      out_bytes);
}

err store_checkpoint_seek_next(struct checkpoint *checkpoint, enum store_space space,
                               struct slice *out_key, struct slice *out_bytes)
{
    ASSERT(checkpoint->places[space] != NULL);
    return move_place(checkpoint, space, MDB_NEXT, out_key, out_bytes);
}

err store_checkpoint_each(struct checkpoint *checkpoint, enum store_space space, struct slice from,
                          bool (*each)(void *ctx, struct slice key, struct slice bytes), void *ctx)
{
    if (!has_space(checkpoint, space)) {
        return OK;
    }
    MDB_cursor *cursor;
    int status = mdb_cursor_open(checkpoint->reader, checkpoint->spaces[space], &cursor);
    if (status != 0) {
        return store_checkpoint_read_failed(checkpoint);
    }
    MDB_val key = val_of(from);
    MDB_val value;
    MDB_cursor_op op = from.size > 0 ? MDB_SET_RANGE : MDB_FIRST;
    bool go_on = true;
    while (go_on && (status = mdb_cursor_get(cursor, &key, &value, op)) == 0) {
        go_on = each(ctx, slice_of(key), slice_of(value));
        op = MDB_NEXT;
    }
    mdb_cursor_close(cursor);
    return status == 0 || status == MDB_NOTFOUND ? OK : store_checkpoint_read_failed(checkpoint);
}

struct slice store_checkpoint_region_key(region_id region, uint8_t *key)
{
    memcpy(key, CHECKPOINT_REGION_PREFIX, CHECKPOINT_REGION_PREFIX_SIZE);
    for (size_t i = 0; i < 8; i++) { /* big-endian: ids in order */
        key[CHECKPOINT_REGION_PREFIX_SIZE + i] = (uint8_t)(region >> (56 - 8 * i));
    }
    return (struct slice){key, CHECKPOINT_REGION_KEY_SIZE};
}

static bool region_of_key(struct slice key, region_id *out_region)
{
    if (key.size != CHECKPOINT_REGION_KEY_SIZE ||
        memcmp(key.data, CHECKPOINT_REGION_PREFIX, CHECKPOINT_REGION_PREFIX_SIZE) != 0) {
        return false;
    }
    *out_region = 0;
    for (size_t i = 0; i < 8; i++) {
        *out_region = *out_region << 8 | key.data[CHECKPOINT_REGION_PREFIX_SIZE + i];
    }
    return true;
}

err store_checkpoint_each_region(struct checkpoint *checkpoint,
                                 err (*each)(void *ctx, region_id region, struct slice state),
                                 void *ctx)
{
    MDB_cursor *cursor;
    int status = mdb_cursor_open(checkpoint->reader, checkpoint->meta, &cursor);
    if (status != 0) {
        return store_checkpoint_read_failed(checkpoint);
    }
    MDB_val key = val_of(SLICE_LITERAL(CHECKPOINT_REGION_PREFIX));
    MDB_val value;
    MDB_cursor_op op = MDB_SET_RANGE;
    err e = OK;
    while (e == OK && (status = mdb_cursor_get(cursor, &key, &value, op)) == 0) {
        region_id region;
        e = region_of_key(slice_of(key), &region) ? each(ctx, region, slice_of(value))
                                                  : ERR_CORRUPT;
        op = MDB_NEXT;
    }
    mdb_cursor_close(cursor);
    if (e == OK && status != MDB_NOTFOUND) {
        e = store_checkpoint_read_failed(checkpoint);
    }
    return e;
}
