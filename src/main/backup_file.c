#include "main/backup_file.h"

#include "base/assert.h"
#include "base/mem.h"
#include "main/out_file.h"

struct backup_file {
    struct out_file *out;
    struct store_backup_check check;
    err failure;
};

err main_backup_file_open(struct backup_file **out_file, struct env *env, const char *path,
                          struct err_note *note)
{
    struct out_file *out = NULL;
    err e = main_out_file_open(&out, env, path, note);
    if (e != OK) {
        return e;
    }
    struct backup_file *file = mem_calloc(1, sizeof(*file));
    file->out = out;
    *out_file = file;
    return OK;
}

bool main_backup_file_take(void *ctx, struct slice bytes)
{
    struct backup_file *file = ctx;
    ASSERT(file->failure == OK);
    file->failure = store_backup_take(&file->check, bytes);
    if (file->failure == OK) {
        file->failure = main_out_file_put(file->out, bytes);
    }
    return file->failure == OK;
}

uint64_t main_backup_file_size(const struct backup_file *file)
{
    return file->check.size_bytes;
}

err main_backup_file_finish(struct backup_file *file, struct store_backup *out_backup,
                            struct err_note *note)
{
    err e = file->failure;
    if (e == OK) {
        e = store_backup_finish(&file->check, out_backup);
    }
    if (e == OK) {
        e = main_out_file_finish(file->out);
    }
    if (e == ERR_DAMAGED) {
        return err_note_set(note, e,
                            "what came is no whole backup: it was cut, or changed on its "
                            "way");
    }
    if (e == ERR_VERSION) {
        return err_note_set(note, e, "the node is a newer pontoon: use that one");
    }
    return e == OK
               ? OK
               : err_note_set(note, e, "write %s: %s", main_out_file_name(file->out), err_title(e));
}

void main_backup_file_close(struct backup_file *file)
{
    if (file == NULL) {
        return;
    }
    main_out_file_close(file->out);
    store_backup_check_deinit(&file->check);
    mem_free(file);
}
