#include <signal.h>

#include "env/uv.h"
#include "env_testing.h"

static struct env *env;

static int set_up(void **state)
{
    (void)state;
    env = env_uv_open();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    env_uv_close(env);
    return 0;
}

/* A hook that writes its name down and then does `then`. */
struct hook {
    struct env_turn turn;
    char name;
    void (*then)(struct hook *hook);
};

static char trace[4096];
static size_t trace_size;

static void trace_add(char name)
{
    if (trace_size < sizeof(trace) - 1) {
        trace[trace_size] = name;
        trace_size++;
        trace[trace_size] = '\0';
    }
}

static void trace_clear(void)
{
    trace_size = 0;
    trace[0] = '\0';
}

static void run_hook(struct env_turn *turn)
{
    struct hook *hook = CONTAINER_OF(turn, struct hook, turn);
    trace_add(hook->name);
    if (hook->then != NULL) {
        hook->then(hook);
    }
}

static struct hook hooks[4];

static void add_hooks(size_t count)
{
    trace_clear();
    for (size_t i = 0; i < count; i++) {
        hooks[i] = (struct hook){.turn = {.run = run_hook}, .name = (char)('a' + i)};
        env_turn_add(env, &hooks[i].turn);
    }
}

static void remove_hooks(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        env_turn_remove(env, &hooks[i].turn);
    }
}

/* Ends two turns: what was there before, and its own. */
static void run_one_turn(void)
{
    env_uv_run_once(env, false);
}

static void an_environment_has_a_loop_of_its_own(void **state)
{
    (void)state;
    struct env *other = env_uv_open();
    assert_ptr_not_equal(env_uv_loop(env), env_uv_loop(other));
    assert_ptr_not_equal(env_uv_loop(env), uv_default_loop());
    env_uv_close(other);
    env_uv_close(NULL);
}

static void hooks_run_in_the_order_of_their_registration(void **state)
{
    (void)state;
    add_hooks(3);
    run_one_turn();
    assert_string_equal(trace, "abcabc");
    remove_hooks(3);
    trace_clear();
    run_one_turn();
    assert_string_equal(trace, "");
}

static void remove_self(struct hook *hook)
{
    env_turn_remove(env, &hook->turn);
}

static void remove_next(struct hook *hook)
{
    env_turn_remove(env, &hook[1].turn);
}

static void remove_previous(struct hook *hook)
{
    env_turn_remove(env, &hook[-1].turn);
}

static void a_hook_may_remove_any_hook(void **state)
{
    (void)state;
    const struct {
        void (*then)(struct hook *hook);
        const char *expected;
    } cases[] = {{remove_self, "abcac"}, {remove_next, "abab"}, {remove_previous, "abcbc"}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        add_hooks(3);
        hooks[1].then = cases[i].then;
        run_one_turn();
        assert_string_equal(trace, cases[i].expected);
        remove_hooks(3);
    }
}

static void add_another(struct hook *hook)
{
    hook->then = NULL;
    hooks[3] = (struct hook){.turn = {.run = run_hook}, .name = 'd'};
    env_turn_add(env, &hooks[3].turn);
}

static void a_hook_that_is_added_by_a_hook_comes_after_all_others(void **state)
{
    (void)state;
    add_hooks(3);
    hooks[0].then = add_another;
    run_one_turn();
    assert_string_equal(trace, "abcdabcd");
    remove_hooks(4);
}

static void stop_loop(struct env_timer *timer)
{
    trace_add('t');
    env_uv_stop(timer->env);
}

static void a_turn_in_which_only_a_timer_fired_has_its_hooks(void **state)
{
    (void)state;
    struct env_timer timer;
    add_hooks(1);
    env_timer_init(env, &timer, stop_loop);
    env_timer_start(&timer, 5, 0);
    env_uv_run(env);
    assert_non_null(strstr(trace, "ta"));
    env_timer_deinit(&timer);
    remove_hooks(1);
}

static void an_idle_loop_sleeps(void **state)
{
    (void)state;
    struct env_timer timer;
    add_hooks(1);
    env_timer_init(env, &timer, stop_loop);
    env_timer_start(&timer, 50, 0);
    env_turn_wake(env);
    env_uv_run(env);
    assert_true(trace_size < 10);
    env_timer_deinit(&timer);
    remove_hooks(1);
}

static size_t wakes_left;

