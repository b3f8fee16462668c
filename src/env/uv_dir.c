/* Directories and names. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "env/errno.h"
#include "env/uv_int.h"

#define DIR_MODE 0700

err env_dir_create(struct env *env, const char *path, struct err_note *note)
{
    (void)env;
    if (mkdir(path, DIR_MODE) == 0) {
        return OK;
    }
    int cause = errno;
    struct stat status;
    if (cause == EEXIST && stat(path, &status) == 0) {
        if (S_ISDIR(status.st_mode)) {
            return OK;
        }
        return err_note_set(note, ERR_EXISTS, "%s is not a directory", path);
    }
    cause = errno; /* what looking at it says, if it cannot be looked at */
    return err_note_set(note, env_err_of_errno(cause), "create directory %s: %s", path,
                        env_status_text(-cause));
}

err env_dir_sync(struct env *env, const char *path)
{
    (void)env;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return env_err_of_errno(errno);
    }
    err e = fsync(fd) == 0 ? OK : env_err_of_errno(errno);
    (void)close(fd);
    return e;
}

static int is_listed(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* scandir's alphasort would go by the locale. */
static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

err env_dir_list(struct env *env, const char *path, void (*each)(void *ctx, const char *name),
                 void *ctx)
{
    (void)env;
    struct dirent **entries;
    int count = scandir(path, &entries, is_listed, compare_names);
    if (count < 0) {
        return env_err_of_errno(errno);
    }
    for (int i = 0; i < count; i++) {
        each(ctx, entries[i]->d_name);
        mem_free(entries[i]);
    }
    mem_free(entries);
    return OK;
}

err env_rename(struct env *env, const char *source, const char *target)
{
    (void)env;
    return rename(source, target) == 0 ? OK : env_err_of_errno(errno);
}

err env_unlink(struct env *env, const char *path)
{
    (void)env;
    return unlink(path) == 0 ? OK : env_err_of_errno(errno);
}
