/*
 * How far a command with long work is, on standard error: a line that is written over each second
 * on a terminal, else a line every ten seconds. Short work says nothing.
 */
#ifndef MAIN_PROGRESS_H
#define MAIN_PROGRESS_H

#include <stdio.h>

#include "env/env.h"

struct progress {
    struct env *env;
    FILE *out;
    const char *work; /* "export" */
    const char *unit; /* "keys"; NULL: bytes */
    bool is_terminal;
    uint64_t begun_ns;
    uint64_t next_ns;
    bool is_line_open;
};

/* In caller's storage; borrows the texts. */
void main_progress_begin(struct progress *progress, struct env *env, FILE *out, const char *work,
                         const char *unit);
/* So much is done, of `total` (0: not known). Cheap: prints when it is time to. */
void main_progress_tell(struct progress *progress, uint64_t done, uint64_t total);
/* Leaves an empty line on a terminal, for what is printed next. */
void main_progress_end(struct progress *progress);

#endif
