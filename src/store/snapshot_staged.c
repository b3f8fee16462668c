#include "base/mem.h"
#include "store/snapshot_int.h"

struct store_staged {
    struct env_file *file;
    uint64_t size;
    uint64_t offset;
    struct store_snapshot_check check;
    struct writer chunk;
    struct reader records; /* what is left of the chunk's */
};

/* Reads and checks the chunk at the offset. */
static err read_chunk(struct store_staged *staged)
{
    uint8_t head[STORE_SNAPSHOT_HEAD_SIZE];
    size_t read_size;
    size_t size;
    err e = env_file_read(staged->file, staged->offset, head, sizeof(head), &read_size);
    if (e != OK) {
        return e;
    }
    if (read_size < sizeof(head) || store_snapshot_chunk_size(head, &size) != OK ||
        size > staged->size - staged->offset) { /* so a head that lies costs no memory */
        return ERR_DAMAGED;
    }
    writer_reset(&staged->chunk);
    uint8_t *target = writer_extend(&staged->chunk, size);
    e = env_file_read(staged->file, staged->offset, target, size, &read_size);
    if (e != OK) {
        return e;
    }
    if (read_size < size) {
        return ERR_DAMAGED;
    }
    e = store_snapshot_check(&staged->check, writer_slice(&staged->chunk), &staged->records);
    if (e == OK) {
        staged->offset += size;
    }
    return e;
}

err store_staged_open(struct env *env, const char *path, struct store_staged **out_staged,
                      struct err_note *note)
{
    struct store_staged *staged = mem_calloc(1, sizeof(*staged));
    err e = env_file_open(env, path, ENV_OPEN_READ, &staged->file, note);
    if (e == OK) {
        e = env_file_size(staged->file, &staged->size);
        e = e == OK ? read_chunk(staged) : e;
        if (e == ERR_VERSION) {
            err_note_set(note, e, "%s was written by a newer pontoon", path);
        } else if (e != OK) {
            err_note_set(note, e, "read %s: %s", path,
                         e == ERR_DAMAGED ? "its header is damaged" : err_title(e));
        }
    }
    if (e != OK) {
        store_staged_close(staged);
        return e;
    }
    *out_staged = staged;
    return OK;
}

void store_staged_close(struct store_staged *staged)
{
    if (staged == NULL) {
        return;
    }
    env_file_close(staged->file);
    writer_deinit(&staged->chunk);
    mem_free(staged);
}

const struct store_region *store_staged_region(const struct store_staged *staged)
{
    return &staged->check.region;
}

uint64_t store_staged_size(const struct store_staged *staged)
{
    return staged->size;
}

uint64_t store_staged_offset(const struct store_staged *staged)
{
    return staged->offset;
}

err store_staged_next(void *ctx, enum store_space *out_space, struct slice *out_key,
                      struct slice *out_bytes)
{
    struct store_staged *staged = ctx;
    while (staged->records.size == 0) {
        if (staged->check.is_complete) {
            return staged->offset == staged->size ? ERR_NOT_FOUND : ERR_DAMAGED;
        }
        err e = read_chunk(staged);
        if (e != OK) {
            return e;
        }
    }
    *out_space = staged->check.space;
    bool is_record = store_snapshot_next_record(&staged->records, out_key, out_bytes);
    return is_record ? OK : ERR_DAMAGED; /* it cannot be: the payload was checked */
}
