#include "store/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"

#define PATH_SIZE 4096
#define NAME_SIZE 48
/* A block is cut behind the revision that reaches this, or a file's size. */
#define BLOCK_BYTES (256u << 10)

struct journal_file {
    uint64_t sequence;
    uint64_t through; /* the last revision that it tells of; 0: not known */
    uint64_t size;
};

struct store_journal {
    struct env *env;
    char *directory;
    region_id region;
    uint64_t file_bytes;
    struct journal_file *files; /* in the order of their sequence */
    size_t file_count;
    uint64_t next_sequence;
    struct env_file *current; /* the last of the files, if this life has made it (J2); or NULL */
    struct writer block;      /* of the part that is being appended; else empty */
};

/* ---- files ---- */

static void name_of(const struct store_journal *journal, uint64_t sequence, char name[NAME_SIZE])
{
    (void)snprintf(name, NAME_SIZE, "%016" PRIx64 "-%016" PRIx64, journal->region, sequence);
}

static void path_of(const struct store_journal *journal, uint64_t sequence, char path[PATH_SIZE])
{
    char name[NAME_SIZE];
    name_of(journal, sequence, name);
    int size = snprintf(path, PATH_SIZE, "%s/%s", journal->directory, name);
    ASSERT(size > 0);
    ASSERT(size < PATH_SIZE);
}

static struct journal_file *push(struct store_journal *journal, uint64_t sequence)
{
    journal->files = mem_realloc(journal->files, journal->file_count + 1, sizeof(*journal->files));
    struct journal_file *file = &journal->files[journal->file_count++];
    *file = (struct journal_file){.sequence = sequence};
    journal->next_sequence = sequence + 1;
    return file;
}

/* The lower-case hexadecimal number that a name ends with. */
static uint64_t sequence_in(const char *name)
{
    uint64_t sequence = 0;
    const char *digits = "0123456789abcdef";
    const char *at = strchr(name, '-');
    while (at != NULL && *++at != '\0' && strchr(digits, *at) != NULL) {
        sequence = sequence << 4 | (uint64_t)(strchr(digits, *at) - digits);
    }
    return sequence;
}

/* Only a name that is written as we would write it is ours. */
static void find(void *ctx, const char *name)
{
    struct store_journal *journal = ctx;
    char own[NAME_SIZE];
    uint64_t sequence = sequence_in(name);
    name_of(journal, sequence, own);
    if (strcmp(name, own) == 0) {
        (void)push(journal, sequence);
    }
}

/* Ends the process over a file system that takes nothing. */
static _Noreturn void die(const struct store_journal *journal, const char *what, err e)
{
    if (errno != 0) {
        fatal(errno, "history: %s in %s", what, journal->directory);
    }
    fatal(0, "history: %s in %s: %s", what, journal->directory, err_title(e));
}

err store_journal_open(struct store_journal **out_journal,
                       const struct store_journal_options *options, struct err_note *note)
{
    err e = env_dir_create(options->env, options->directory, note);
    if (e != OK) {
        return e;
    }
    struct store_journal *journal = mem_calloc(1, sizeof(*journal));
    journal->env = options->env;
    journal->directory = mem_strdup(options->directory);
    journal->region = options->region;
    journal->file_bytes = options->file_bytes != 0 ? options->file_bytes : STORE_JOURNAL_FILE_BYTES;
    journal->next_sequence = 1;
    e = env_dir_list(options->env, options->directory, find, journal);
    if (e != OK) {
        store_journal_close(journal);
        return err_note_set(note, e, "list %s: %s", options->directory, err_title(e));
    }
    *out_journal = journal;
    return OK;
}

void store_journal_close(struct store_journal *journal)
{
    if (journal == NULL) {
        return;
    }
    env_file_close(journal->current);
    mem_free(journal->files);
    mem_free(journal->directory);
    mem_free(journal);
}

uint64_t store_journal_bytes(const struct store_journal *journal)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < journal->file_count; i++) {
        bytes += journal->files[i].size;
    }
    return bytes;
}

/* ---- reading ---- */

/* All of a file. NULL: it cannot be read. Caller unrefs. */
static struct buf *load(const struct store_journal *journal, uint64_t sequence)
{
    char path[PATH_SIZE];
    path_of(journal, sequence, path);
    struct env_file *file = NULL;
    uint64_t size = 0;
    size_t read = 0;
    if (env_file_open(journal->env, path, ENV_OPEN_READ, &file, NULL) != OK) {
        return NULL;
    }
    struct buf *bytes = NULL;
    if (env_file_size(file, &size) == OK) {
        bytes = buf_new(size);
        if (env_file_read(file, 0, bytes->data, size, &read) != OK || read != size) {
            buf_drop(&bytes);
        }
    }
    env_file_close(file);
    return bytes;
}

static err tell(struct store_journal_block *block, const struct store_journal_reader *reader)
{
    struct store_journal_change told;
    reader->begin(reader->ctx, block->after);
    err e;
    while ((e = store_journal_block_next(block, &told)) == OK) {
        reader->change(reader->ctx, &told.change);
        buf_unref(told.record.owner);
    }
    if (e != ERR_NOT_FOUND) {
        return e;
    }
    reader->end(reader->ctx, block->through);
    return OK;
}

