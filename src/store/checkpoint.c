#include "store/checkpoint.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "env/errno.h"
#include "store/checkpoint_int.h"
#include "store/distrust.h"
#include "store/record.h"

#define FORMAT_VERSION 1u
#define FORMAT_KEY "format"
#define FORMAT_SIZE 8u

/* Map sizes are multiples of it: of every page size there is. */
#define MAP_UNIT (64u << 10)
#define FILE_MODE 0600

/* LMDB's meta page, as far as we look at it before LMDB trusts it (data version 1, 64 bits). */
#define META_MAGIC_OFFSET 16u
#define META_MAGIC 0xBEEFC0DEu
#define META_PAGE_SIZE_OFFSET 40u
#define META_HEAD_SIZE 44u
#define PAGE_SIZE_MIN 256u
#define PAGE_SIZE_MAX (32u << 10)

/* The databases, by enum store_space. */
static const char *const space_names[STORE_SPACES] = {"data", "system"};

/* ---- LMDB's errors ---- */

/* P5. */
static _Noreturn void die_of_damage(const struct checkpoint *checkpoint, const char *what)
{
    if (checkpoint->is_read_only) {
        fatal(0, "%s is damaged (%s): %s", checkpoint->path, what, STORE_DAMAGE_ADVICE);
    }
    store_end_damaged(checkpoint->env, checkpoint->directory, what);
}

/* LMDB's words for pages that make no sense. */
static bool is_damage(int status)
{
    return status == MDB_CORRUPTED || status == MDB_PAGE_NOTFOUND || status == MDB_INVALID ||
           status == MDB_CURSOR_FULL || status == MDB_PAGE_FULL;
}

void store_checkpoint_die(const struct checkpoint *checkpoint, const char *what, int status)
{
    if (status > 0) {
        fatal(status, "%s %s", what, checkpoint->path);
    }
    if (is_damage(status)) {
        die_of_damage(checkpoint, mdb_strerror(status));
    }
    fatal(0, "%s %s: %s; if it happens again: %s", what, checkpoint->path, mdb_strerror(status),
          STORE_DAMAGE_ADVICE);
}

/* P5. LMDB aborts after it: this is the clearer end. */
static void on_lmdb_assert(MDB_env *mdb, const char *message)
{
    die_of_damage(mdb_env_get_userctx(mdb), message);
}

static err damaged(const struct checkpoint *checkpoint, struct err_note *note, const char *what)
{
    return err_note_set(note, ERR_DAMAGED, "%s: %s: %s", checkpoint->path, what,
                        STORE_DAMAGE_ADVICE);
}

/* What LMDB's code means at opening. */
static err open_failed(const struct checkpoint *checkpoint, struct err_note *note, int status)
{
    if (status == ENOMEM) {
        return err_note_set(note, ERR_IO,
                            "%s: it cannot be mapped: address space or memory is short",
                            checkpoint->path);
    }
    if (status > 0) {
        return err_note_set(note, env_err_of_errno(status), "open %s: %s", checkpoint->path,
                            strerrordesc_np(status));
    }
    return damaged(checkpoint, note, mdb_strerror(status));
}

/* ---- the reader, the map ---- */

void store_checkpoint_reader_renew(struct checkpoint *checkpoint)
{
    mdb_txn_reset(checkpoint->reader);
    int status = mdb_txn_renew(checkpoint->reader);
    for (size_t i = 0; status == 0 && i < STORE_SPACES; i++) {
        if (checkpoint->places[i] != NULL) {
            status = mdb_cursor_renew(checkpoint->reader, checkpoint->places[i]);
        }
    }
    if (status != 0) {
        store_checkpoint_die(checkpoint, "read", status);
    }
}

/* P4. */
static err file_extend(struct checkpoint *checkpoint, uint64_t size)
{
    uint64_t current;
    err e = env_file_size(checkpoint->file, &current);
    if (e == OK && current < size) {
        e = env_file_truncate(checkpoint->file, size);
    }
    return e;
}

