#include "sim/node_env.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "sim/faults.h"

/* Handing a job to a thread, and its result back, on an idle machine. */
#define HAND_OVER_NS_MIN (2 * SIM_US)
#define HAND_OVER_NS_MAX (60 * SIM_US)
#define PPM 1000000

static struct env *running;

struct env *env_sim_running(void)
{
    return running;
}

static void on_wake(struct world_event *event)
{
    (void)event; /* a turn follows every event */
}

struct env *env_sim_new(struct host *host)
{
    struct env *env = mem_calloc(1, sizeof(*env));
    env->host = host;
    env->sim = host->sim;
    prng_init(&env->chance, prng_next(&host->chance));
    prng_init(&env->timing, prng_next(&host->chance));
    list_init(&env->turns);
    env->wake = (struct world_event){.run = on_wake, .env = env};
    return env;
}

/* ---- running node code ---- */

enum env_end env_sim_call(struct env *env, void (*code)(void *ctx), void *ctx)
{
    ASSERT(running == NULL);
    running = env;
    enum env_end end = (enum env_end)setjmp(env->escape);
    if (end == ENV_RUNS) {
        code(ctx);
    }
    running = NULL;
    if (env->spent_ns > 0) { /* the loop itself waited for the disk */
        uint64_t until_ns = world_now_ns(env->sim->world) + env->spent_ns;
        env->held_until_ns = until_ns > env->held_until_ns ? until_ns : env->held_until_ns;
        env->spent_ns = 0;
    }
    return end;
}

static _Noreturn void escape(struct env *env, enum env_end end)
{
    env->is_dead = true;
    longjmp(env->escape, (int)end);
}

/* NOLINTBEGIN(readability-identifier-naming): the linker's names */

/* What ends a process ends this life. */
_Noreturn void __real_fatal(int errno_value, const char *format, ...) PRINTF_LIKE(2, 3);
_Noreturn void __wrap_fatal(int errno_value, const char *format, ...) PRINTF_LIKE(2, 3);

_Noreturn void __wrap_fatal(int errno_value, const char *format, ...)
{
    char text[sizeof(((struct host *)0)->last_words)];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (running == NULL) {
        __real_fatal(errno_value, "%s", text);
    }
    struct host *host = running->host;
    memcpy(host->last_words, text, sizeof(text));
    escape(running, ENV_FATAL);
}

_Noreturn void __real_assert_failed(const char *condition, const char *file, int line,
                                    const char *function);
_Noreturn void __wrap_assert_failed(const char *condition, const char *file, int line,
                                    const char *function);

/* A node's assert is a finding; the simulator's own is what it always is. */
_Noreturn void __wrap_assert_failed(const char *condition, const char *file, int line,
                                    const char *function)
{
    if (running != NULL) {
        sim_fail(running->sim, "node %u: assert failed: %s at %s:%d in %s", running->host->number,
                 condition, file, line, function);
    }
    __real_assert_failed(condition, file, line, function);
}

/* NOLINTEND(readability-identifier-naming) */

void env_sim_effect(struct env *env)
{
    if (env->effects_until_crash > 0) {
        env->effects_until_crash--;
        if (env->effects_until_crash == 0 && running == env) {
            escape(env, ENV_CRASHED);
        }
    }
}

void env_sim_schedule(struct env *env, struct world_event *event, uint64_t at_ns)
{
    uint64_t turn_ns = env->sim->plan.turn_ns;
    event->env = env;
    world_schedule(env->sim->world, event, (at_ns + turn_ns - 1) / turn_ns * turn_ns);
}

struct turn {
    struct env *env;
    struct world_event *event;
};

static void run_turn(void *ctx)
{
    struct turn *turn = ctx;
    struct env *env = turn->env;
    struct world *world = env->sim->world;
    bool is_quiet = turn->event->is_quiet;
    turn->event->run(turn->event);
    uint64_t now_ns = world_now_ns(world);
    for (struct world_event *next = world_peek(world);
         next != NULL && next->env == env && next->at_ns == now_ns; next = world_peek(world)) {
        next = world_pop(world);
        is_quiet = is_quiet && next->is_quiet;
        next->run(next);
    }
    if (is_quiet) {
        return;
    }
    LIST_FOREACH (link, &env->turns) {
        struct env_turn *hook = CONTAINER_OF(link, struct env_turn, link);
        hook->run(hook);
    }
}

