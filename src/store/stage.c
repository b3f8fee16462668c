#include "store/stage.h"

#include <string.h>

#include "store/distrust.h"
#include "store/record.h"

void stage_init(struct stage *stage, struct store *store)
{
    *stage = (struct stage){.store = store};
}

void stage_reset(struct stage *stage)
{
    for (size_t i = 0; i < STORE_SPACES; i++) {
        store_tail_free(stage->changes.of[i]);
        stage->changes.of[i] = NULL;
    }
}

bool stage_is_empty(const struct stage *stage)
{
    return stage->changes.of[STORE_SPACE_USER] == NULL &&
           stage->changes.of[STORE_SPACE_SYSTEM] == NULL;
}

/* ---- reading ---- */

/* G1 */
static _Noreturn void end_damaged(const struct stage *stage)
{
    store_end_damaged(stage->store->options.env, stage->store->directory,
                      "a record that a transaction reads");
}

static bool check(const struct stage *stage, err e, const struct store_record *record,
                  struct slice key, bool needs_value)
{
    if (e == ERR_NOT_FOUND) {
        return false;
    }
    if (e != OK ||
        (needs_value && record->owner == NULL && store_record_verify(record, key) != OK)) {
        end_damaged(stage);
    }
    return true;
}

bool stage_find(const struct stage *stage, enum store_space space, struct slice key,
                bool needs_value, struct store_record *out_record)
{
    const struct store_tail *changes = stage->changes.of[space];
    const struct store_tail_entry *entry = changes != NULL ? store_tail_get(changes, key) : NULL;
    if (entry != NULL) {
        *out_record = entry->record;
        return !entry->is_tombstone;
    }
    err e = store_find_record(stage->store, space, key, out_record);
    return check(stage, e, out_record, key, needs_value);
}

static void set_key(struct system_key *target, struct slice key)
{
    ASSERT(key.size <= sizeof(target->bytes));
    memmove(target->bytes, key.data, key.size);
    target->size = key.size;
}

bool stage_next(const struct stage *stage, enum store_space space, struct slice from,
                struct system_key *out_key, struct store_record *out_record)
{
    const struct store_tail *changes = stage->changes.of[space];
    struct store_tail_cursor cursor = {0};
    const struct store_tail_entry *own = NULL;
    if (changes != NULL) {
        cursor = store_tail_seek(changes, from);
        own = store_tail_next(&cursor);
    }
    struct slice key;
    err e = store_find_next(stage->store, space, from, out_key->bytes, &key, out_record);
    while (own != NULL) { /* whichever is first; what was deleted here hides what is below */
        struct slice own_key = {own->key, own->key_size};
        int order = e == OK ? slice_compare(own_key, key) : -1;
        if (order > 0) {
            break;
        }
        if (!own->is_tombstone) {
            *out_record = own->record;
            set_key(out_key, own_key);
            return true;
        }
        if (order == 0) {
            struct system_key after;
            set_key(&after, key);
            system_key_step(&after);
            e = store_find_next(stage->store, space, system_key_slice(&after), out_key->bytes, &key,
                                out_record);
        }
        own = store_tail_next(&cursor);
    }
    if (!check(stage, e, out_record, key, false)) {
        return false;
    }
    out_key->size = key.size;
    return true;
}

/* ---- changing ---- */

static struct store_tail *changes_of(struct stage *stage, enum store_space space)
{
    if (stage->changes.of[space] == NULL) {
        stage->changes.of[space] = store_tail_new();
    }
    return stage->changes.of[space];
}

void stage_put(struct stage *stage, enum store_space space, struct slice key,
               struct store_record *record)
{
    record->flags |= space == STORE_SPACE_SYSTEM ? STORE_RECORD_SYSTEM : 0;
    store_record_seal(record, key);
    store_tail_put(changes_of(stage, space), key, record);
}

void stage_delete(struct stage *stage, enum store_space space, struct slice key)
{
    store_tail_delete(changes_of(stage, space), key);
}