/* P3. Without its map the store is nothing: a failure is the end. */
static void map_resize(struct checkpoint *checkpoint, uint64_t size)
{
    ASSERT(size % MAP_UNIT == 0);
    ASSERT(size > checkpoint->figures.map_size_bytes);
    store_checkpoint_readers_cut(checkpoint);
    mdb_txn_reset(checkpoint->reader);
    int status = mdb_env_set_mapsize(checkpoint->mdb, size);
    if (status != 0) {
        store_checkpoint_die(checkpoint, "map", status);
    }
    err e = file_extend(checkpoint, size);
    if (e != OK) {
        fatal(0, "extend %s: %s", checkpoint->path, err_title(e));
    }
    checkpoint->figures.map_size_bytes = size;
    store_checkpoint_reader_renew(checkpoint);
}

uint64_t store_checkpoint_copied_bytes(const struct checkpoint *checkpoint,
                                       const struct store_tails *tails)
{
    uint64_t pages = 0;
    for (size_t i = 0; i < STORE_SPACES; i++) {
        /* Each leaf that changes is written anew, and a part of the branches above. */
        uint64_t count = tails->of[i] != NULL ? store_tail_count(tails->of[i]) : 0;
        uint64_t leaves = count < checkpoint->leaf_pages[i] ? count : checkpoint->leaf_pages[i];
        pages += leaves + leaves / 4;
    }
    return pages * checkpoint->page_size;
}

/* Upper bound of the bytes by which writing the batch makes the file longer. */
static uint64_t need_of(const struct checkpoint *checkpoint, const struct checkpoint_batch *batch)
{
    /*
     * A split leaves pages half full, and a value that just does not fit has pages of its own:
     * twice. store_tails_bytes is more than the records' own size.
     */
    uint64_t bytes = store_tails_bytes(&batch->tails);
    for (size_t i = 0; i < batch->region_count; i++) {
        bytes += batch->regions[i].state.size;
    }
    uint64_t copied = store_checkpoint_copied_bytes(checkpoint, &batch->tails);
    return 2 * bytes + copied + CHECKPOINT_NEED_SLACK;
}

static uint64_t pages_of(const MDB_stat *stat)
{
    return stat->ms_branch_pages + stat->ms_leaf_pages + stat->ms_overflow_pages;
}

/* Reads never fail here: the roots were read at opening. */
static MDB_stat stat_of(const struct checkpoint *checkpoint, MDB_dbi dbi)
{
    MDB_stat stat;
    int status = mdb_stat(checkpoint->reader, dbi, &stat);
    if (status != 0) {
        store_checkpoint_die(checkpoint, "read", status);
    }
    return stat;
}

static void figures_update(struct checkpoint *checkpoint)
{
    const MDB_dbi dbis[] = {0, 1, checkpoint->meta}; /* 0: free list, 1: names */
    uint64_t pages = 2;                              /* the meta pages */
    MDB_stat stat = {0};
    for (size_t i = 0; i < ARRAY_COUNT(dbis); i++) {
        stat = stat_of(checkpoint, dbis[i]);
        pages += pages_of(&stat);
    }
    uint64_t records[STORE_SPACES] = {0};
    for (size_t i = 0; i < (checkpoint->has_system ? STORE_SPACES : STORE_SPACE_SYSTEM); i++) {
        stat = stat_of(checkpoint, checkpoint->spaces[i]);
        pages += pages_of(&stat);
        records[i] = stat.ms_entries;
        checkpoint->leaf_pages[i] = stat.ms_leaf_pages;
    }
    MDB_envinfo info;
    (void)mdb_env_info(checkpoint->mdb, &info); /* fails only without an environment */
    checkpoint->page_size = stat.ms_psize;
    checkpoint->figures = (struct checkpoint_figures){
        .records = {records[STORE_SPACE_USER], records[STORE_SPACE_SYSTEM]},
        .map_size_bytes = info.me_mapsize,
        .size_bytes = (info.me_last_pgno + 1) * stat.ms_psize,
        .used_bytes = pages * stat.ms_psize,
    };
}

