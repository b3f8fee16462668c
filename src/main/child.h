/*
 * A program that a command runs: `pontoon lock NAME -- PROGRAM …`. It shares the standard streams,
 * and gets SIGTERM should this process be killed, as nobody renews a lock for it then.
 *
 * Unless standard input is a terminal, of which one group of processes can read, it is a group of
 * its own: a signal reaches what it has started, too.
 */
#ifndef MAIN_CHILD_H
#define MAIN_CHILD_H

#include <signal.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* As a shell has it, where a program cannot be run at all. */
#define CHILD_NOT_FOUND 127
#define CHILD_NOT_EXECUTABLE 126

struct child_order {
    char *const *program;         /* its words, NULL-terminated; found in PATH */
    const char *const *variables; /* "NAME=value", NULL-terminated: beside this environment */
    bool has_input;               /* else it has this process's standard input */
    struct slice input;           /* all of its standard input */
    const sigset_t *mask;         /* the signals that it begins with blocked; NULL: as here */
};

struct child {
    pid_t pid;
    bool has_group;
    int fd; /* readable once it has ended; -1: there is none */
    bool is_over;
    int status; /* then: as a shell has it, 128 and the signal if one ended it */
};

/* Starts it. Errors, with a note, and a status as a shell has it: it cannot be run. */
MUST_USE err main_child_start(struct child *child, const struct child_order *order,
                              struct err_note *note);
/* Sends it a signal; after its end: no-op. */
void main_child_signal(const struct child *child, int number);
/* Whether it has ended by now. */
bool main_child_is_over(struct child *child);
/* Waits for its end. */
void main_child_wait(struct child *child);
/* Forgets it; what still runs goes on. Idempotent. */
void main_child_close(struct child *child);

#endif
