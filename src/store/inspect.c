#include "store/inspect.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "proto/text.h"
#include "store/checkpoint.h"
#include "store/record.h"
#include "store/region.h"
#include "store/snapshot_int.h"

struct store_inspect {
    struct checkpoint *checkpoint;
    /* Of the whole records of the last walk over each space. */
    struct store_snapshot_sums sums[STORE_SPACES];
};

err store_inspect_open(struct store_inspect **out_inspect, struct env *env, const char *directory,
                       struct err_note *note)
{
    struct store_inspect *inspect = mem_calloc(1, sizeof(*inspect));
    struct checkpoint_options options = {
        .env = env,
        .directory = directory,
        .is_read_only = true,
    };
    err e = store_checkpoint_open(&inspect->checkpoint, &options, note);
    if (e != OK) {
        mem_free(inspect);
        return e;
    }
    *out_inspect = inspect;
    return OK;
}

void store_inspect_close(struct store_inspect *inspect)
{
    if (inspect != NULL) {
        store_checkpoint_close(inspect->checkpoint);
        mem_free(inspect);
    }
}

const char *store_inspect_path(const struct store_inspect *inspect)
{
    return store_checkpoint_path(inspect->checkpoint);
}

/* ---- regions ---- */

struct region_walk {
    void (*each)(void *ctx, const struct store_region *region, err e);
    void *ctx;
};

static err on_region(void *ctx, region_id id, struct slice state)
{
    const struct region_walk *walk = ctx;
    struct store_region region = {.id = id};
    err e = store_region_decode(state, id, &region);
    walk->each(walk->ctx, &region, e);
    return OK;
}

err store_inspect_regions(struct store_inspect *inspect,
                          void (*each)(void *ctx, const struct store_region *region, err e),
                          void *ctx, struct err_note *note)
{
    struct region_walk walk = {.each = each, .ctx = ctx};
    err e = store_checkpoint_each_region(inspect->checkpoint, on_region, &walk);
    return e == OK ? OK
                   : err_note_set(note, e, "%s: the table of its regions cannot be read",
                                  store_inspect_path(inspect));
}

/* ---- records ---- */

struct record_walk {
    struct store_snapshot_sums *sums;
    enum store_space space;
    struct slice prefix;
    void (*each)(void *ctx, const struct store_inspect_record *record);
    void *ctx;
    size_t last_size;                        /* 0: there was none yet */
    uint8_t last[STORE_SYSTEM_KEY_SIZE_MAX]; /* key of a whole record */
};

/* What is wrong with a record that does not add up. */
static const char *fault_of(const struct store_inspect_record *told, enum store_space space)
{
    if (told->record == NULL) {
        return "its head does not match its checksum";
    }
    if (!store_record_is_of(told->record, space)) {
        return "it is a record of the other space";
    }
    if (told->record->value.size > VALUE_SIZE_CEILING) {
        return "its value is larger than one can be";
    }
    return "its value does not match its checksum";
}

static bool is_in_order(const struct record_walk *walk, struct slice key)
{
    return walk->last_size == 0 ||
           slice_compare((struct slice){walk->last, walk->last_size}, key) < 0;
}

static bool on_record(void *ctx, struct slice key, struct slice bytes)
{
    struct record_walk *walk = ctx;
    bool has_prefix = key.size >= walk->prefix.size &&
                      slice_equal((struct slice){key.data, walk->prefix.size}, walk->prefix);
    if (!has_prefix) {
        return false;
    }
    struct store_inspect_record told = {.space = walk->space, .key = key, .bytes = bytes};
    struct store_record record;
    if (key.size == 0 || key.size > store_key_size_max(walk->space)) {
        told.fault = "its key has a size that none can have";
    } else if (!is_in_order(walk, key)) {
        told.fault = "its key is not behind the one before it";
    } else {
        told.record = store_record_decode(bytes, key, &record) == OK ? &record : NULL;
        if (store_snapshot_sum(walk->sums, walk->space, key, bytes) != OK) {
            told.fault = fault_of(&told, walk->space);
        }
    }
    if (told.fault == NULL) {
        memcpy(walk->last, key.data, key.size);
        walk->last_size = key.size;
    }
    walk->each(walk->ctx, &told);
    return true;
}

err store_inspect_records(struct store_inspect *inspect, enum store_space space,
                          struct slice prefix,
                          void (*each)(void *ctx, const struct store_inspect_record *record),
                          void *ctx, struct err_note *note)
{
    struct record_walk walk = {
        .sums = &inspect->sums[space],
        .space = space,
        .prefix = prefix,
        .each = each,
        .ctx = ctx,
    };
    inspect->sums[space] = (struct store_snapshot_sums){0};
    err e = store_checkpoint_each(inspect->checkpoint, space, prefix, on_record, &walk);
    if (e == OK) {
        return OK;
    }
    struct writer key = {0};
    text_escape((struct slice){walk.last, walk.last_size}, &key);
    err_note_set(note, e, "%s: a page behind the key \"%.*s\" cannot be read",
                 store_inspect_path(inspect), (int)key.size, (const char *)key.data);
    writer_deinit(&key);
    return e;
}