/* ---- opening ---- */

static char *join(const char *directory, const char *name)
{
    struct writer path = {0};
    writer_format(&path, "%s/%s", directory, name);
    writer_u8(&path, '\0');
    char *text = mem_strdup((const char *)path.data);
    writer_deinit(&path);
    return text;
}

/* LMDB divides by the page size that the file gives, and looks for the second meta page by it. */
static err check_page_size(struct checkpoint *checkpoint, struct err_note *note)
{
    uint64_t offset = 0;
    for (int i = 0; i < 2; i++) {
        uint8_t head[META_HEAD_SIZE];
        size_t size;
        err e = env_file_read(checkpoint->file, offset, head, sizeof(head), &size);
        if (e != OK) {
            return err_note_set(note, e, "read %s: %s", checkpoint->path, err_title(e));
        }
        uint32_t page_size = load_u32(head + META_PAGE_SIZE_OFFSET);
        bool is_power = (page_size & (page_size - 1)) == 0;
        if (size < sizeof(head) || load_u32(head + META_MAGIC_OFFSET) != META_MAGIC || !is_power ||
            page_size < PAGE_SIZE_MIN || page_size > PAGE_SIZE_MAX ||
            (i > 0 && offset != page_size)) {
            return damaged(checkpoint, note,
                           i == 0 ? "meta page 0 makes no sense" : "meta page 1 makes no sense");
        }
        offset = page_size;
    }
    return OK;
}

static err open_environment(struct checkpoint *checkpoint, const char *path, unsigned flags,
                            uint64_t map_size, struct err_note *note)
{
    int status = mdb_env_create(&checkpoint->mdb);
    if (status == 0) {
        status = mdb_env_set_userctx(checkpoint->mdb, checkpoint);
    }
    if (status == 0) {
        status = mdb_env_set_assert(checkpoint->mdb, on_lmdb_assert);
    }
    if (status == 0) {
        status = mdb_env_set_maxdbs(checkpoint->mdb, 1 + STORE_SPACES);
    }
    if (status == 0) {
        status = mdb_env_set_mapsize(checkpoint->mdb, map_size);
    }
    if (status == 0) {
        /* Full sync, and never MDB_WRITEMAP: on a full disk it faults. */
        status = mdb_env_open(checkpoint->mdb, path, flags, FILE_MODE);
    }
    if (status == 0) {
        int dead;
        status = mdb_reader_check(checkpoint->mdb, &dead);
    }
    return status == 0 ? OK : open_failed(checkpoint, note, status);
}

/* P4: by now nothing but the meta pages was touched. */
static err check_size(struct checkpoint *checkpoint, struct err_note *note)
{
    MDB_stat stat;
    MDB_envinfo info;
    uint64_t size;
    (void)mdb_env_stat(checkpoint->mdb, &stat); /* both fail only without an environment */
    (void)mdb_env_info(checkpoint->mdb, &info);
    err e = env_file_size(checkpoint->file, &size);
    if (e != OK) {
        return err_note_set(note, e, "size of %s: %s", checkpoint->path, err_title(e));
    }
    if (info.me_last_pgno >= size / stat.ms_psize) {
        return damaged(checkpoint, note, "it is shorter than its meta page says: it has been cut");
    }
    uint64_t map_size = info.me_mapsize > size ? info.me_mapsize : size;
    map_size = (map_size + MAP_UNIT - 1) / MAP_UNIT * MAP_UNIT;
    int status = map_size > info.me_mapsize ? mdb_env_set_mapsize(checkpoint->mdb, map_size) : 0;
    if (status != 0) {
        return open_failed(checkpoint, note, status);
    }
    if (checkpoint->is_read_only) {
        return OK;
    }
    e = file_extend(checkpoint, map_size);
    return e == OK ? OK : err_note_set(note, e, "extend %s: %s", checkpoint->path, err_title(e));
}

