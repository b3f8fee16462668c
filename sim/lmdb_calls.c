#include "sim/lmdb_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/assert.h"
#include "sim/node_env.h"

#define DESCRIPTORS_MAX 1024

/* What a descriptor that we gave out stands for; env NULL: none of ours. */
static struct {
    struct env *env;
    struct inode *inode; /* NULL: a lock file */
    bool is_durable;     /* O_DSYNC */
} descriptors[DESCRIPTORS_MAX];

static struct inode *inode_of(int fd)
{
    return fd >= 0 && fd < DESCRIPTORS_MAX ? descriptors[fd].inode : NULL;
}

/* NOLINTBEGIN(readability-identifier-naming): the linker's names */

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_close(int fd);
int __wrap_close(int fd);
ssize_t __real_pwrite(int fd, const void *bytes, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t offset);
ssize_t __real_writev(int fd, const struct iovec *parts, int part_count);
ssize_t __wrap_writev(int fd, const struct iovec *parts, int part_count);
ssize_t __real_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_ftruncate(int fd, off_t size);
int __wrap_ftruncate(int fd, off_t size);

static int remember(int fd, struct env *env, struct inode *inode, int flags)
{
    ASSERT(fd >= 0 && fd < DESCRIPTORS_MAX);
    descriptors[fd].env = env;
    descriptors[fd].inode = inode;
    descriptors[fd].is_durable = (flags & O_DSYNC) != 0;
    return fd;
}

int __wrap_open(const char *path, int flags, ...)
{
    struct env *env = env_sim_running();
    va_list args;
    va_start(args, flags);
    unsigned mode = (flags & O_CREAT) != 0 ? va_arg(args, unsigned) : 0;
    va_end(args);
    if (env == NULL) {
        return __real_open(path, flags, mode);
    }
    size_t size = strlen(path);
    if (size > 8 && strcmp(path + size - 8, "lock.mdb") == 0) {
        return remember(memfd_create("lock", MFD_CLOEXEC), env, NULL, flags);
    }
    struct inode *inode = disk_find(env->host->disk, path);
    if (inode == NULL) { /* production opens the data file by env_file_open first */
        errno = ENOENT;
        return -1;
    }
    return remember(inode_fd(inode), env, inode_ref(inode), flags);
}

int __wrap_close(int fd)
{
    if (fd >= 0 && fd < DESCRIPTORS_MAX && descriptors[fd].env != NULL) {
        inode_unref(descriptors[fd].inode);
        descriptors[fd].env = NULL;
        descriptors[fd].inode = NULL;
    }
    return __real_close(fd);
}

static ssize_t write_at(int fd, struct slice bytes, uint64_t offset)
{
    struct env *env = descriptors[fd].env;
    struct inode *inode = descriptors[fd].inode;
    env_sim_effect(env);
    env_sim_spend(env, env_sim_write_ns(env, bytes.size));
    if (env_sim_is_full(env, inode, offset + bytes.size)) {
        errno = ENOSPC;
        return -1;
    }
    if (descriptors[fd].is_durable) {
        if (env_sim_sync_fails(env)) { /* the page cache has it all the same */
            inode_write(inode, offset, bytes, false);
            inode_sync_failed(inode);
            errno = EIO;
            return -1;
        }
        env_sim_spend(env, env_sim_sync_ns(env));
    }
    inode_write(inode, offset, bytes, descriptors[fd].is_durable);
    return (ssize_t)bytes.size;
}

ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    if (inode_of(fd) == NULL) {
        return __real_pwrite(fd, bytes, size, offset);
    }
    return write_at(fd, (struct slice){bytes, size}, (uint64_t)offset);
}

/* At the descriptor's position, which LMDB has set by lseek on the memory file. */
ssize_t __wrap_writev(int fd, const struct iovec *parts, int part_count)
{
    if (inode_of(fd) == NULL) {
        return __real_writev(fd, parts, part_count);
    }
    off_t offset = lseek(fd, 0, SEEK_CUR);
    ssize_t total = 0;
    for (int i = 0; i < part_count; i++) {
        struct slice part = {parts[i].iov_base, parts[i].iov_len};
        ssize_t count = write_at(fd, part, (uint64_t)(offset + total));
        if (count < 0) {
            return total > 0 ? total : count;
        }
        total += count;
    }
    (void)lseek(fd, offset + total, SEEK_SET);
    return total;
}

ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
    if (inode_of(fd) == NULL) {
        return __real_write(fd, bytes, size);
    }
    struct iovec part = {(void *)(uintptr_t)bytes, size};
    return __wrap_writev(fd, &part, 1);
}

static int sync_inode(int fd)
{
    struct env *env = descriptors[fd].env;
    env_sim_effect(env);
    if (env_sim_sync_fails(env)) {
        inode_sync_failed(descriptors[fd].inode);
        errno = EIO;
        return -1;
    }
    env_sim_spend(env, env_sim_sync_ns(env));
    inode_sync(descriptors[fd].inode);
    return 0;
}

int __wrap_fdatasync(int fd)
{
    return inode_of(fd) == NULL ? __real_fdatasync(fd) : sync_inode(fd);
}

int __wrap_fsync(int fd)
{
    return inode_of(fd) == NULL ? __real_fsync(fd) : sync_inode(fd);
}

int __wrap_ftruncate(int fd, off_t size)
{
    struct inode *inode = inode_of(fd);
    if (inode == NULL) {
        return __real_ftruncate(fd, size);
    }
    env_sim_effect(descriptors[fd].env);
    inode_resize(inode, (uint64_t)size);
    return 0;
}

/* NOLINTEND(readability-identifier-naming) */

void lmdb_calls_end(struct env *env)
{
    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++) {
        if (descriptors[fd].env == env) {
            (void)__wrap_close(fd);
        }
    }
}
