#include "store/store.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "store/record.h"
#include "store/region.h"
#include "store/store_int.h"

#define TAIL_BYTES_DEFAULT (64u << 20)
#define AGE_MS_DEFAULT 60000u
#define MAP_SIZE_DEFAULT (64u << 20)

/* ---- regions ---- */

/* Where `region` is, or belongs. */
static size_t region_position(const struct store *store, region_id region)
{
    size_t low = 0;
    size_t high = store->region_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (store->regions[middle]->id < region) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct store_region *store_find_region(const struct store *store, region_id region)
{
    size_t position = region_position(store, region);
    bool is_there = position < store->region_count && store->regions[position]->id == region;
    return is_there ? store->regions[position] : NULL;
}

struct store_region *store_add_region(struct store *store, region_id region)
{
    ASSERT(region != 0);
    ASSERT(store_find_region(store, region) == NULL);
    struct store_region_home *home = mem_calloc(1, sizeof(*home));
    struct store_region *added = &home->region;
    added->id = region;
    size_t position = region_position(store, region);
    store->regions = mem_realloc(store->regions, store->region_count + 1, sizeof(*store->regions));
    memmove(store->regions + position + 1, store->regions + position,
            (store->region_count - position) * sizeof(*store->regions));
    store->regions[position] = added;
    store->region_count++;
    return added;
}

void store_count_in(struct store_region *region, enum store_space space, struct slice key,
                    const struct store_record *record)
{
    ASSERT(store_record_is_of(record, space));
    if (space == STORE_SPACE_USER) {
        region->keys++;
        region->key_bytes += key.size;
        region->value_bytes += record->value.size;
    } else {
        region->system_keys++;
        region->system_bytes += key.size + record->value.size;
    }
    region->state_hash = hash128_add(region->state_hash, store_record_hash(record, key));
}

void store_count_out(struct store_region *region, enum store_space space, struct slice key,
                     const struct store_record *record)
{
    ASSERT(store_record_is_of(record, space));
    if (space == STORE_SPACE_USER) {
        ASSERT(region->keys > 0);
        ASSERT(region->key_bytes >= key.size);
        ASSERT(region->value_bytes >= record->value.size);
        region->keys--;
        region->key_bytes -= key.size;
        region->value_bytes -= record->value.size;
    } else {
        ASSERT(region->system_keys > 0);
        ASSERT(region->system_bytes >= key.size + record->value.size);
        region->system_keys--;
        region->system_bytes -= key.size + record->value.size;
    }
    region->state_hash = hash128_subtract(region->state_hash, store_record_hash(record, key));
}

const struct store_region *store_region(const struct store *store, region_id region)
{
    return store_find_region(store, region);
}

void store_regions(const struct store *store,
                   void (*each)(void *ctx, const struct store_region *region), void *ctx)
{
    for (size_t i = 0; i < store->region_count; i++) {
        each(ctx, store->regions[i]);
    }
}

/* ---- life ---- */

static err load_region(void *ctx, region_id region, struct slice state)
{
    struct store *store = ctx;
    struct store_region decoded;
    err e = store_region_decode(state, region, &decoded);
    if (e == OK) {
        *store_add_region(store, region) = decoded;
    }
    return e;
}

/* Roots of two different transactions would hardly agree on this. */
static bool keys_agree(const struct store *store)
{
    struct checkpoint_figures figures = store_checkpoint_figures(store->checkpoint);
    uint64_t keys = 0;
    uint64_t system_keys = 0;
    for (size_t i = 0; i < store->region_count; i++) {
        keys += store->regions[i]->keys;
        system_keys += store->regions[i]->system_keys;
    }
    return keys == figures.records[STORE_SPACE_USER] &&
           system_keys == figures.records[STORE_SPACE_SYSTEM];
}

static err load(struct store *store, struct err_note *note)
{
    const char *path = store_checkpoint_path(store->checkpoint);
    err e = store_checkpoint_each_region(store->checkpoint, load_region, store);
    if (e == ERR_VERSION) {
        return err_note_set(note, e, "%s: a region's state was written by a newer pontoon", path);
    }
    if (e != OK || !keys_agree(store)) {
        return err_note_set(note, ERR_DAMAGED, "%s: %s: " STORE_DAMAGE_ADVICE, path,
                            e != OK ? "a region's state is damaged"
                                    : "the number of records is not what the regions' states say");
    }
    return OK;
}

static void fill_defaults(struct store_options *options)
{
    if (options->tail_bytes_max == 0) {
        options->tail_bytes_max = TAIL_BYTES_DEFAULT;
    }
    if (options->checkpoint_age_ms_max == 0) {
        options->checkpoint_age_ms_max = AGE_MS_DEFAULT;
    }
    if (options->map_size_bytes == 0) {
        options->map_size_bytes = MAP_SIZE_DEFAULT;
    }
    if (options->census_block == 0) {
        options->census_block = STORE_CENSUS_BLOCK;
    }
}

static char *incoming_directory_of(const char *directory)
{
    struct writer path = {0};
    writer_format(&path, "%s/incoming", directory);
    writer_u8(&path, '\0');
    char *text = mem_strdup((const char *)path.data);
    writer_deinit(&path);
    return text;
}

err store_open(struct store **out_store, const struct store_options *options, struct err_note *note)
{
    ASSERT(options->env != NULL);
    ASSERT(options->directory != NULL);
    struct store *store = mem_calloc(1, sizeof(*store));
    store->options = *options;
    fill_defaults(&store->options);
    store->job.run = store_job_run;
    store->job.done = store_job_done;
    store->install.job.run = store_install_run;
    store->install.job.done = store_install_done;
    store->scrub.job.run = store_scrub_run;
    store->scrub.job.done = store_scrub_done;
    store->active = store_tails_new();
    store->directory = mem_strdup(options->directory);
    store->incoming_directory = incoming_directory_of(options->directory);
    struct checkpoint_options checkpoint_options = {.env = options->env,
                                                    .directory = options->directory,
                                                    .map_size_bytes =
                                                        store->options.map_size_bytes};
    err e = store_checkpoint_open(&store->checkpoint, &checkpoint_options, note);
    if (e == OK) {
        e = load(store, note);
    }
    if (e == OK) {
        e = store_install_recover(store, note);
    }
    if (e == OK) {
        e = env_worker_open(options->env, "checkpointer", &store->worker);
        if (e != OK) {
            err_note_set(note, e, "start the checkpointer's thread");
        }
    }
    if (e != OK) {
        store_close(store);
        return e;
    }
    store_count_tail(store);
    store_count_file(store);
    *out_store = store;
    return OK;
}

void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    ASSERT(store->snapshot_count == 0);
    store->is_closing = true;
    env_worker_close(store->worker);
    store_checkpointer_deinit(store);
    store_install_deinit(store);
    store_tails_free(&store->active);
    store_checkpoint_close(store->checkpoint);
    for (size_t i = 0; i < store->region_count; i++) {
        store_census_drop(store, store->regions[i]);
        mem_free(CONTAINER_OF(store->regions[i], struct store_region_home, region));
    }
    mem_free(store->regions);
    mem_free(store->incoming_directory);
    mem_free(store->directory);
    mem_free(store);
}