static uint32_t format_crc(const uint8_t *format)
{
    uint32_t crc = crc32c(0, FORMAT_KEY, strlen(FORMAT_KEY));
    return crc32c(crc, format, 4);
}

static int put_format(struct checkpoint *checkpoint, MDB_txn *txn)
{
    uint8_t format[FORMAT_SIZE];
    store_u32(format, FORMAT_VERSION);
    store_u32(format + 4, format_crc(format));
    MDB_val key = val_of(SLICE_LITERAL(FORMAT_KEY));
    MDB_val value = val_of((struct slice){format, sizeof(format)});
    return mdb_put(txn, checkpoint->meta, &key, &value, 0);
}

/* Makes the file that is open ours, durably, with the meta pages that LMDB has not synced yet. */
static err create_databases(struct checkpoint *checkpoint, struct err_note *note)
{
    MDB_txn *txn;
    int status = mdb_txn_begin(checkpoint->mdb, NULL, 0, &txn);
    if (status != 0) {
        return open_failed(checkpoint, note, status);
    }
    for (size_t i = 0; status == 0 && i < STORE_SPACES; i++) {
        status = mdb_dbi_open(txn, space_names[i], MDB_CREATE, &checkpoint->spaces[i]);
    }
    if (status == 0) {
        status = mdb_dbi_open(txn, "meta", MDB_CREATE, &checkpoint->meta);
    }
    if (status == 0) {
        status = put_format(checkpoint, txn);
    }
    if (status == 0) {
        status = mdb_txn_commit(txn);
    } else {
        mdb_txn_abort(txn);
    }
    return status == 0 ? OK : open_failed(checkpoint, note, status);
}

/* A file that is older than the system's space gets it, durably. The reader is open. */
static err add_system(struct checkpoint *checkpoint, struct err_note *note)
{
    store_checkpoint_map_fit(checkpoint, CHECKPOINT_NEED_SLACK);
    MDB_txn *txn;
    int status = mdb_txn_begin(checkpoint->mdb, NULL, 0, &txn);
    if (status != 0) {
        return open_failed(checkpoint, note, status);
    }
    status = mdb_dbi_open(txn, space_names[STORE_SPACE_SYSTEM], MDB_CREATE,
                          &checkpoint->spaces[STORE_SPACE_SYSTEM]);
    if (status == 0) {
        status = mdb_txn_commit(txn);
    } else {
        mdb_txn_abort(txn);
    }
    if (status != 0) {
        return open_failed(checkpoint, note, status);
    }
    checkpoint->has_system = true;
    store_checkpoint_refresh(checkpoint);
    return OK;
}

static err check_format(struct checkpoint *checkpoint, MDB_val value, struct err_note *note)
{
    const uint8_t *format = value.mv_data;
    if (value.mv_size != FORMAT_SIZE || load_u32(format + 4) != format_crc(format)) {
        return damaged(checkpoint, note, "its format record does not match its checksum");
    }
    if (load_u32(format) != FORMAT_VERSION) {
        return err_note_set(note, ERR_VERSION,
                            "%s has format %u, this program knows %u: start the version of pontoon "
                            "that wrote it",
                            checkpoint->path, load_u32(format), FORMAT_VERSION);
    }
    return OK;
}

static err find_databases(struct checkpoint *checkpoint, struct err_note *note)
{
    MDB_txn *txn;
    int status = mdb_txn_begin(checkpoint->mdb, NULL, MDB_RDONLY, &txn);
    if (status != 0) {
        return open_failed(checkpoint, note, status);
    }
    MDB_val key = val_of(SLICE_LITERAL(FORMAT_KEY));
    MDB_val value;
    status =
        mdb_dbi_open(txn, space_names[STORE_SPACE_USER], 0, &checkpoint->spaces[STORE_SPACE_USER]);
    if (status == 0) {
        status = mdb_dbi_open(txn, space_names[STORE_SPACE_SYSTEM], 0,
                              &checkpoint->spaces[STORE_SPACE_SYSTEM]);
        checkpoint->has_system = status == 0;
        status = status == MDB_NOTFOUND ? 0 : status; /* an older file */
    }
    if (status == 0) {
        status = mdb_dbi_open(txn, "meta", 0, &checkpoint->meta);
    }
    if (status == 0) {
        status = mdb_get(txn, checkpoint->meta, &key, &value);
    }
    err e =
        status == 0 ? check_format(checkpoint, value, note) : open_failed(checkpoint, note, status);
    if (e != OK) {
        mdb_txn_abort(txn);
        return e;
    }
    status = mdb_txn_commit(txn);
    return status == 0 ? OK : open_failed(checkpoint, note, status);
}