bool store_inspect_agrees(const struct store_inspect *inspect, const struct store_region *region,
                          struct err_note *note)
{
    /* Of a walk over one space the other's part is zero. */
    struct store_snapshot_sums sums = inspect->sums[STORE_SPACE_USER];
    sums.system_keys = inspect->sums[STORE_SPACE_SYSTEM].system_keys;
    sums.system_bytes = inspect->sums[STORE_SPACE_SYSTEM].system_bytes;
    sums.state_hash = hash128_add(sums.state_hash, inspect->sums[STORE_SPACE_SYSTEM].state_hash);
    if (store_snapshot_sums_agree(&sums, region)) {
        return true;
    }
    (void)err_note_set(
        note, ERR_CORRUPT,
        "%s: region %" PRIu64 " has %" PRIu64 " keys of %" PRIu64 " bytes with values of %" PRIu64
        " bytes, %" PRIu64 " records of the system's of %" PRIu64 " bytes and hash %016" PRIx64
        "%016" PRIx64 "; the records that are whole are %" PRIu64 ", %" PRIu64 ", %" PRIu64
        ", %" PRIu64 ", %" PRIu64 ", %016" PRIx64 "%016" PRIx64,
        store_inspect_path(inspect), region->id, region->keys, region->key_bytes,
        region->value_bytes, region->system_keys, region->system_bytes, region->state_hash.high,
        region->state_hash.low, sums.keys, sums.key_bytes, sums.value_bytes, sums.system_keys,
        sums.system_bytes, sums.state_hash.high, sums.state_hash.low);
    return false;
}

/* ---- what was coming in ---- */

struct incoming_walk {
    struct env *env;
    const char *directory;
    void (*each)(void *ctx, const struct store_inspect_incoming *file);
    void *ctx;
};

static bool ends_with(const char *name, struct slice suffix)
{
    struct slice text = slice_from_text(name);
    return text.size >= suffix.size &&
           slice_equal((struct slice){text.data + text.size - suffix.size, suffix.size}, suffix);
}

/* Reads all of a complete one. */
static void read_incoming(const struct incoming_walk *walk, const char *path,
                          struct store_inspect_incoming *told)
{
    struct store_staged *staged = NULL;
    struct err_note note = {.text = ""};
    told->e = store_staged_open(walk->env, path, &staged, &note);
    if (told->e == OK) {
        told->region = store_staged_region(staged);
        enum store_space space;
        struct slice key;
        struct slice bytes;
        while ((told->e = store_staged_next(staged, &space, &key, &bytes)) == OK) {
            told->records++;
        }
        if (told->e == ERR_NOT_FOUND) {
            told->e = OK;
        } else {
            (void)err_note_set(&note, told->e, "%s: at offset %" PRIu64 ": %s", path,
                               store_staged_offset(staged),
                               told->e == ERR_DAMAGED ? "a chunk is damaged" : err_title(told->e));
        }
    }
    told->text = note.text;
    walk->each(walk->ctx, told);
    store_staged_close(staged);
}

static void on_incoming(void *ctx, const char *name)
{
    const struct incoming_walk *walk = ctx;
    struct store_inspect_incoming told = {
        .name = name,
        .is_complete = ends_with(name, SLICE_LITERAL(STORE_STAGED_SUFFIX)),
        .text = "",
    };
    if (told.is_complete) {
        struct writer path = {0};
        writer_format(&path, "%s/%s", walk->directory, name);
        writer_u8(&path, '\0');
        read_incoming(walk, (const char *)path.data, &told);
        writer_deinit(&path);
    } else if (ends_with(name, SLICE_LITERAL(STORE_UNSTAGED_SUFFIX))) {
        walk->each(walk->ctx, &told);
    }
}

err store_inspect_each_incoming(struct env *env, const char *directory,
                                void (*each)(void *ctx, const struct store_inspect_incoming *file),
                                void *ctx, struct err_note *note)
{
    struct writer path = {0};
    writer_format(&path, "%s/incoming", directory);
    writer_u8(&path, '\0');
    struct incoming_walk walk = {
        .env = env,
        .directory = (const char *)path.data,
        .each = each,
        .ctx = ctx,
    };
    err e = env_dir_list(env, walk.directory, on_incoming, &walk);
    if (e == ERR_NO_FILE) {
        e = OK;
    } else if (e != OK) {
        err_note_set(note, e, "%s: cannot list: %s", walk.directory, err_title(e));
    }
    writer_deinit(&path);
    return e;
}
