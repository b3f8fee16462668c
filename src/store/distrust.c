#include "store/distrust.h"

#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mem.h"

#define WHY_SIZE_MAX 500u

static char *join(const char *directory, const char *name)
{
    struct writer path = {0};
    writer_format(&path, "%s/%s", directory, name);
    writer_u8(&path, '\0');
    char *text = mem_strdup((const char *)path.data);
    writer_deinit(&path);
    return text;
}

static err write_mark(struct env *env, const char *path, const char *why)
{
    struct env_file *file;
    err e =
        env_file_open(env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_TRUNCATE, &file, NULL);
    if (e != OK) {
        return e;
    }
    size_t size = strnlen(why, WHY_SIZE_MAX);
    struct iovec part = {(void *)(uintptr_t)why, size};
    e = size > 0 ? env_file_write(file, 0, &part, 1) : OK;
    e = e == OK ? env_file_sync(file) : e;
    env_file_close(file);
    return e;
}

err store_distrust(struct env *env, const char *directory, const char *why)
{
    char *path = join(directory, STORE_DISTRUST_NAME);
    err e = write_mark(env, path, why);
    e = e == OK ? env_dir_sync(env, directory) : e;
    mem_free(path);
    return e;
}

void store_end_damaged(struct env *env, const char *directory, const char *what)
{
    err e = store_distrust(env, directory, what);
    fatal(0, "%s is damaged (%s): %s", directory, what,
          e == OK
              ? "the next start rebuilds it from a peer, where there is one"
              : "and it cannot be marked as such: see to the disk and start it again; if it ends "
                "so once more, replace the node");
}

err store_check_trust(struct env *env, const char *directory, struct err_note *note)
{
    char *path = join(directory, STORE_DISTRUST_NAME);
    struct env_file *file;
    err e = env_file_open(env, path, ENV_OPEN_READ, &file, note);
    if (e == OK) {
        char why[WHY_SIZE_MAX + 1] = "";
        size_t size = 0;
        /* That it is there is enough: what it says is for people. */
        bool is_told = env_file_read(file, 0, why, WHY_SIZE_MAX, &size) == OK && size > 0;
        env_file_close(file);
        e = err_note_set(note, ERR_DAMAGED, "%s is marked as not to be trusted (%s)", directory,
                         is_told ? why : "it does not say why");
    } else if (e == ERR_NO_FILE) {
        e = OK;
    }
    mem_free(path);
    return e;
}

static err set_aside(struct env *env, const char *directory, const char *data, const char *aside,
                     const char *mark)
{
    err e = env_rename(env, data, aside);
    e = e == ERR_NO_FILE ? OK : e;
    if (e == OK) {
        e = env_dir_sync(env, directory);
    }
    if (e == OK) {
        e = env_unlink(env, mark);
        e = e == ERR_NO_FILE ? OK : e;
    }
    return e == OK ? env_dir_sync(env, directory) : e;
}

err store_set_aside(struct env *env, const char *directory, struct err_note *note)
{
    char *data = join(directory, "data.mdb");
    char *aside = join(directory, STORE_ASIDE_NAME);
    char *mark = join(directory, STORE_DISTRUST_NAME);
    err e = set_aside(env, directory, data, aside, mark);
    if (e != OK) {
        err_note_set(note, e, "set %s aside: %s", data, err_title(e));
    }
    mem_free(data);
    mem_free(aside);
    mem_free(mark);
    return e;
}
