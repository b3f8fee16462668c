/*
 * The real environment on libuv, and what only production needs of it: running the loop, signals,
 * and the loop itself for the HTTP layer's sockets.
 *
 * U1  A turn ends in libuv's prepare phase, which stands before the one place where the loop sleeps
 *     and behind everything else: ready sockets, finished jobs, closed handles, due timers. So one
 *     batch has all that became ready, and the loop never sleeps on work that nobody has looked at.
 * U2  A turn's end is: the hooks in the order of registration, then every stream with something to
 *     send in one writev each, then `drained` and `ended` of these streams. Whoever was called
 *     there may have made work for the hooks: another turn follows without sleeping.
 */
#ifndef ENV_UV_H
#define ENV_UV_H

#include <uv.h>

#include "base/metrics.h"
#include "env/env.h"

/* A new environment with a loop of its own. SIGPIPE is ignored from now on, in the whole process: a
 * peer that goes away is an error of its stream. Caller closes. */
struct env *env_uv_open(void);
/* Everything opened on it must be closed. Waits for name look-ups under way, which cannot be
 * stopped. NULL: no-op. */
void env_uv_close(struct env *env);
/* Borrowed while `env` is open; the handles that others put on it must be closed before. */
uv_loop_t *env_uv_loop(struct env *env);
/* Runs turns until env_uv_stop; the last one gets its end, too (U2). */
void env_uv_run(struct env *env);
/*
 * How long its turns were, without the sleep between them: what heartbeats have to wait, and all
 * else that leaves at a turn's end. Borrowed while `env` is open.
 */
const struct histogram *env_uv_turn_us(const struct env *env);
/* Ends env_uv_run after this turn; before it: it returns at once. Loop thread. */
void env_uv_stop(struct env *env);
/* One turn with its end; waits for events if `wait`. For tests. */
void env_uv_run_once(struct env *env, bool wait);

/*
 * A lock on `path` that others may share, but none that env_lock_take gives; the file is only read,
 * and must be there. Caller releases it with env_lock_release. ERR_BUSY, with the same note;
 * ERR_NO_FILE, ERR_PERMISSION, ERR_IO.
 */
MUST_USE err env_uv_lock_share(const char *path, struct env_lock **out_lock, struct err_note *note);

/* Signals that can be watched at one time. */
#define ENV_UV_SIGNALS_MAX 4u

/*
 * Calls `received` on the loop thread whenever the process gets `signum` (SIGTERM, SIGINT, SIGHUP)
 * from now until env_uv_close; borrows `ctx` so long. At most one watcher a signal.
 */
void env_uv_on_signal(struct env *env, int signum, void (*received)(void *ctx, int signum),
                      void *ctx);

#endif
