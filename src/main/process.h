/* What the program asks the operating system about itself. Linux: /proc and getrusage. */
#ifndef MAIN_PROCESS_H
#define MAIN_PROCESS_H

#include "base/metrics.h"
#include "env/env.h"

/*
 * Registers Prometheus' usual process_* metrics; they are read when the page is asked for. Borrows
 * `env` for the registry's life.
 */
void main_process_add_metrics(struct metrics *metrics, struct env *env);

/* User and system time that this process has spent; NaN: the kernel does not say. */
double main_process_cpu_seconds(void);

/*
 * Raises the limit of open files to at least `needed` if the hard limit allows it, else as far as
 * it goes. Returns the limit now in force.
 */
uint64_t main_process_raise_files(uint64_t needed);

#endif
