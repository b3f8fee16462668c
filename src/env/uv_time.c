/* Clocks, chance and timers. */
#include <errno.h>
#include <sys/random.h>
#include <time.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/uv_int.h"

#define NS_PER_MS UINT64_C(1000000)

uint64_t env_now_ns(struct env *env)
{
    (void)env;
    return uv_hrtime();
}

uint64_t env_now_ms(struct env *env)
{
    return uv_now(&env->loop);
}

uint64_t env_wall_ms(struct env *env)
{
    (void)env;
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) {
        fatal(errno, "read the clock");
    }
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / NS_PER_MS;
}

uint64_t env_random(struct env *env)
{
    (void)env;
    uint64_t value;
    ssize_t count;
    do {
        count = getrandom(&value, sizeof(value), 0);
    } while (count < 0 && errno == EINTR);
    if (count != (ssize_t)sizeof(value)) {
        fatal(count < 0 ? errno : 0, "draw random bytes");
    }
    return value;
}

/*
 * libuv gives a handle's memory back only some time after uv_close, but our timer's struct may go
 * at once: so the handle has a block of its own.
 */
struct timer_impl {
    uv_timer_t handle;
    struct env_timer *timer; /* NULL once it is gone */
};

static void on_timer(uv_timer_t *handle)
{
    struct timer_impl *impl = CONTAINER_OF(handle, struct timer_impl, handle);
    struct env_timer *timer = impl->timer;
    ASSERT(timer != NULL);
    if (timer->env->is_single_turn) {
        /* libuv fires due timers first and would then sleep until something else happens. */
        uv_stop(&timer->env->loop);
    }
    timer->fire(timer);
}

static void on_timer_closed(uv_handle_t *handle)
{
    mem_free(CONTAINER_OF(handle, struct timer_impl, handle));
}

void env_timer_init(struct env *env, struct env_timer *timer, void (*fire)(struct env_timer *))
{
    ASSERT(fire != NULL);
    struct timer_impl *impl = mem_calloc(1, sizeof(*impl));
    (void)uv_timer_init(&env->loop, &impl->handle);
    impl->timer = timer;
    *timer = (struct env_timer){.fire = fire, .impl = impl, .env = env};
}

void env_timer_start(struct env_timer *timer, uint64_t delay_ms, uint64_t repeat_ms)
{
    struct timer_impl *impl = timer->impl;
    ASSERT(impl != NULL);
    /* libuv counts from the start of the turn: after a long one a timer would fire too early. */
    uint64_t now_ms = uv_hrtime() / NS_PER_MS;
    uint64_t turn_ms = uv_now(&timer->env->loop);
    uint64_t late_ms = now_ms > turn_ms ? now_ms - turn_ms : 0;
    int status = uv_timer_start(&impl->handle, on_timer, delay_ms + late_ms, repeat_ms);
    ASSERT(status == 0);
}

void env_timer_stop(struct env_timer *timer)
{
    struct timer_impl *impl = timer->impl;
    ASSERT(impl != NULL);
    (void)uv_timer_stop(&impl->handle);
}

void env_timer_deinit(struct env_timer *timer)
{
    struct timer_impl *impl = timer->impl;
    if (impl != NULL) {
        timer->impl = NULL;
        impl->timer = NULL;
        uv_close((uv_handle_t *)&impl->handle, on_timer_closed);
    }
}
