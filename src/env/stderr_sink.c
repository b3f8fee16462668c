#include "env/stderr_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/crash.h"
#include "base/mem.h"

_Static_assert(LOG_LINE_SIZE_MAX <= PIPE_BUF, "a pipe that polls writable takes a line whole");
_Static_assert(STDERR_SINK_SIZE >= 2 * LOG_LINE_SIZE_MAX, "one line must not fill the sink");

struct env_stderr_sink {
    int fd;
    int own_fd; /* another open file description of the same pipe, non-blocking; or -1 */
    bool is_socket;
    struct env_timer retry; /* runs while anything waits */
    bool is_retrying;
    struct log *log;
    struct counter dropped;
    uint64_t dropped_reported;
    size_t size;
    char waiting[STDERR_SINK_SIZE]; /* the first byte may be in the middle of a line */
};

/*
 * Several processes may share the pipe: between our poll and our write another one can fill it. A
 * pipe can be opened a second time through /proc, and that description's flags are ours alone (D3).
 */
static int open_own(int fd)
{
    char path[32];
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
}

static void on_retry(struct env_timer *timer);

struct env_stderr_sink *env_stderr_sink_open(struct env *env, int fd)
{
    ASSERT(fd >= 0);
    struct env_stderr_sink *sink = mem_calloc(1, sizeof(*sink));
    struct stat status;
    bool is_known = fstat(fd, &status) == 0;
    sink->fd = fd;
    sink->own_fd = is_known && S_ISFIFO(status.st_mode) ? open_own(fd) : -1;
    sink->is_socket = is_known && S_ISSOCK(status.st_mode);
    env_timer_init(env, &sink->retry, on_retry);
    return sink;
}

void env_stderr_sink_set_log(struct env_stderr_sink *sink, struct log *log)
{
    sink->log = log;
}

const struct counter *env_stderr_sink_dropped(const struct env_stderr_sink *sink)
{
    return &sink->dropped;
}

/* Writes at most `size` bytes, at most PIPE_BUF, without blocking; how many: 0 is "not now". */
static size_t offer(const struct env_stderr_sink *sink, const char *text, size_t size)
{
    ASSERT(size <= PIPE_BUF);
    ssize_t count;
    struct pollfd item = {.fd = sink->fd, .events = POLLOUT};
    if (poll(&item, 1, 0) != 1 || (item.revents & POLLOUT) == 0) {
        return 0;
    }
    if (sink->is_socket) {
        count = send(sink->fd, text, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else {
        count = write(sink->own_fd >= 0 ? sink->own_fd : sink->fd, text, size);
    }
    return count > 0 ? (size_t)count : 0;
}

/* The same, unless another thread is saying why the process ends: nothing comes behind that. */
static size_t write_now(const struct env_stderr_sink *sink, const char *text, size_t size)
{
    if (!crash_line_begin()) {
        return 0;
    }
    size_t written = offer(sink, text, size);
    crash_line_end();
    return written;
}

/* How much of `text` to offer at once: as many whole lines as a pipe takes in one piece (D2). */
static size_t piece_size(const char *text, size_t size)
{
    if (size <= PIPE_BUF) {
        return size;
    }
    const char *newline = memrchr(text, '\n', PIPE_BUF);
    return newline != NULL ? (size_t)(newline - text) + 1 : PIPE_BUF;
}

static void write_waiting(struct env_stderr_sink *sink)
{
    size_t done = 0;
    while (done < sink->size) {
        size_t size = piece_size(sink->waiting + done, sink->size - done);
        size_t written = write_now(sink, sink->waiting + done, size);
        done += written;
        if (written < size) {
            break;
        }
    }
    if (done > 0) {
        sink->size -= done;
        memmove(sink->waiting, sink->waiting + done, sink->size);
    }
}

static void keep(struct env_stderr_sink *sink, const char *text, size_t size)
{
    if (size > sizeof(sink->waiting) - sink->size) {
        counter_add(&sink->dropped, 1);
        return;
    }
    memcpy(sink->waiting + sink->size, text, size);
    sink->size += size;
}

/* Starts or stops the retries; says what was dropped once everything else is out. */
static void settle(struct env_stderr_sink *sink)
{
    bool is_stuck = sink->size > 0;
    if (is_stuck != sink->is_retrying) {
        sink->is_retrying = is_stuck;
        if (is_stuck) {
            env_timer_start(&sink->retry, STDERR_SINK_RETRY_MS, STDERR_SINK_RETRY_MS);
        } else {
            env_timer_stop(&sink->retry);
        }
    }
    uint64_t count = sink->dropped.value - sink->dropped_reported;
    if (!is_stuck && count > 0) {
        sink->dropped_reported = sink->dropped.value; /* the log comes back here with its line */
        LOG_WARN(sink->log, "log lines dropped: nobody read them", LOG_U64("count", count),
                 LOG_U64("total", sink->dropped.value));
    }
}

static void on_retry(struct env_timer *timer)
{
    struct env_stderr_sink *sink = CONTAINER_OF(timer, struct env_stderr_sink, retry);
    write_waiting(sink);
    settle(sink);
}

void env_stderr_sink_write(void *ctx, enum log_level level, const char *line, size_t size)
{
    struct env_stderr_sink *sink = ctx;
    (void)level;
    ASSERT(size <= LOG_LINE_SIZE_MAX);
    write_waiting(sink);
    size_t written = sink->size == 0 ? write_now(sink, line, size) : 0;
    if (written < size) {
        keep(sink, line + written, size - written);
    }
    settle(sink);
}

void env_stderr_sink_close(struct env_stderr_sink *sink)
{
    if (sink == NULL) {
        return;
    }
    write_waiting(sink);
    env_timer_deinit(&sink->retry);
    if (sink->own_fd >= 0) {
        (void)close(sink->own_fd);
    }
    mem_free(sink);
}
