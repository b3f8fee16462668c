/* What the files uv_*.c share. Nobody else includes this. */
#ifndef ENV_UV_INT_H
#define ENV_UV_INT_H

#include "env/uv.h"

/* A read takes at most so much; received() borrows it, so that one buffer serves all streams. */
#define READ_BUFFER_SIZE (128u << 10)

struct signal_watch {
    uv_signal_t handle;
    void (*received)(void *ctx, int signum);
    void *ctx;
};

struct env {
    uv_loop_t loop;
    uv_prepare_t turn_end;  /* U1 */
    uv_idle_t wake;         /* active: the loop does not sleep, another turn is wanted */
    struct list hooks;      /* of env_turn.link */
    struct list *hook_next; /* the walk's cursor: hooks may come and go while it is under way */
    struct list to_flush;   /* of env_stream.flush_link: something was queued in this turn */
    struct list to_fail;    /* of env_stream.flush_link: dials that failed at once */
    bool is_single_turn;    /* env_uv_run_once */
    uint64_t turn_end_ns;   /* the last turn's; 0: there was none */
    uint64_t slept_ns;      /* by then, in all */
    struct histogram turn_us;
    struct signal_watch signals[ENV_UV_SIGNALS_MAX];
    size_t signal_count;
    char read_buffer[READ_BUFFER_SIZE];
};

/* Sends what was queued in this turn (U2). */
void env_uv_flush_streams(struct env *env);

/* Reports the dials of `to_fail`. */
void env_uv_fail_dials(struct env *env);

/*
 * Makes a stream of the connection that waits on `listener` and gives it to `accepted`, which sets
 * its handler or closes it. A connection that is gone already is passed over.
 */
void env_uv_stream_accept(struct env *env, uv_stream_t *listener,
                          void (*accepted)(void *ctx, struct env_stream *stream), void *ctx);

#endif
