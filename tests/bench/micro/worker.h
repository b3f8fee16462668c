/*
 * Workers without threads, in the place of env's (src/env/uv_worker.c): a job runs, and its owner
 * is told, when the program says so. So the same work is done in the same order in every run.
 */
#ifndef MICRO_WORKER_H
#define MICRO_WORKER_H

/* Runs all jobs that were submitted to any worker, and those that these submit. */
void micro_work(void);

#endif
