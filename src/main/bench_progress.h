/*
 * How far `pontoon bench` is, on standard error: a line that is written over each second on a
 * terminal, else a line now and then.
 */
#ifndef MAIN_BENCH_PROGRESS_H
#define MAIN_BENCH_PROGRESS_H

#include <stdio.h>

#include "main/bench.h"

struct bench_progress {
    FILE *out;
    bool is_terminal;
    uint64_t keys;
    uint64_t duration_ms;
    uint64_t seconds; /* of the phase, so far */
    uint64_t done;    /* by then */
    bool is_line_open;
};

/* A phase begins. */
void main_bench_progress_begin(struct bench_progress *progress);
/* Another second of it is over. Borrows `result`. */
void main_bench_progress_tick(struct bench_progress *progress, const struct bench_result *result);
/* Leaves an empty line on a terminal, for what is printed next. */
void main_bench_progress_clear(struct bench_progress *progress);

#endif