/* ---- reads ---- */

/* What a tail knows of the key: OK and its record, ERR_NOT_FOUND (deleted), or false. */
static bool find_in_tail(const struct store_tail *tail, struct slice key,
                         struct store_record *out_record, err *out_error)
{
    const struct store_tail_entry *entry = tail != NULL ? store_tail_get(tail, key) : NULL;
    if (entry == NULL) {
        return false;
    }
    *out_record = entry->record;
    *out_error = entry->is_tombstone ? ERR_NOT_FOUND : OK;
    return true;
}

err store_find_record(struct store *store, enum store_space space, struct slice key,
                      struct store_record *out_record)
{
    ASSERT(key.size > 0);
    ASSERT(key.size <= store_key_size_max(space));
    err e;
    if (find_in_tail(store->active.of[space], key, out_record, &e) ||
        find_in_tail(store->frozen.of[space], key, out_record, &e)) {
        return e;
    }
    struct slice bytes;
    e = store_checkpoint_get(store->checkpoint, space, key, &bytes);
    return e == OK ? store_record_decode_in(bytes, space, key, out_record) : e;
}

/* Puts a copy of the record's bytes, which are borrowed from the checkpoint, under an owner. */
static void make_owned(struct store_record *record)
{
    struct slice content_type = record->content_type;
    struct slice value = record->value;
    record->owner = buf_new(content_type.size + value.size);
    if (record->owner->size > 0) { /* the value stands right after the content type */
        memcpy(record->owner->data, content_type.data, record->owner->size);
    }
    record->content_type = (struct slice){record->owner->data, content_type.size};
    record->value = (struct slice){record->owner->data + content_type.size, value.size};
}

err store_get(struct store *store, struct slice key, struct store_record *out_record)
{
    struct store_record record;
    err e = store_find_record(store, STORE_SPACE_USER, key, &record);
    if (e == OK && record.owner != NULL) {
        buf_ref(record.owner);
    } else if (e == OK) {
        make_owned(&record);
        e = store_record_verify(&record, key); /* S4, and of the very bytes that are handed out */
        if (e != OK) {
            buf_unref(record.owner);
        }
    }
    if (e == ERR_CORRUPT) {
        store->stats.corrupt_records++;
    }
    if (e == OK) {
        *out_record = record;
    }
    return e;
}

bool store_is_damaged(struct store *store, enum store_space space, struct slice key)
{
    struct store_record record;
    err e = store_find_record(store, space, key, &record);
    if (e == OK && record.owner == NULL) {
        e = store_record_verify(&record, key);
    }
    return e == ERR_CORRUPT;
}

/* ---- figures ---- */

void store_count_tail(struct store *store)
{
    store->stats.tail_bytes = store_tails_bytes(&store->active) + store_tails_bytes(&store->frozen);
    store->stats.tail_records =
        store_tails_count(&store->active) + store_tails_count(&store->frozen);
}

void store_count_file(struct store *store)
{
    struct checkpoint_figures figures = store_checkpoint_figures(store->checkpoint);
    store->stats.map_size_bytes = figures.map_size_bytes;
    store->stats.size_bytes = figures.size_bytes;
    store->stats.used_bytes = figures.used_bytes;
    store->stats.checkpoint_records =
        figures.records[STORE_SPACE_USER] + figures.records[STORE_SPACE_SYSTEM];
}

const struct store_stats *store_stats(const struct store *store)
{
    return &store->stats;
}

const char *store_engine(void)
{
    return "lmdb";
}

const char *store_path(const struct store *store)
{
    return store_checkpoint_path(store->checkpoint);
}