/*
 * P7. An earlier attempt's file is emptied, so that LMDB makes a new one of it. The owner's lock is
 * ours: LMDB needs none of its own.
 */
static err make_file(const struct checkpoint *checkpoint, uint64_t map_size, struct err_note *note)
{
    struct checkpoint draft = {.env = checkpoint->env,
                               .directory = checkpoint->directory,
                               .path = join(checkpoint->directory, "new.mdb")};
    err e = env_file_open(draft.env, draft.path,
                          ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_TRUNCATE, &draft.file, note);
    if (e == OK) {
        e = open_environment(&draft, draft.path, MDB_NOSUBDIR | MDB_NOLOCK, map_size, note);
    }
    if (e == OK) {
        e = create_databases(&draft, note);
    }
    mdb_env_close(draft.mdb);
    env_file_close(draft.file);
    if (e == OK) {
        e = env_rename(draft.env, draft.path, checkpoint->path);
        if (e != OK) {
            err_note_set(note, e, "rename %s to %s: %s", draft.path, checkpoint->path,
                         err_title(e));
        }
    }
    mem_free(draft.path);
    return e;
}

/* The data file; ERR_NO_FILE: there is none, or an empty one, which is as good. */
static err open_file(struct checkpoint *checkpoint, struct err_note *note)
{
    unsigned flags = ENV_OPEN_READ | (checkpoint->is_read_only ? 0 : ENV_OPEN_WRITE);
    err e = env_file_open(checkpoint->env, checkpoint->path, flags, &checkpoint->file, note);
    if (e != OK) {
        return e;
    }
    uint64_t size;
    e = env_file_size(checkpoint->file, &size);
    if (e != OK) {
        return err_note_set(note, e, "size of %s: %s", checkpoint->path, err_title(e));
    }
    if (size == 0) {
        env_file_close(checkpoint->file);
        checkpoint->file = NULL;
        return err_note_set(note, ERR_NO_FILE, "%s is empty", checkpoint->path);
    }
    return OK;
}

/* The file's name in its directory, and that one's in its own: also when it was there already, for
 * whoever has made it may have ended before this. */
static err sync_names(struct checkpoint *checkpoint, struct err_note *note)
{
    char *parent = join(checkpoint->directory, "..");
    err e = env_dir_sync(checkpoint->env, checkpoint->directory);
    e = e == OK ? env_dir_sync(checkpoint->env, parent) : e;
    mem_free(parent);
    return e == OK ? OK
                   : err_note_set(note, e, "sync directory %s: %s", checkpoint->directory,
                                  err_title(e));
}

/* The lock, the data file, and what can be told of it before LMDB has a look. */
static err open_files(struct checkpoint *checkpoint, uint64_t map_size, struct err_note *note)
{
    err e;
    if (checkpoint->is_read_only) {
        e = open_file(checkpoint, note);
        return e == OK ? check_page_size(checkpoint, note) : e;
    }
    e = env_dir_create(checkpoint->env, checkpoint->directory, note);
    if (e != OK) {
        return e;
    }
    char *lock_path = join(checkpoint->directory, "owner.lock");
    e = env_lock_take(checkpoint->env, lock_path, &checkpoint->lock, note);
    mem_free(lock_path);
    if (e == OK) {
        e = store_check_trust(checkpoint->env, checkpoint->directory, note);
    }
    if (e != OK) {
        return e;
    }
    e = open_file(checkpoint, note);
    if (e == ERR_NO_FILE) {
        e = make_file(checkpoint, map_size, note);
        e = e == OK ? open_file(checkpoint, note) : e;
    }
    e = e == OK ? sync_names(checkpoint, note) : e;
    return e == OK ? check_page_size(checkpoint, note) : e;
}