/* Up to the end, or what is torn or damaged: then false. */
static bool read_file(struct journal_file *file, struct slice bytes, region_id region,
                      const struct store_journal_reader *reader)
{
    if (!store_journal_header_is(bytes, region)) {
        return false;
    }
    size_t offset = STORE_JOURNAL_HEADER_SIZE;
    for (;;) {
        struct store_journal_block block;
        size_t size = 0;
        err e = store_journal_block_open((struct slice){bytes.data + offset, bytes.size - offset},
                                         &block, &size);
        if (e == OK) {
            e = tell(&block, reader);
        }
        if (e != OK) {
            return e == ERR_NOT_FOUND;
        }
        file->through = block.through;
        offset += size;
    }
}

uint32_t store_journal_read(struct store_journal *journal,
                            const struct store_journal_reader *reader)
{
    ASSERT(journal->current == NULL);
    uint32_t failed = 0;
    for (size_t i = 0; i < journal->file_count; i++) {
        struct journal_file *file = &journal->files[i];
        struct buf *bytes = load(journal, file->sequence);
        file->size = bytes != NULL ? bytes->size : 0;
        if (bytes == NULL || !read_file(file, buf_slice(bytes), journal->region, reader)) {
            failed++;
        }
        buf_unref(bytes);
    }
    return failed;
}

/* ---- writing ---- */

static err write_bytes(struct store_journal *journal, const uint8_t *bytes, size_t size)
{
    struct journal_file *file = &journal->files[journal->file_count - 1];
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
    err e = env_file_write(journal->current, file->size, &part, 1);
    file->size += e == OK ? size : 0;
    return e;
}

static err begin_file(struct store_journal *journal)
{
    char path[PATH_SIZE];
    uint8_t header[STORE_JOURNAL_HEADER_SIZE];
    env_file_close(journal->current);
    journal->current = NULL;
    path_of(journal, journal->next_sequence, path);
    err e = env_file_open(journal->env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE,
                          &journal->current, NULL);
    if (e != OK) {
        return e;
    }
    (void)push(journal, journal->next_sequence);
    store_journal_header_encode(journal->region, header);
    return write_bytes(journal, header, sizeof(header));
}

static void sync_file(const struct store_journal *journal)
{
    err e = env_file_sync(journal->current);
    if (e != OK) {
        die(journal, "sync", e);
    }
}

/* Behind it the current file is one that has room. */
static err make_room(struct store_journal *journal)
{
    if (journal->current != NULL) {
        if (journal->files[journal->file_count - 1].size < journal->file_bytes) {
            return OK;
        }
        sync_file(journal);
    }
    return begin_file(journal);
}

static err end_block(struct store_journal *journal, uint64_t through)
{
    err e = make_room(journal);
    if (e != OK) {
        return e;
    }
    store_journal_block_end(&journal->block, through);
    e = write_bytes(journal, journal->block.data, journal->block.size);
    journal->files[journal->file_count - 1].through = through;
    writer_reset(&journal->block);
    return e;
}

static bool is_cut(const struct store_journal *journal)
{
    return journal->block.size >= BLOCK_BYTES || journal->block.size >= journal->file_bytes;
}

static err write_blocks(struct store_journal *journal, const struct store_journal_part *part)
{
    struct store_change change;
    uint64_t revision = part->after;
    store_journal_block_begin(&journal->block, part->after);
    while (part->next(part->ctx, &change)) {
        if (change.revision > revision && is_cut(journal)) {
            err e = end_block(journal, revision);
            if (e != OK) {
                return e;
            }
            store_journal_block_begin(&journal->block, revision);
        }
        store_journal_block_add(&journal->block, &change);
        revision = change.revision;
    }
    ASSERT(revision <= part->through);
    return end_block(journal, part->through);
}

bool store_journal_append(struct store_journal *journal, const struct store_journal_part *part)
{
    uint64_t sequence = journal->next_sequence;
    errno = 0; /* what die says is of the call that failed */
    err e = write_blocks(journal, part);
    writer_deinit(&journal->block); /* one large revision should not keep it large */
    if (e == ERR_NO_SPACE) {
        (void)!store_journal_drop(journal); /* what cannot be removed says nothing that is wrong */
        return false;
    }
    if (e != OK) {
        die(journal, "write", e);
    }
    sync_file(journal);
    if (journal->next_sequence != sequence) {
        e = env_dir_sync(journal->env, journal->directory);
    }
    if (e != OK) {
        die(journal, "sync", e);
    }
    return true;
}

/* The first `count` files. The first that cannot be removed stays, with all behind it. */
static err remove_files(struct store_journal *journal, size_t count)
{
    size_t removed = 0;
    err e = OK;
    while (removed < count && e == OK) {
        char path[PATH_SIZE];
        path_of(journal, journal->files[removed].sequence, path);
        e = env_unlink(journal->env, path);
        e = e == ERR_NO_FILE ? OK : e;
        removed += e == OK ? 1 : 0;
    }
    journal->file_count -= removed;
    memmove(journal->files, journal->files + removed,
            journal->file_count * sizeof(*journal->files));
    return e;
}

void store_journal_trim(struct store_journal *journal, uint64_t oldest)
{
    size_t open = journal->current != NULL ? 1 : 0;
    size_t count = 0;
    while (count + open < journal->file_count && journal->files[count].through <= oldest) {
        count++;
    }
    if (count > 0) {
        (void)!remove_files(journal, count); /* with the next trim then */
    }
}

err store_journal_drop(struct store_journal *journal)
{
    env_file_close(journal->current);
    journal->current = NULL;
    if (journal->file_count == 0) {
        return OK;
    }
    err e = remove_files(journal, journal->file_count);
    return e == OK ? env_dir_sync(journal->env, journal->directory) : e;
}
