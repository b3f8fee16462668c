/* env/env.h's files and directories on a simulated disk: what they take, and how they fail. */
#include <errno.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "sim/node_env.h"

struct env_file {
    struct env *env;
    struct inode *inode;
};

struct env_lock {
    struct env *env;
};

static err no_file(const char *path, struct err_note *note)
{
    return err_note_set(note, ERR_NO_FILE, "open %s: no such file", path);
}

/* Mapped are the files of LMDB, which reads through the map. */
static bool is_mapped(const char *path)
{
    size_t size = strlen(path);
    return size > 4 && strcmp(path + size - 4, ".mdb") == 0;
}

err env_file_open(struct env *env, const char *path, unsigned flags, struct env_file **out_file,
                  struct err_note *note)
{
    struct disk *disk = env->host->disk;
    struct inode *inode = disk_find(disk, path);
    if (inode == NULL) {
        if ((flags & ENV_OPEN_CREATE) == 0) {
            return no_file(path, note);
        }
        env_sim_effect(env);
        inode = disk_create(disk, path, is_mapped(path));
    } else if ((flags & ENV_OPEN_EXCLUSIVE) != 0) {
        return err_note_set(note, ERR_EXISTS, "open %s: it is there already", path);
    } else if ((flags & ENV_OPEN_TRUNCATE) != 0) {
        env_sim_effect(env);
        inode_resize(inode, 0);
    }
    struct env_file *file = mem_alloc(sizeof(*file));
    *file = (struct env_file){env, inode_ref(inode)};
    *out_file = file;
    return OK;
}

void env_file_close(struct env_file *file)
{
    if (file != NULL) {
        inode_unref(file->inode);
        mem_free(file);
    }
}

err env_file_read(struct env_file *file, uint64_t offset, void *target, size_t size,
                  size_t *out_size)
{
    *out_size = inode_read(file->inode, offset, target, size);
    return OK;
}

err env_file_write(struct env_file *file, uint64_t offset, const struct iovec *parts,
                   int part_count)
{
    struct env *env = file->env;
    size_t size = 0;
    for (int i = 0; i < part_count; i++) {
        size += parts[i].iov_len;
    }
    env_sim_effect(env);
    env_sim_spend(env, env_sim_write_ns(env, size));
    if (env_sim_is_full(env, file->inode, offset + size)) {
        errno = ENOSPC;
        return ERR_NO_SPACE;
    }
    /* One write as the disk sees it: a crash inside keeps sectors of it, not parts. */
    uint8_t *bytes = mem_alloc(size);
    size_t filled = 0;
    for (int i = 0; i < part_count; i++) {
        if (parts[i].iov_len > 0) {
            memcpy(bytes + filled, parts[i].iov_base, parts[i].iov_len);
            filled += parts[i].iov_len;
        }
    }
    inode_write(file->inode, offset, (struct slice){bytes, size}, false);
    mem_free(bytes);
    return OK;
}

err env_file_sync(struct env_file *file)
{
    struct env *env = file->env;
    env_sim_effect(env);
    if (env_sim_sync_fails(env)) {
        inode_sync_failed(file->inode);
        errno = EIO;
        return ERR_IO;
    }
    env_sim_spend(env, env_sim_sync_ns(env));
    inode_sync(file->inode);
    return OK;
}

err env_file_size(struct env_file *file, uint64_t *out_size)
{
    *out_size = inode_size(file->inode);
    return OK;
}

err env_file_truncate(struct env_file *file, uint64_t size)
{
    env_sim_effect(file->env);
    inode_resize(file->inode, size);
    return OK;
}

err env_file_allocate(struct env_file *file, uint64_t size)
{
    env_sim_effect(file->env);
    if (env_sim_is_full(file->env, file->inode, size)) {
        errno = ENOSPC;
        return ERR_NO_SPACE;
    }
    inode_reserve(file->inode, size);
    return OK;
}

/* ---- names ---- */

err env_dir_create(struct env *env, const char *path, struct err_note *note)
{
    env_sim_effect(env);
    err e = disk_make_directory(env->host->disk, path);
    return e == OK ? OK : err_note_set(note, e, "create directory %s: no such directory", path);
}

err env_dir_sync(struct env *env, const char *path)
{
    env_sim_effect(env);
    if (env_sim_sync_fails(env)) {
        errno = EIO;
        return ERR_IO;
    }
    env_sim_spend(env, env_sim_sync_ns(env));
    return disk_sync_directory(env->host->disk, path);
}

err env_dir_list(struct env *env, const char *path, void (*each)(void *ctx, const char *name),
                 void *ctx)
{
    return disk_list(env->host->disk, path, each, ctx);
}

err env_rename(struct env *env, const char *source, const char *target)
{
    size_t size = strlen(target);
    if (size > 4 && strcmp(target + size - 4, ".seg") == 0) {
        sim_count(env->sim, SIM_SEGMENT_BEGUN, 1);
    }
    env_sim_effect(env);
    return disk_rename(env->host->disk, source, target);
}

err env_unlink(struct env *env, const char *path)
{
    env_sim_effect(env);
    return disk_unlink(env->host->disk, path);
}

/* One life at a time has the directory: what two processes would do is for the real tests. */
err env_lock_take(struct env *env, const char *path, struct env_lock **out_lock,
                  struct err_note *note)
{
    struct env_file *file;
    err e = env_file_open(env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE, &file, note);
    if (e != OK) {
        return e;
    }
    env_file_close(file);
    struct env_lock *lock = mem_alloc(sizeof(*lock));
    lock->env = env;
    *out_lock = lock;
    return OK;
}

void env_lock_release(struct env_lock *lock)
{
    mem_free(lock);
}