err store_checkpoint_open(struct checkpoint **out_checkpoint,
                          const struct checkpoint_options *options, struct err_note *note)
{
    struct checkpoint *checkpoint = mem_calloc(1, sizeof(*checkpoint));
    list_init(&checkpoint->readers);
    checkpoint->env = options->env;
    checkpoint->is_read_only = options->is_read_only;
    checkpoint->directory = mem_strdup(options->directory);
    checkpoint->path = join(options->directory, "data.mdb");
    uint64_t map_size = (options->map_size_bytes + MAP_UNIT - 1) / MAP_UNIT * MAP_UNIT;
    err e = open_files(checkpoint, map_size, note);
    if (e == OK) {
        unsigned flags = MDB_NOTLS | (options->is_read_only ? MDB_RDONLY | MDB_NOLOCK : 0);
        e = open_environment(checkpoint, checkpoint->directory, flags, map_size, note);
    }
    if (e == OK) {
        e = check_size(checkpoint, note);
    }
    if (e == OK) {
        e = find_databases(checkpoint, note);
    }
    int status = 0;
    if (e == OK) {
        status = mdb_txn_begin(checkpoint->mdb, NULL, MDB_RDONLY, &checkpoint->reader);
        e = status == 0 ? OK : open_failed(checkpoint, note, status);
    }
    if (e == OK) {
        figures_update(checkpoint);
        e = checkpoint->has_system || options->is_read_only ? OK : add_system(checkpoint, note);
    }
    if (e != OK) {
        store_checkpoint_close(checkpoint);
        return e;
    }
    *out_checkpoint = checkpoint;
    return OK;
}

void store_checkpoint_close(struct checkpoint *checkpoint)
{
    if (checkpoint == NULL) {
        return;
    }
    ASSERT(list_is_empty(&checkpoint->readers));
    for (size_t i = 0; i < STORE_SPACES; i++) {
        if (checkpoint->places[i] != NULL) {
            mdb_cursor_close(checkpoint->places[i]);
        }
    }
    if (checkpoint->reader != NULL) {
        mdb_txn_abort(checkpoint->reader);
    }
    if (checkpoint->mdb != NULL) {
        mdb_env_close(checkpoint->mdb);
    }
    env_file_close(checkpoint->file);
    env_lock_release(checkpoint->lock);
    mem_free(checkpoint->path);
    mem_free(checkpoint->directory);
    mem_free(checkpoint);
}

const char *store_checkpoint_path(const struct checkpoint *checkpoint)
{
    return checkpoint->path;
}

/* ---- writing ---- */

void store_checkpoint_map_fit(struct checkpoint *checkpoint, uint64_t need)
{
    uint64_t size = checkpoint->figures.map_size_bytes;
    uint64_t end = checkpoint->figures.size_bytes + need;
    while (size < end) {
        size *= 2;
    }
    if (size > checkpoint->figures.map_size_bytes) {
        map_resize(checkpoint, size);
    }
}

void store_checkpoint_reserve(struct checkpoint *checkpoint, const struct checkpoint_batch *batch)
{
    store_checkpoint_map_fit(checkpoint, need_of(checkpoint, batch));
}

void store_checkpoint_grow(struct checkpoint *checkpoint)
{
    map_resize(checkpoint, 2 * checkpoint->figures.map_size_bytes);
}

static int write_entry(MDB_cursor *cursor, const struct store_tail_entry *entry)
{
    struct slice key = {entry->key, entry->key_size};
    MDB_val mdb_key = val_of(key);
    if (entry->is_tombstone) {
        int status = mdb_cursor_get(cursor, &mdb_key, NULL, MDB_SET);
        if (status == 0) {
            status = mdb_cursor_del(cursor, 0);
        }
        return status == MDB_NOTFOUND ? 0 : status;
    }
    MDB_val value = {.mv_size = store_record_size(&entry->record)};
    int status = mdb_cursor_put(cursor, &mdb_key, &value, MDB_RESERVE);
    if (status == 0) {
        store_record_encode(&entry->record, key, value.mv_data);
    }
    return status;
}

