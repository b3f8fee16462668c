#include "env/uv.h"

#include <errno.h>
#include <signal.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/uv_int.h"

/* ---- turns ---- */

void env_turn_add(struct env *env, struct env_turn *turn)
{
    ASSERT(turn->run != NULL);
    list_push_back(&env->hooks, &turn->link);
}

void env_turn_remove(struct env *env, struct env_turn *turn)
{
    if (env->hook_next == &turn->link) {
        env->hook_next = turn->link.next;
    }
    list_remove(&turn->link);
}

static void run_hooks(struct env *env)
{
    env->hook_next = env->hooks.next;
    while (env->hook_next != &env->hooks) {
        struct env_turn *turn = CONTAINER_OF(env->hook_next, struct env_turn, link);
        env->hook_next = env->hook_next->next;
        turn->run(turn);
    }
}

/* U2. The wake is over before the hooks run: one of them may ask for the next. */
static void end_turn(struct env *env)
{
    int status = uv_idle_stop(&env->wake);
    ASSERT(status == 0);
    run_hooks(env);
    env_uv_flush_streams(env);
}

/* Between two ends the loop has slept or worked. */
static void measure_turn(struct env *env)
{
    uint64_t now_ns = uv_hrtime();
    uint64_t slept_ns = uv_metrics_idle_time(&env->loop);
    if (env->turn_end_ns != 0) { /* what was before the first turn was none */
        uint64_t span_ns = now_ns - env->turn_end_ns;
        uint64_t sleep_ns = slept_ns - env->slept_ns;
        histogram_observe(&env->turn_us, span_ns > sleep_ns ? (span_ns - sleep_ns) / 1000 : 0);
    }
    env->turn_end_ns = now_ns;
    env->slept_ns = slept_ns;
}

static void on_prepare(uv_prepare_t *handle)
{
    struct env *env = handle->data;
    end_turn(env);
    measure_turn(env);
}

const struct histogram *env_uv_turn_us(const struct env *env)
{
    return &env->turn_us;
}

/* Runs before on_prepare of the same turn. */
static void on_wake(uv_idle_t *handle)
{
    env_uv_fail_dials(handle->data);
}

void env_turn_wake(struct env *env)
{
    int status = uv_idle_start(&env->wake, on_wake);
    ASSERT(status == 0);
}

/* ---- signals ---- */

static void on_signal(uv_signal_t *handle, int signum)
{
    struct signal_watch *watch = CONTAINER_OF(handle, struct signal_watch, handle);
    watch->received(watch->ctx, signum);
}

void env_uv_on_signal(struct env *env, int signum, void (*received)(void *ctx, int signum),
                      void *ctx)
{
    ASSERT(env->signal_count < ENV_UV_SIGNALS_MAX);
    for (size_t i = 0; i < env->signal_count; i++) {
        ASSERT(env->signals[i].handle.signum != signum);
    }
    struct signal_watch *watch = &env->signals[env->signal_count];
    env->signal_count++;
    watch->received = received;
    watch->ctx = ctx;
    int status = uv_signal_init(&env->loop, &watch->handle);
    if (status == 0) {
        status = uv_signal_start(&watch->handle, on_signal, signum);
    }
    if (status != 0) {
        fatal(-status, "watch signal %d", signum);
    }
}

/* ---- the environment ---- */

struct env *env_uv_open(void)
{
    struct env *env = mem_calloc(1, sizeof(*env));
    int status = uv_loop_init(&env->loop);
    if (status != 0) {
        fatal(-status, "open the event loop");
    }
    status = uv_loop_configure(&env->loop, UV_METRICS_IDLE_TIME);
    ASSERT(status == 0);
    list_init(&env->hooks);
    list_init(&env->to_flush);
    list_init(&env->to_fail);
    env->hook_next = &env->hooks;
    (void)uv_prepare_init(&env->loop, &env->turn_end);
    (void)uv_idle_init(&env->loop, &env->wake);
    env->turn_end.data = env;
    env->wake.data = env;
    status = uv_prepare_start(&env->turn_end, on_prepare);
    ASSERT(status == 0);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        fatal(errno, "ignore SIGPIPE");
    }
    return env;
}

static void close_own_handles(struct env *env)
{
    uv_close((uv_handle_t *)&env->turn_end, NULL);
    uv_close((uv_handle_t *)&env->wake, NULL);
    for (size_t i = 0; i < env->signal_count; i++) {
        uv_close((uv_handle_t *)&env->signals[i].handle, NULL);
    }
}

static void assert_closing(uv_handle_t *handle, void *ctx)
{
    (void)ctx;
    ASSERT(uv_is_closing(handle));
}

void env_uv_close(struct env *env)
{
    if (env == NULL) {
        return;
    }
    ASSERT(list_is_empty(&env->hooks));
    ASSERT(list_is_empty(&env->to_flush));
    ASSERT(list_is_empty(&env->to_fail));
    close_own_handles(env);
    uv_walk(&env->loop, assert_closing, NULL);
    /* Only the closed handles' last callbacks are left; a stop from before must not skip them. */
    int alive;
    do {
        alive = uv_run(&env->loop, UV_RUN_DEFAULT);
    } while (alive != 0);
    int status = uv_loop_close(&env->loop);
    ASSERT(status == 0);
    mem_free(env);
}

uv_loop_t *env_uv_loop(struct env *env)
{
    return &env->loop;
}

void env_uv_run(struct env *env)
{
    (void)uv_run(&env->loop, UV_RUN_DEFAULT);
    /* The stop came in the middle of a turn, which has not had its end. */
    end_turn(env);
}

void env_uv_stop(struct env *env)
{
    uv_stop(&env->loop);
}

void env_uv_run_once(struct env *env, bool wait)
{
    env->is_single_turn = true;
    (void)uv_run(&env->loop, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    env->is_single_turn = false;
    end_turn(env);
}
