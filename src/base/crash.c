#include "base/crash.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

static atomic_bool is_dying;
static atomic_uint lines; /* begun, and not at their end */

void crash_begin(void)
{
    atomic_store(&is_dying, true);
    for (int i = 0; i < CRASH_WAIT_MS && atomic_load(&lines) > 0; i++) {
        (void)poll(NULL, 0, 1);
    }
}

bool crash_line_begin(void)
{
    (void)atomic_fetch_add(&lines, 1);
    if (atomic_load(&is_dying)) {
        crash_line_end();
        return false;
    }
    return true;
}

void crash_line_end(void)
{
    (void)atomic_fetch_sub(&lines, 1);
}

void crash_init(struct crash_out *out, int fd)
{
    out->fd = fd;
    out->failed = false;
    out->size = 0;
}

/* Waits until the descriptor takes at least one byte; false: nobody reads (X2). */
static bool is_writable(int fd)
{
    struct pollfd item = {.fd = fd, .events = POLLOUT};
    int count;
    do {
        count = poll(&item, 1, CRASH_WAIT_MS);
    } while (count < 0 && errno == EINTR);
    return count == 1 && (item.revents & POLLOUT) != 0;
}

void crash_flush(struct crash_out *out)
{
    size_t done = 0;
    while (done < out->size && !out->failed) {
        /* A pipe that polls writable takes PIPE_BUF bytes without blocking; the text is smaller. */
        ssize_t count =
            is_writable(out->fd) ? write(out->fd, out->text + done, out->size - done) : -1;
        if (count > 0) {
            done += (size_t)count;
        } else {
            out->failed = count == 0 || errno != EINTR;
        }
    }
    out->size = 0;
}

static void put_char(struct crash_out *out, char c)
{
    if (out->size == sizeof(out->text)) {
        crash_flush(out);
    }
    out->text[out->size] = c;
    out->size++;
}

void crash_text(struct crash_out *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        put_char(out, *c);
    }
}

static void put_number(struct crash_out *out, uint64_t value, unsigned base)
{
    char digits[20]; /* of 2^64 - 1 in base 10 */
    size_t count = 0;
    do {
        digits[count] = "0123456789abcdef"[value % base];
        count++;
        value /= base;
    } while (value != 0);
    while (count > 0) {
        count--;
        put_char(out, digits[count]);
    }
}

void crash_u64(struct crash_out *out, uint64_t value)
{
    put_number(out, value, 10);
}

void crash_hex(struct crash_out *out, uint64_t value)
{
    crash_text(out, "0x");
    put_number(out, value, 16);
}