enum env_end env_sim_turn(struct env *env, struct world_event *event)
{
    struct turn turn = {env, event};
    return env_sim_call(env, run_turn, &turn);
}

/* ---- time and chance ---- */

static uint64_t local_ns(const struct env *env, uint64_t true_ns)
{
    const struct host *host = env->host;
    uint64_t rate = (uint64_t)(PPM + host->clock_ppm);
    return true_ns / PPM * rate + true_ns % PPM * rate / PPM + host->clock_offset_ns;
}

/* A span of the local clock in true time. */
static uint64_t true_span(const struct env *env, uint64_t span_ns)
{
    uint64_t rate = (uint64_t)(PPM + env->host->clock_ppm);
    return span_ns / rate * PPM + span_ns % rate * PPM / rate;
}

static uint64_t now_ns(const struct env *env)
{
    return world_now_ns(env->sim->world) + env->spent_ns;
}

uint64_t env_now_ns(struct env *env)
{
    return local_ns(env, now_ns(env));
}

uint64_t env_now_ms(struct env *env)
{
    return local_ns(env, world_now_ns(env->sim->world)) / SIM_MS;
}

uint64_t env_wall_ms(struct env *env)
{
    const uint64_t epoch_ms = UINT64_C(1767225600000); /* 2026-01-01 */
    return epoch_ms + env_now_ms(env) + (uint64_t)env->host->wall_skew_ms;
}

uint64_t env_random(struct env *env)
{
    return prng_next(&env->chance);
}

/* ---- timers ---- */

struct timer {
    struct world_event event;
    struct env_timer *owner;
    uint64_t repeat_ns; /* true time; 0: once */
};

static void on_timer(struct world_event *event)
{
    struct timer *timer = CONTAINER_OF(event, struct timer, event);
    struct env *env = event->env;
    if (timer->repeat_ns > 0) {
        env_sim_schedule(env, event, world_now_ns(env->sim->world) + timer->repeat_ns);
    }
    timer->owner->fire(timer->owner);
}

void env_timer_init(struct env *env, struct env_timer *timer, void (*fire)(struct env_timer *))
{
    struct timer *impl = mem_calloc(1, sizeof(*impl));
    impl->event.run = on_timer;
    impl->owner = timer;
    *timer = (struct env_timer){.fire = fire, .impl = impl, .env = env};
}

void env_timer_start(struct env_timer *timer, uint64_t delay_ms, uint64_t repeat_ms)
{
    struct timer *impl = timer->impl;
    struct env *env = timer->env;
    impl->repeat_ns = true_span(env, repeat_ms * SIM_MS);
    env_sim_schedule(env, &impl->event, now_ns(env) + true_span(env, delay_ms * SIM_MS));
}

void env_timer_stop(struct env_timer *timer)
{
    struct timer *impl = timer->impl;
    if (impl != NULL) {
        world_cancel(timer->env->sim->world, &impl->event);
    }
}

void env_timer_deinit(struct env_timer *timer)
{
    env_timer_stop(timer);
    mem_free(timer->impl);
    timer->impl = NULL;
}

/* ---- turns ---- */

void env_turn_add(struct env *env, struct env_turn *turn)
{
    list_push_back(&env->turns, &turn->link);
}

void env_turn_remove(struct env *env, struct env_turn *turn)
{
    (void)env;
    list_remove(&turn->link);
}

void env_turn_wake(struct env *env)
{
    if (!world_is_scheduled(&env->wake)) {
        env_sim_schedule(env, &env->wake, now_ns(env) + 1);
    }
}

/* ---- workers ---- */

struct env_worker {
    struct env *env;
    struct list waiting; /* of env_job.link */
    struct env_job *job; /* has run, its done is to come */
    uint64_t waited_ns;  /* before it ran */
    struct world_event start;
    struct world_event done;
};

static uint64_t hand_over_ns(struct env *env)
{
    return chance_between(&env->timing, HAND_OVER_NS_MIN, HAND_OVER_NS_MAX);
}

static struct env_job *run_job(struct env_worker *worker)
{
    struct env_job *job = CONTAINER_OF(worker->waiting.next, struct env_job, link);
    list_remove(&job->link);
    job->run(job);
    return job;
}

