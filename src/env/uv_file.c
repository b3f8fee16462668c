/* Files, by plain system calls: whoever calls may block (E2). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/errno.h"
#include "env/uv_int.h"

#define FILE_MODE 0600

struct env_file {
    int fd;
};

static int flags_of(unsigned flags)
{
    ASSERT((flags & (ENV_OPEN_READ | ENV_OPEN_WRITE)) != 0);
    int result = O_CLOEXEC;
    if ((flags & ENV_OPEN_WRITE) == 0) {
        result |= O_RDONLY;
    } else {
        result |= (flags & ENV_OPEN_READ) != 0 ? O_RDWR : O_WRONLY;
    }
    result |= (flags & ENV_OPEN_CREATE) != 0 ? O_CREAT : 0;
    result |= (flags & ENV_OPEN_EXCLUSIVE) != 0 ? O_EXCL : 0;
    result |= (flags & ENV_OPEN_TRUNCATE) != 0 ? O_TRUNC : 0;
    return result;
}

err env_file_open(struct env *env, const char *path, unsigned flags, struct env_file **out_file,
                  struct err_note *note)
{
    (void)env;
    int fd;
    do {
        fd = open(path, flags_of(flags), FILE_MODE);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        int cause = errno;
        return err_note_set(note, env_err_of_errno(cause), "open %s: %s", path,
                            env_status_text(-cause));
    }
    struct env_file *file = mem_alloc(sizeof(*file));
    file->fd = fd;
    *out_file = file;
    return OK;
}

void env_file_close(struct env_file *file)
{
    if (file != NULL) {
        /* What had to be durable was synced; Linux has released the descriptor even on an error. */
        (void)close(file->fd);
        mem_free(file);
    }
}

err env_file_read(struct env_file *file, uint64_t offset, void *target, size_t size,
                  size_t *out_size)
{
    ASSERT(offset <= INT64_MAX - size);
    size_t done = 0;
    while (done < size) {
        ssize_t count =
            pread(file->fd, (uint8_t *)target + done, size - done, (off_t)(offset + done));
        if (count == 0) {
            break;
        }
        if (count > 0) {
            done += (size_t)count;
        } else if (errno != EINTR) {
            return env_err_of_errno(errno);
        }
    }
    *out_size = done;
    return OK;
}

/* Takes `size` written bytes off the front of `parts`; returns how many parts are done with. */
static int parts_advance(struct iovec *parts, int part_count, size_t size)
{
    int done = 0;
    while (done < part_count && size >= parts[done].iov_len) {
        size -= parts[done].iov_len;
        done++;
    }
    if (size > 0) {
        ASSERT(done < part_count);
        parts[done].iov_base = (uint8_t *)parts[done].iov_base + size;
        parts[done].iov_len -= size;
    }
    return done;
}

/* Writes all of `parts`, at most IOV_MAX, and uses them up. */
static err write_parts(struct env_file *file, uint64_t *offset, struct iovec *parts, int part_count)
{
    int done = parts_advance(parts, part_count, 0); /* empty parts in front */
    while (done < part_count) {
        ssize_t count = pwritev(file->fd, parts + done, part_count - done, (off_t)*offset);
        if (count > 0) {
            *offset += (uint64_t)count;
            done += parts_advance(parts + done, part_count - done, (size_t)count);
        } else if (count == 0) {
            return ERR_IO; /* cannot be: there is something to write */
        } else if (errno != EINTR) {
            return env_err_of_errno(errno);
        }
    }
    return OK;
}

err env_file_write(struct env_file *file, uint64_t offset, const struct iovec *parts,
                   int part_count)
{
    ASSERT(part_count >= 0);
    struct iovec rest[IOV_MAX]; /* a short write changes it */
    while (part_count > 0) {
        int count = part_count < IOV_MAX ? part_count : IOV_MAX;
        memcpy(rest, parts, (size_t)count * sizeof(*parts));
        err e = write_parts(file, &offset, rest, count);
        if (e != OK) {
            return e;
        }
        parts += count;
        part_count -= count;
    }
    return OK;
}

err env_file_sync(struct env_file *file)
{
    return fdatasync(file->fd) == 0 ? OK : env_err_of_errno(errno);
}

err env_file_size(struct env_file *file, uint64_t *out_size)
{
    struct stat status;
    if (fstat(file->fd, &status) != 0) {
        return env_err_of_errno(errno);
    }
    *out_size = (uint64_t)status.st_size;
    return OK;
}

err env_file_truncate(struct env_file *file, uint64_t size)
{
    ASSERT(size <= INT64_MAX);
    int status;
    do {
        status = ftruncate(file->fd, (off_t)size);
    } while (status != 0 && errno == EINTR);
    return status == 0 ? OK : env_err_of_errno(errno);
}

err env_file_allocate(struct env_file *file, uint64_t size)
{
    ASSERT(size > 0);
    ASSERT(size <= INT64_MAX);
    int cause;
    do {
        cause = posix_fallocate(file->fd, 0, (off_t)size);
    } while (cause == EINTR);
    return cause == 0 ? OK : env_err_of_errno(cause);
}
