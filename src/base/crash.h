/*
 * Printing while the process dies: no heap, no locks, no stdio, and no waiting for a reader that
 * never comes. A node whose standard error is a full pipe must still die, or nothing restarts it.
 *
 * X1  Async-signal-safe throughout.
 * X2  Once the descriptor has not taken bytes for CRASH_WAIT_MS, everything else is thrown away.
 * X3  Last words are last: nobody else writes a line after crash_begin, since operators and
 *     supervisors look at the end. Another thread may be in the middle of one: that is waited for,
 *     CRASH_WAIT_MS at most, since it may be this very thread's.
 */
#ifndef BASE_CRASH_H
#define BASE_CRASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRASH_WAIT_MS 500

/* The process dies, and this thread says why: crash_line_begin is false from now on, everywhere. */
void crash_begin(void);
/* Before a line that is none of a crash, of any thread. False: not any more. */
bool crash_line_begin(void);
/* After it, if crash_line_begin was true. */
void crash_line_end(void);

/* Lives on the stack of whoever prints. */
struct crash_out {
    int fd;
    bool failed; /* X2 */
    size_t size;
    char text[1024];
};

/* Prepares `out` for descriptor `fd`, which it borrows. */
void crash_init(struct crash_out *out, int fd);
void crash_text(struct crash_out *out, const char *text);
void crash_u64(struct crash_out *out, uint64_t value);
void crash_hex(struct crash_out *out, uint64_t value);
/* Writes what has gathered. Must be the last call. */
void crash_flush(struct crash_out *out);

#endif
