/*
 * Where log lines go: a file descriptor, standard error, that may be a pipe which nobody reads.
 *
 * D1  Writing never blocks the loop. Lines that cannot go out wait in STDERR_SINK_SIZE bytes;
 *     beyond that they are dropped and counted, newest first, so that what led up to the trouble is
 *     kept.
 * D2  Lines leave whole and in order.
 * D3  The descriptor's flags are not touched: its open file description belongs to the shell and to
 *     our neighbours, too, and O_NONBLOCK would hit them all.
 */
#ifndef ENV_STDERR_SINK_H
#define ENV_STDERR_SINK_H

#include "base/log.h"
#include "base/metrics.h"
#include "env/env.h"

#define STDERR_SINK_SIZE (64u << 10)
#define STDERR_SINK_RETRY_MS 100u

struct env_stderr_sink;

/* A sink on `fd`, which it borrows. Caller closes. Loop thread, as everything here. */
struct env_stderr_sink *env_stderr_sink_open(struct env *env, int fd);

/*
 * Reports, once writing works again, in `log` (whose sink this may well be) how many lines were
 * dropped. Borrows `log` until another call; NULL: reports nothing.
 */
void env_stderr_sink_set_log(struct env_stderr_sink *sink, struct log *log);

/* Writes one line of at most LOG_LINE_SIZE_MAX bytes, or keeps or drops it. A log_sink_fn, whose
 * context is the sink. */
void env_stderr_sink_write(void *ctx, enum log_level level, const char *line, size_t size);

/* The lines dropped so far; borrowed while the sink is open. */
const struct counter *env_stderr_sink_dropped(const struct env_stderr_sink *sink);

/* Writes what can go out without waiting, and lets go of the rest. NULL: no-op. */
void env_stderr_sink_close(struct env_stderr_sink *sink);

#endif
