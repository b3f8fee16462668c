/* A walk over all layers of a space: active tail, frozen tail, checkpoint (I1). */
#include <string.h>

#include "base/assert.h"
#include "store/record.h"
#include "store/store_int.h"

/* The tails, the newest first, and behind them the checkpoint. */
#define TAILS 2

struct layers {
    struct checkpoint *checkpoint;
    enum store_space space;
    struct store_tail_cursor cursors[TAILS];
    const struct store_tail_entry *entries[TAILS]; /* NULL: at its end */
    bool is_end;                                   /* the checkpoint's */
    struct slice key;                              /* there */
    struct slice bytes;
};

static void next_entry(struct layers *layers, size_t tail)
{
    layers->entries[tail] = store_tail_next(&layers->cursors[tail]);
}

static err take_checkpoint(struct layers *layers, err e)
{
    layers->is_end = e == ERR_NOT_FOUND;
    return layers->is_end ? OK : e;
}

static err layers_seek(struct layers *layers, const struct store *store, struct slice from)
{
    const struct store_tails *tails[TAILS] = {&store->active, &store->frozen};
    for (size_t i = 0; i < TAILS; i++) {
        const struct store_tail *tail = tails[i]->of[layers->space];
        if (tail != NULL) {
            layers->cursors[i] = store_tail_seek(tail, from);
            next_entry(layers, i);
        }
    }
    return take_checkpoint(layers, store_checkpoint_seek(layers->checkpoint, layers->space, from,
                                                         &layers->key, &layers->bytes));
}

static struct slice entry_key(const struct store_tail_entry *entry)
{
    return (struct slice){entry->key, entry->key_size};
}

/* The least key at which a layer is. False: all are at their ends. */
static bool least_key(const struct layers *layers, struct slice *out_key)
{
    bool is_there = !layers->is_end;
    struct slice least = is_there ? layers->key : SLICE_EMPTY;
    for (size_t i = 0; i < TAILS; i++) {
        const struct store_tail_entry *entry = layers->entries[i];
        if (entry != NULL && (!is_there || slice_compare(entry_key(entry), least) < 0)) {
            least = entry_key(entry);
            is_there = true;
        }
    }
    *out_key = least;
    return is_there;
}

/* What the newest layer at `key` has of it: OK, ERR_NOT_FOUND (a tombstone), ERR_CORRUPT. */
static err look(const struct layers *layers, struct slice key, struct store_record *out_record)
{
    for (size_t i = 0; i < TAILS; i++) {
        const struct store_tail_entry *entry = layers->entries[i];
        if (entry != NULL && slice_equal(entry_key(entry), key)) {
            *out_record = entry->record;
            return entry->is_tombstone ? ERR_NOT_FOUND : OK;
        }
    }
    return store_record_decode_in(layers->bytes, layers->space, key, out_record);
}

/* All layers that are at `key`: to what follows it. */
static err pass(struct layers *layers, struct slice key)
{
    for (size_t i = 0; i < TAILS; i++) {
        if (layers->entries[i] != NULL && slice_equal(entry_key(layers->entries[i]), key)) {
            next_entry(layers, i);
        }
    }
    err e = OK;
    if (!layers->is_end && slice_equal(layers->key, key)) {
        e = take_checkpoint(layers, store_checkpoint_seek_next(layers->checkpoint, layers->space,
                                                               &layers->key, &layers->bytes));
    }
    return e;
}

err store_find_next(struct store *store, enum store_space space, struct slice from,
                    uint8_t key_target[STORE_SYSTEM_KEY_SIZE_MAX], struct slice *out_key,
                    struct store_record *out_record)
{
    ASSERT(from.size <= STORE_SYSTEM_KEY_SIZE_MAX);
    struct layers layers = {.checkpoint = store->checkpoint, .space = space};
    err e = layers_seek(&layers, store, from);
    struct slice key;
    while (e == OK && least_key(&layers, &key)) {
        if (key.size == 0 || key.size > store_key_size_max(space)) {
            return ERR_CORRUPT; /* the checkpoint's */
        }
        struct store_record record;
        e = look(&layers, key, &record);
        if (e == OK) {
            *out_record = record;
            memcpy(key_target, key.data, key.size);
            *out_key = (struct slice){key_target, key.size};
            return OK;
        }
        if (e == ERR_NOT_FOUND) {
            e = pass(&layers, key);
        }
    }
    return e == OK ? ERR_NOT_FOUND : e;
}
