#include "main/out_file.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define TMP_SUFFIX ".tmp"

/* So that no sync keeps others on this disk waiting for long: a node may be among them. */
#define SYNC_BYTES (1u << 20)

struct out_file {
    struct env *env;
    char *path; /* NULL: standard output */
    char *tmp_path;
    struct env_file *file;
    uint64_t size;
    uint64_t synced_size;
};

static char *tmp_path_of(const char *path)
{
    struct writer text = {0};
    writer_format(&text, "%s" TMP_SUFFIX, path);
    writer_u8(&text, '\0');
    char *copy = mem_strdup((const char *)text.data);
    writer_deinit(&text);
    return copy;
}

err main_out_file_open(struct out_file **out_file, struct env *env, const char *path,
                       struct err_note *note)
{
    struct out_file *file = mem_calloc(1, sizeof(*file));
    file->env = env;
    if (path != NULL) {
        file->path = mem_strdup(path);
        file->tmp_path = tmp_path_of(path);
        err e =
            env_file_open(env, file->tmp_path, ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_TRUNCATE,
                          &file->file, note);
        if (e != OK) {
            mem_free(file->tmp_path); /* not ours */
            file->tmp_path = NULL;
            main_out_file_close(file);
            return e;
        }
    }
    *out_file = file;
    return OK;
}

err main_out_file_put(struct out_file *file, struct slice bytes)
{
    if (file->path == NULL) {
        bool is_written =
            bytes.size == 0 || fwrite(bytes.data, 1, bytes.size, stdout) == bytes.size;
        return is_written ? OK : ERR_IO;
    }
    struct iovec part = {(void *)(uintptr_t)bytes.data, bytes.size};
    err e = env_file_write(file->file, file->size, &part, 1);
    file->size += bytes.size;
    if (e == OK && file->size - file->synced_size >= SYNC_BYTES) {
        file->synced_size = file->size;
        e = env_file_sync(file->file);
    }
    return e;
}

/* The directory's entry must last, too. */
static err sync_directory(const struct out_file *file)
{
    const char *slash = strrchr(file->path, '/');
    if (slash == NULL) {
        return env_dir_sync(file->env, ".");
    }
    char *directory = mem_strdup(file->path);
    directory[slash == file->path ? 1 : slash - file->path] = '\0';
    err e = env_dir_sync(file->env, directory);
    mem_free(directory);
    return e;
}

err main_out_file_finish(struct out_file *file)
{
    if (file->path == NULL) {
        return fflush(stdout) == 0 ? OK : ERR_IO;
    }
    err e = env_file_sync(file->file);
    env_file_close(file->file);
    file->file = NULL;
    if (e == OK) {
        e = env_rename(file->env, file->tmp_path, file->path);
    }
    if (e == OK) {
        mem_free(file->tmp_path); /* it is not there any more */
        file->tmp_path = NULL;
        e = sync_directory(file);
    }
    return e;
}

const char *main_out_file_name(const struct out_file *file)
{
    return file->path == NULL ? "standard output" : file->path;
}

void main_out_file_close(struct out_file *file)
{
    if (file == NULL) {
        return;
    }
    env_file_close(file->file);
    if (file->tmp_path != NULL) {
        (void)!env_unlink(file->env, file->tmp_path);
    }
    mem_free(file->tmp_path);
    mem_free(file->path);
    mem_free(file);
}
