/*
 * The seam to the world: clock, randomness, timers, the loop's turn, worker threads, files, byte
 * streams. Production has env/uv.h on libuv; the simulator has one on a simulated world and
 * replaces nothing else. Everything above base that is not HTTP reaches the world only through this
 * file.
 *
 * E1  One loop thread owns everything; every callback runs on it, except env_job.run.
 * E2  File calls are synchronous and may block: on the loop thread only at start-up, later only
 *     inside a job's run (wal writer, checkpointer) or where a contract says why.
 * E3  A worker runs its jobs in the order in which they were submitted; their done callbacks come
 *     back in that order.
 * E4  The turn hook runs once after each turn of the loop in which anything happened, when all
 *     ready sockets were read: what came in during one turn is one batch (docs/ARCHITECTURE.md).
 */
#ifndef ENV_ENV_H
#define ENV_ENV_H

#include <sys/uio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"

struct env;

/* ---- time and chance ---- */

/* Monotonic nanoseconds, as of now. */
uint64_t env_now_ns(struct env *env);
/* Monotonic milliseconds as of the start of this turn: cheap. */
uint64_t env_now_ms(struct env *env);
/* Milliseconds since the epoch: for stamps and logs, never for decisions. */
uint64_t env_wall_ms(struct env *env);
/* From the system's generator, or from the simulator's seed. */
uint64_t env_random(struct env *env);

/* ---- timers and turns ---- */

struct env_timer {
    void (*fire)(struct env_timer *timer); /* set by the owner before the first start */
    void *impl;                            /* belongs to the environment */
    struct env *env;
};

/* Prepares a stopped timer in caller's storage. */
void env_timer_init(struct env *env, struct env_timer *timer, void (*fire)(struct env_timer *));
/* (Re)starts: fires after `delay_ms`, then every `repeat_ms` (0: once). */
void env_timer_start(struct env_timer *timer, uint64_t delay_ms, uint64_t repeat_ms);
void env_timer_stop(struct env_timer *timer);
/* Stops it and gives its resources back; the struct may go at once. Idempotent. */
void env_timer_deinit(struct env_timer *timer);

struct env_turn {
    void (*run)(struct env_turn *turn);
    struct list link; /* belongs to the environment */
};

/* Calls turn->run after each turn (E4), in the order of registration, until removed. */
void env_turn_add(struct env *env, struct env_turn *turn);
void env_turn_remove(struct env *env, struct env_turn *turn);
/* Makes sure that one more turn happens soon, without waiting for an event. Loop thread. */
void env_turn_wake(struct env *env);

/* ---- worker threads ---- */

struct env_worker;

struct env_job {
    void (*run)(struct env_job *job);  /* on the worker's thread; touches only what the job owns */
    void (*done)(struct env_job *job); /* on the loop thread, before that turn's hooks */
    struct list link;                  /* belongs to the environment */
};

/* Starts a thread called `name` (15 bytes at most). Caller closes. */
MUST_USE err env_worker_open(struct env *env, const char *name, struct env_worker **out_worker);
/* Takes turns with other jobs (E3). `job` must live until done has run. */
void env_worker_submit(struct env_worker *worker, struct env_job *job);
/* Waits until all submitted jobs have run, calls their done callbacks (what these submit is run,
 * too), ends the thread. NULL: no-op. */
void env_worker_close(struct env_worker *worker);

/* ---- files; errors: ERR_NO_FILE ERR_EXISTS ERR_PERMISSION ERR_NO_SPACE ERR_BUSY ERR_IO ---- */

struct env_file;

enum env_open {
    ENV_OPEN_READ = 1,
    ENV_OPEN_WRITE = 2,
    ENV_OPEN_CREATE = 4,    /* create if missing */
    ENV_OPEN_EXCLUSIVE = 8, /* with CREATE: ERR_EXISTS if it is there */
    ENV_OPEN_TRUNCATE = 16,
};

/* Opens `path`; `flags` are of enum env_open. Caller closes. `note` gets path and reason. */
MUST_USE err env_file_open(struct env *env, const char *path, unsigned flags,
                           struct env_file **out_file, struct err_note *note);