static void wake_or_stop(struct hook *hook)
{
    (void)hook;
    if (wakes_left == 0) {
        env_uv_stop(env);
        return;
    }
    wakes_left--;
    env_turn_wake(env);
}

static void a_hook_that_wakes_gets_another_turn_without_an_event(void **state)
{
    (void)state;
    wakes_left = 10;
    add_hooks(1);
    hooks[0].then = wake_or_stop;
    env_uv_run(env); /* would sleep for ever */
    assert_int_equal(wakes_left, 0);
    remove_hooks(1);
}

static void a_wake_before_the_run_is_not_lost(void **state)
{
    (void)state;
    wakes_left = 0;
    add_hooks(1);
    hooks[0].then = wake_or_stop;
    env_turn_wake(env);
    env_uv_run(env);
    assert_memory_equal(trace, "a", 1);
    remove_hooks(1);
}

static void a_stop_before_the_run_ends_it_at_once(void **state)
{
    (void)state;
    add_hooks(1);
    env_uv_stop(env);
    env_uv_run(env);
    assert_string_equal(trace, "a"); /* the end of the last turn is never left out */
    remove_hooks(1);
}

static void the_turn_of_a_stop_has_its_end(void **state)
{
    (void)state;
    struct env_timer timer;
    add_hooks(1);
    env_timer_init(env, &timer, stop_loop);
    env_timer_start(&timer, 1, 0);
    env_uv_run(env);
    assert_int_equal(trace[trace_size - 1], 'a');
    env_timer_deinit(&timer);
    remove_hooks(1);
}

static int signum_received;
static bool has_received;

static void on_signal(void *ctx, int signum)
{
    assert_ptr_equal(ctx, &signum_received);
    signum_received = signum;
    has_received = true;
}

static void signals_arrive_on_the_loop(void **state)
{
    (void)state;
    const int signums[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < 3; i++) {
        env_uv_on_signal(env, signums[i], on_signal, &signum_received);
    }
    for (size_t i = 0; i < 3; i++) {
        has_received = false;
        assert_int_equal(raise(signums[i]), 0);
        assert_false(has_received);
        run_until(env, &has_received);
        assert_int_equal(signum_received, signums[i]);
    }
}

static void a_broken_pipe_does_not_end_the_process(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(close(fds[0]), 0);
    assert_int_equal(write(fds[1], "x", 1), -1);
    assert_int_equal(close(fds[1]), 0);
}

static void do_nothing(struct env_timer *timer)
{
    (void)timer;
}

/* Works for a while, and has another turn in which nothing is done. */
static void work(struct hook *hook)
{
    uint64_t end_ns = env_now_ns(env) + 20000000;
    while (env_now_ns(env) < end_ns) {
    }
    hook->then = NULL;
}

static void what_a_turn_works_is_measured_and_what_it_sleeps_is_not(void **state)
{
    (void)state;
    const struct histogram *turns = env_uv_turn_us(env);
    add_hooks(1);
    env_uv_run_once(env, false);
    assert_int_equal(turns->count, 0); /* before the first turn's end there is no span */
    hooks[0].then = work;
    env_turn_wake(env);
    env_uv_run_once(env, false);
    env_uv_run_once(env, false);
    assert_true(turns->count > 0);
    assert_true(turns->sum >= 20000);
    uint64_t worked_us = turns->sum;
    struct env_timer timer;
    env_timer_init(env, &timer, do_nothing);
    env_timer_start(&timer, 60, 0);
    env_uv_run_once(env, true);
    env_uv_run_once(env, false);
    assert_true(turns->sum < worked_us + 50000);
    env_timer_deinit(&timer);
    env_turn_remove(env, &hooks[0].turn);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_environment_has_a_loop_of_its_own),
        TEST(hooks_run_in_the_order_of_their_registration),
        TEST(a_hook_may_remove_any_hook),
        TEST(a_hook_that_is_added_by_a_hook_comes_after_all_others),
        TEST(a_turn_in_which_only_a_timer_fired_has_its_hooks),
        TEST(an_idle_loop_sleeps),
        TEST(a_hook_that_wakes_gets_another_turn_without_an_event),
        TEST(a_wake_before_the_run_is_not_lost),
        TEST(a_stop_before_the_run_ends_it_at_once),
        TEST(the_turn_of_a_stop_has_its_end),
        TEST(signals_arrive_on_the_loop),
        TEST(a_broken_pipe_does_not_end_the_process),
        TEST(what_a_turn_works_is_measured_and_what_it_sleeps_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
