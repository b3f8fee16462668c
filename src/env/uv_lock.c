/*
 * A lock file. flock decides, and lets go with the process however it ends; the process id inside
 * is for people only. The file stays when the lock goes: removing it would race with the next
 * taker.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/errno.h"
#include "env/uv.h"
#include "env/uv_int.h"

#define FILE_MODE 0600
#define PID_TEXT_SIZE 24

struct env_lock {
    int fd;
};

/* "process 123", or "another process" if the file does not say. */
static err say_busy(int fd, const char *path, struct err_note *note)
{
    char pid[PID_TEXT_SIZE];
    ssize_t size = pread(fd, pid, sizeof(pid) - 1, 0);
    pid[size > 0 ? size : 0] = '\0';
    pid[strspn(pid, "0123456789")] = '\0';
    if (pid[0] == '\0') {
        return err_note_set(note, ERR_BUSY, "%s is locked by another process", path);
    }
    return err_note_set(note, ERR_BUSY, "%s is locked by process %s", path, pid);
}

static err write_pid(int fd)
{
    char text[PID_TEXT_SIZE];
    int size = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0) {
        return env_err_of_errno(errno);
    }
    ssize_t count = pwrite(fd, text, (size_t)size, 0);
    return count == size ? OK : env_err_of_errno(count < 0 ? errno : ENOSPC);
}

static err take(int fd, int how, const char *path, struct err_note *note)
{
    int status;
    do {
        status = flock(fd, how | LOCK_NB);
    } while (status != 0 && errno == EINTR);
    if (status == 0) {
        return OK;
    }
    int cause = errno;
    return cause == EWOULDBLOCK ? say_busy(fd, path, note)
                                : err_note_set(note, env_err_of_errno(cause), "lock %s: %s", path,
                                               env_status_text(-cause));
}

static struct env_lock *lock_of(int fd)
{
    struct env_lock *lock = mem_alloc(sizeof(*lock));
    lock->fd = fd;
    return lock;
}

err env_uv_lock_share(const char *path, struct env_lock **out_lock, struct err_note *note)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int cause = errno;
        return err_note_set(note, env_err_of_errno(cause), "open %s: %s", path,
                            env_status_text(-cause));
    }
    err e = take(fd, LOCK_SH, path, note);
    if (e != OK) {
        (void)close(fd);
        return e;
    }
    *out_lock = lock_of(fd);
    return OK;
}

err env_lock_take(struct env *env, const char *path, struct env_lock **out_lock,
                  struct err_note *note)
{
    (void)env;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
    if (fd < 0) {
        int cause = errno;
        return err_note_set(note, env_err_of_errno(cause), "open %s: %s", path,
                            env_status_text(-cause));
    }
    err e = take(fd, LOCK_EX, path, note);
    if (e == OK) {
        e = write_pid(fd);
        if (e != OK) {
            err_note_set(note, e, "write %s: %s", path, err_title(e));
        }
    }
    if (e != OK) {
        (void)close(fd);
        return e;
    }
    *out_lock = lock_of(fd);
    return OK;
}

void env_lock_release(struct env_lock *lock)
{
    if (lock != NULL) {
        ASSERT(lock->fd >= 0);
        (void)close(lock->fd);
        mem_free(lock);
    }
}