void env_file_close(struct env_file *file); /* NULL: no-op */
/* Reads until `size` bytes or the end of the file; *out_size tells how many came. */
MUST_USE err env_file_read(struct env_file *file, uint64_t offset, void *target, size_t size,
                           size_t *out_size);
/* Writes all of `parts` at `offset`, or fails (a short write is ERR_NO_SPACE or ERR_IO). */
MUST_USE err env_file_write(struct env_file *file, uint64_t offset, const struct iovec *parts,
                            int part_count);
/* fdatasync. An error is final: the caller must stop the node (never retry). */
MUST_USE err env_file_sync(struct env_file *file);
MUST_USE err env_file_size(struct env_file *file, uint64_t *out_size);
MUST_USE err env_file_truncate(struct env_file *file, uint64_t size);
/* Reserves blocks for [0, size) and makes the file that long, without writing them. */
MUST_USE err env_file_allocate(struct env_file *file, uint64_t size);

MUST_USE err env_dir_create(struct env *env, const char *path,
                            struct err_note *note); /* 0700; OK if there */
MUST_USE err env_dir_sync(struct env *env, const char *path);
/* Calls `each` for every entry but "." and "..", in byte order of the names. */
MUST_USE err env_dir_list(struct env *env, const char *path,
                          void (*each)(void *ctx, const char *name), void *ctx);
MUST_USE err env_rename(struct env *env, const char *source, const char *target);
MUST_USE err env_unlink(struct env *env, const char *path);

/* An exclusive lock on `path` (created if missing), held until unlocked or the process ends.
 * ERR_BUSY: another process has it; the note then says which, if it can be known. */
struct env_lock;
MUST_USE err env_lock_take(struct env *env, const char *path, struct env_lock **out_lock,
                           struct err_note *note);
void env_lock_release(struct env_lock *lock);

/* ---- byte streams between nodes ---- */

struct env_stream;

struct env_stream_handler {
    /* A dialled stream is connected, or not: then `e` is not OK and the stream is to be closed.
     * ERR_REFUSED: the machine is there, and nobody listens at the address. */
    void (*connected)(void *ctx, struct env_stream *stream, err e);
    /* Bytes came in: borrows them until it returns. */
    void (*received)(void *ctx, struct env_stream *stream, struct slice bytes);
    /* The other side is gone, or the stream failed: nothing more will come; close it. */
    void (*ended)(void *ctx, struct env_stream *stream);
    /* Everything queued has been handed to the kernel. NULL: not wanted, and costs nothing. */
    void (*drained)(void *ctx, struct env_stream *stream);
};

/* Dials "HOST:PORT"; the outcome comes by handler->connected, later. Never fails at once. */
struct env_stream *env_stream_dial(struct env *env, const char *address,
                                   const struct env_stream_handler *handler, void *ctx);
/* Another handler and context from now on (an accepted stream gets its owner so). */
void env_stream_set_handler(struct env_stream *stream, const struct env_stream_handler *handler,
                            void *ctx);
/* Queues and sends: shares every buf until it is sent. The parts of one call are one unit to the
 * simulator (it loses, doubles or corrupts units), one writev to the kernel. */
void env_stream_write(struct env_stream *stream, struct buf *const *parts, size_t part_count);
/* Bytes queued and not yet taken by the kernel. */
size_t env_stream_queued(const struct env_stream *stream);
/* The other side's address as text, for logs. Borrowed while the stream is open. */
const char *env_stream_peer(const struct env_stream *stream);
/*
 * Closes at once; no callback comes after. What is queued is offered to the kernel once, so that a
 * last word leaves even if the process ends here; what it does not take is dropped. The handle is
 * gone. NULL: no-op.
 */
void env_stream_close(struct env_stream *stream);

struct env_listener;
/* Listens on "HOST:PORT" (port 0: any). `accepted` takes the stream: sets a handler or closes it.
 * ERR_ADDRESS, ERR_PERMISSION; the note says what and why. Caller closes. */
MUST_USE err env_listen(struct env *env, const char *address,
                        void (*accepted)(void *ctx, struct env_stream *stream), void *ctx,
                        struct env_listener **out_listener, struct err_note *note);
/* The address really bound, "HOST:PORT". */
const char *env_listener_address(const struct env_listener *listener);
void env_listener_close(struct env_listener *listener); /* NULL: no-op */

#endif
