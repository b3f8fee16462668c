#include "main/fault.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/crash.h"
#include "store/distrust.h"

#define LINE_SIZE 512u

/* What the handler needs, ready made: it may only open, read and write. */
static char store_path[PATH_MAX];
static char mark_path[PATH_MAX + sizeof(STORE_DISTRUST_NAME) + 1];
static struct sigaction usual_bus, usual_segv; /* a sanitizer's, perhaps */

/* Where the instruction stands that has faulted; 0: not known on this machine. */
static uintptr_t program_counter(const void *context)
{
#if defined(__x86_64__)
    return (uintptr_t)((const ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)((const ucontext_t *)context)->uc_mcontext.pc;
#else
    (void)context;
    return 0;
#endif
}

/* Reads a hexadecimal number; moves *text behind it. */
static uintptr_t take_hex(const char **text)
{
    uintptr_t value = 0;
    for (;; (*text)++) {
        char c = **text;
        if (c >= '0' && c <= '9') {
            value = value << 4 | (uintptr_t)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            value = value << 4 | (uintptr_t)(c - 'a' + 10);
        } else {
            return value;
        }
    }
}

/* Whether this line of /proc/self/maps is of the store's file around `address`, or of LMDB's code
 * around `counter`. */
static int is_of_store(const char *line, uintptr_t address, uintptr_t counter)
{
    uintptr_t begin = take_hex(&line);
    line += *line == '-' ? 1 : 0;
    uintptr_t end = take_hex(&line);
    int is_data = address >= begin && address < end && strstr(line, "/store/data.mdb") != NULL;
    int is_code = counter >= begin && counter < end && strstr(line, "/liblmdb") != NULL;
    return is_data || is_code;
}

static int has_met_store(uintptr_t address, uintptr_t counter)
{
    char line[LINE_SIZE];
    char bytes[LINE_SIZE];
    size_t size = 0;
    int is_met = 0;
    int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    ssize_t count = file < 0 ? 0 : read(file, bytes, sizeof(bytes));
    while (count > 0 && !is_met) {
        for (ssize_t i = 0; i < count && !is_met; i++) {
            if (bytes[i] == '\n') {
                line[size] = '\0';
                is_met = is_of_store(line, address, counter);
                size = 0;
            } else if (size + 1 < sizeof(line)) {
                line[size] = bytes[i];
                size++;
            }
        }
        count = is_met ? 0 : read(file, bytes, sizeof(bytes));
    }
    if (file >= 0) {
        (void)close(file);
    }
    return is_met;
}

static int leave_mark(void)
{
    static const char why[] = "a page of its file could not be read";
    int file = open(mark_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int directory = open(store_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return file >= 0 && directory >= 0 && write(file, why, sizeof(why) - 1) > 0 &&
           fsync(file) == 0 && fsync(directory) == 0;
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    if (!has_met_store((uintptr_t)info->si_addr, program_counter(context))) {
        /* The fault comes again, and takes its usual course. */
        (void)sigaction(number, number == SIGBUS ? &usual_bus : &usual_segv, NULL);
        return;
    }
    int is_marked = leave_mark();
    struct crash_out out;
    crash_begin();
    crash_init(&out, STDERR_FILENO);
    crash_text(&out, "fatal: ");
    crash_text(&out, store_path);
    crash_text(&out, number == SIGBUS ? " has been cut or cannot be read (SIGBUS): "
                                      : " is damaged (SIGSEGV in LMDB): ");
    crash_text(&out, is_marked ? "the next start rebuilds it from a peer, where there is one\n"
                               : "it cannot be marked as such: see to the disk and start it again; "
                                 "if it ends so once more, replace the node\n");
    crash_flush(&out);
    _exit(EXIT_FAILURE);
}

void main_fault_watch(const char *data_directory)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO};
    action.sa_sigaction = on_fault;
    int size = snprintf(store_path, sizeof(store_path), "%s/store", data_directory);
    if (size < 0 || (size_t)size >= sizeof(store_path)) {
        return; /* opening will say so */
    }
    (void)snprintf(mark_path, sizeof(mark_path), "%s/%s", store_path, STORE_DISTRUST_NAME);
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGBUS, &action, &usual_bus);
    (void)sigaction(SIGSEGV, &action, &usual_segv);
}