static void start_next(struct env_worker *worker)
{
    if (worker->job == NULL && !list_is_empty(&worker->waiting) &&
        !world_is_scheduled(&worker->start)) {
        struct env *env = worker->env;
        uint64_t write_ns = env_sim_write_ns(env, 0); /* one a statement: dice have an order */
        worker->waited_ns = write_ns + env_sim_sync_ns(env);
        env_sim_schedule(env, &worker->start, now_ns(env) + hand_over_ns(env) + worker->waited_ns);
    }
}

static void on_start(struct world_event *event)
{
    struct env_worker *worker = CONTAINER_OF(event, struct env_worker, start);
    struct env *env = worker->env;
    ASSERT(worker->job == NULL);
    env->is_in_job = true;
    env->spent_ns = 0;
    worker->job = run_job(worker);
    uint64_t spent_ns = env->spent_ns > worker->waited_ns ? env->spent_ns - worker->waited_ns : 0;
    env->spent_ns = 0;
    env->is_in_job = false;
    env_sim_schedule(env, &worker->done,
                     world_now_ns(env->sim->world) + spent_ns + hand_over_ns(env));
}

static void on_done(struct world_event *event)
{
    struct env_worker *worker = CONTAINER_OF(event, struct env_worker, done);
    struct env_job *job = worker->job;
    worker->job = NULL;
    job->done(job);
    start_next(worker);
}

err env_worker_open(struct env *env, const char *name, struct env_worker **out_worker)
{
    (void)name;
    struct env_worker *worker = mem_calloc(1, sizeof(*worker));
    worker->env = env;
    worker->start = (struct world_event){.run = on_start, .env = env, .is_quiet = true};
    worker->done = (struct world_event){.run = on_done, .env = env};
    list_init(&worker->waiting);
    *out_worker = worker;
    return OK;
}

void env_worker_submit(struct env_worker *worker, struct env_job *job)
{
    list_push_back(&worker->waiting, &job->link);
    start_next(worker);
}

void env_worker_close(struct env_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    struct world *world = worker->env->sim->world;
    world_cancel(world, &worker->start);
    world_cancel(world, &worker->done);
    for (;;) {
        if (worker->job == NULL && !list_is_empty(&worker->waiting)) {
            worker->job = run_job(worker);
        }
        struct env_job *job = worker->job;
        if (job == NULL) {
            break;
        }
        worker->job = NULL;
        job->done(job);
        world_cancel(world, &worker->start);
    }
    mem_free(worker);
}

/* ---- the disk's pace ---- */

void env_sim_spend(struct env *env, uint64_t ns)
{
    env->spent_ns += ns;
}

static uint64_t disk_ns(struct env *env, uint64_t typical_ns)
{
    const struct host *host = env->host;
    uint64_t ns = typical_ns / 2 + prng_below(&env->timing, typical_ns + 1);
    if (prng_below(&env->timing, 64) == 0) {
        ns *= 8; /* now and then a disk takes its time */
    }
    return now_ns(env) < host->slow_until_ns ? ns * host->slow_factor : ns;
}

uint64_t env_sim_write_ns(struct env *env, size_t size)
{
    return disk_ns(env, env->sim->plan.write_ns) + size / 2; /* two gigabytes a second */
}

uint64_t env_sim_sync_ns(struct env *env)
{
    uint64_t ns = disk_ns(env, env->sim->plan.sync_ns);
    uint64_t now = now_ns(env);
    uint64_t free_ns = env->host->stalled_until_ns;
    return now + ns < free_ns ? free_ns - now : ns;
}

bool env_sim_is_full(struct env *env, const struct inode *inode, uint64_t end)
{
    struct host *host = env->host;
    if (!host->is_full || end <= inode_extent(inode)) {
        return false;
    }
    host->was_refused = true;
    sim_count(env->sim, SIM_DISK_FULL, 1);
    return true;
}

bool env_sim_sync_fails(struct env *env)
{
    struct host *host = env->host;
    /* Not on a full disk: LMDB tells both as EIO, and a full disk is tried again. */
    if (host->is_full || host->syncs_until_error == 0 || --host->syncs_until_error > 0) {
        return false;
    }
    host->has_sync_failed = true;
    host->sync_failed_ns = world_now_ns(env->sim->world);
    sim_count(env->sim, SIM_SYNC_ERROR, 1);
    return true;
}
