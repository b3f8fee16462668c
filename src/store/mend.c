#include "store/mend.h"

#include <string.h>

#include "base/assert.h"
#include "store/record.h"
#include "store/store_int.h"

err store_mend_read(struct store *store, struct slice key, struct writer *out)
{
    struct store_record record;
    err e = store_get(store, key, &record);
    if (e != OK) {
        return e;
    }
    uint8_t *target = writer_extend(out, store_record_size(&record));
    store_record_encode(&record, key, target);
    buf_unref(record.owner);
    return OK;
}

/* D2, as far as the head that is here can tell. A damaged one tells nothing. */
static bool contradicts_head(struct store *store, struct slice key, struct slice bytes)
{
    struct slice own;
    struct store_record record;
    if (store_checkpoint_get(store->checkpoint, STORE_SPACE_USER, key, &own) != OK ||
        store_record_decode(own, key, &record) != OK) {
        return false;
    }
    size_t head_size = STORE_RECORD_HEAD_SIZE + record.content_type.size;
    return bytes.size != own.size || memcmp(bytes.data, own.data, head_size) != 0;
}

/* Copies what the record borrows, as the tail wants it. */
static void put(struct store *store, struct slice key, struct store_record record)
{
    struct slice type = record.content_type;
    struct slice value = record.value; /* which stands right behind it */
    record.owner = buf_copy((struct slice){type.data, type.size + value.size});
    record.content_type.data = record.owner->data;
    record.value.data = record.owner->data + type.size;
    store_tail_put(store->active.of[STORE_SPACE_USER], key, &record);
    buf_unref(record.owner);
    store_count_tail(store);
    store->stats.mended_records++;
    store->is_wanted = true; /* until it is durable, the scrub meets the damaged one again */
    if (!store->is_dirty) {
        store->is_dirty = true;
        store->dirty_since_ms = env_now_ms(store->options.env);
    }
}

/* D2, for what does not depend on what is here. ERR_NOT_FOUND: the giver has none. */
static err judge(struct store *store, const struct store_region *region, struct slice key,
                 uint64_t applied, struct slice bytes, struct store_record *out_record)
{
    if (applied < region->checkpoint.index || store_is_installing(store, region->id)) {
        return ERR_UNAVAILABLE;
    }
    if (bytes.size == 0) {
        return ERR_NOT_FOUND;
    }
    if (store_record_decode_in(bytes, STORE_SPACE_USER, key, out_record) != OK ||
        store_record_verify(out_record, key) != OK || out_record->value.size > VALUE_SIZE_CEILING) {
        return ERR_MALFORMED;
    }
    /* Changed since: so it will be here. */
    return out_record->mod_revision > region->revision ? ERR_UNAVAILABLE : OK;
}

err store_mend_write(struct store *store, region_id id, struct slice key, uint64_t applied,
                     struct slice bytes)
{
    const struct store_region *region = store_find_region(store, id);
    ASSERT(region != NULL);
    if (!store_is_damaged(store, STORE_SPACE_USER, key)) {
        return OK;
    }
    struct store_record record;
    err e = judge(store, region, key, applied, bytes, &record);
    if (e == ERR_NOT_FOUND) { /* deleted later than here, or there never was such a key */
        return applied > region->applied.index ? ERR_UNAVAILABLE : ERR_CONFLICT;
    }
    if (e != OK) {
        return e;
    }
    if (contradicts_head(store, key, bytes)) {
        return ERR_CONFLICT;
    }
    put(store, key, record);
    return OK;
}

err store_mend_confirm(struct store *store, region_id id, struct slice key, uint64_t applied,
                       struct slice bytes)
{
    const struct store_region *region = store_find_region(store, id);
    struct store_record record;
    if (region == NULL) {
        return OK; /* nothing was ever applied: nothing is hidden */
    }
    err e = store_get(store, key, &record);
    if (e != ERR_NOT_FOUND) {
        if (e == OK) {
            buf_unref(record.owner);
        }
        return OK;
    }
    e = judge(store, region, key, applied, bytes, &record);
    if (e == ERR_NOT_FOUND || store_is_absence_proven(store, key)) {
        return OK; /* deleted later than here: then the read comes after that */
    }
    return e == OK ? ERR_CONFLICT : e;
}