static int write_tail(MDB_txn *txn, MDB_dbi dbi, const struct store_tail *tail)
{
    MDB_cursor *cursor;
    int status = mdb_cursor_open(txn, dbi, &cursor);
    if (status != 0) {
        return status;
    }
    struct store_tail_cursor place = store_tail_seek(tail, SLICE_EMPTY);
    const struct store_tail_entry *entry = store_tail_next(&place);
    while (status == 0 && entry != NULL) {
        status = write_entry(cursor, entry);
        entry = store_tail_next(&place);
    }
    mdb_cursor_close(cursor);
    return status;
}

static int write_regions(struct checkpoint *checkpoint, MDB_txn *txn,
                         const struct checkpoint_batch *batch)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < batch->region_count; i++) {
        uint8_t bytes[CHECKPOINT_REGION_KEY_SIZE];
        MDB_val key = val_of(store_checkpoint_region_key(batch->regions[i].id, bytes));
        MDB_val value = val_of(batch->regions[i].state);
        status = mdb_put(txn, checkpoint->meta, &key, &value, 0);
    }
    return status;
}

/*
 * LMDB says EIO for a short write too, which is how most file systems begin to be full. The one
 * that is about space can be told from the one that is about the device: whether the file can be
 * given what the transaction needed. The last byte is written for the limits that reserving does
 * not look at (RLIMIT_FSIZE); the page it is in belongs to nobody.
 */
static bool is_full(struct checkpoint *checkpoint, uint64_t need)
{
    uint64_t end = checkpoint->figures.size_bytes + need;
    uint8_t zero = 0;
    struct iovec part = {&zero, 1};
    err e = env_file_allocate(checkpoint->file, end);
    if (e == OK) {
        e = env_file_write(checkpoint->file, end - 1, &part, 1);
    }
    return e == ERR_NO_SPACE;
}

err store_checkpoint_write_failed(struct checkpoint *checkpoint, uint64_t need, int status)
{
    switch (status) {
    case MDB_MAP_FULL:
        return ERR_MAP_FULL;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERR_NO_SPACE;
    case EIO:
        if (is_full(checkpoint, need)) {
            return ERR_NO_SPACE;
        }
        break;
    default:
        break;
    }
    store_checkpoint_die(checkpoint, "write", status);
}

err store_checkpoint_write(struct checkpoint *checkpoint, const struct checkpoint_batch *batch)
{
    MDB_txn *txn;
    int status = mdb_txn_begin(checkpoint->mdb, NULL, 0, &txn);
    if (status != 0) {
        return store_checkpoint_write_failed(checkpoint, need_of(checkpoint, batch), status);
    }
    for (size_t i = 0; status == 0 && i < STORE_SPACES; i++) {
        const struct store_tail *tail = batch->tails.of[i];
        if (tail != NULL && store_tail_count(tail) > 0) {
            status = write_tail(txn, checkpoint->spaces[i], tail);
        }
    }
    if (status == 0) {
        status = write_regions(checkpoint, txn, batch);
    }
    if (status != 0) {
        mdb_txn_abort(txn);
        return store_checkpoint_write_failed(checkpoint, need_of(checkpoint, batch), status);
    }
    status = mdb_txn_commit(txn);
    return status == 0
               ? OK
               : store_checkpoint_write_failed(checkpoint, need_of(checkpoint, batch), status);
}

void store_checkpoint_refresh(struct checkpoint *checkpoint)
{
    store_checkpoint_reader_renew(checkpoint);
    figures_update(checkpoint);
}

struct checkpoint_figures store_checkpoint_figures(const struct checkpoint *checkpoint)
{
    return checkpoint->figures;
}
