#include "base/assert.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/flight.h"

#define FRAMES_MAX 64
#define FATAL_TEXT_MAX 2048 /* room for an err_note and more */

/*
 * One frame a line, as PROGRAM+OFFSET for addr2line, with the symbol where the program exports it.
 * backtrace_symbols_fd would do, but it writes without asking whether anybody reads.
 */
static void print_frame(struct crash_out *out, const void *address)
{
    Dl_info info;
    crash_text(out, "  ");
    if (dladdr(address, &info) == 0 || info.dli_fname == NULL) {
        crash_hex(out, (uintptr_t)address);
        crash_text(out, "\n");
        return;
    }
    crash_text(out, info.dli_fname);
    crash_text(out, "+");
    crash_hex(out, (uintptr_t)address - (uintptr_t)info.dli_fbase);
    if (info.dli_sname != NULL) {
        crash_text(out, " ");
        crash_text(out, info.dli_sname);
    }
    crash_text(out, "\n");
}

void assert_failed(const char *condition, const char *file, int line, const char *function)
{
    crash_begin();
    flight_print(STDERR_FILENO);

    struct crash_out out;
    crash_init(&out, STDERR_FILENO);
    void *frames[FRAMES_MAX];
    int frame_count = backtrace(frames, FRAMES_MAX);
    crash_text(&out, "backtrace:\n");
    for (int i = 0; i < frame_count; i++) {
        print_frame(&out, frames[i]);
    }
    /* Last, where a terminal and a log collector show it. */
    crash_text(&out, "assert failed: ");
    crash_text(&out, condition);
    crash_text(&out, " at ");
    crash_text(&out, file);
    crash_text(&out, ":");
    crash_u64(&out, (uint64_t)line);
    crash_text(&out, " in ");
    crash_text(&out, function);
    crash_text(&out, "\n");
    crash_flush(&out);
    abort();
}

void fatal(int errno_value, const char *format, ...)
{
    char text[FATAL_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    crash_begin();
    flight_print(STDERR_FILENO);
    struct crash_out out;
    crash_init(&out, STDERR_FILENO);
    crash_text(&out, "fatal: ");
    crash_text(&out, text);
    if (errno_value != 0) {
        const char *description = strerrordesc_np(errno_value);
        crash_text(&out, ": ");
        crash_text(&out, description != NULL ? description : "unknown error");
    }
    crash_text(&out, "\n");
    crash_flush(&out);
    _exit(EXIT_FAILURE);
}
