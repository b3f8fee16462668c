#include "env_testing.h"

static struct env *env;

struct alarm {
    struct env_timer timer;
    unsigned count;
    uint64_t fired_ns;
    bool has_fired;
};

static struct alarm alarm_under_test;

static void note_alarm(struct env_timer *timer)
{
    struct alarm *alarm = CONTAINER_OF(timer, struct alarm, timer);
    alarm->count++;
    alarm->fired_ns = env_now_ns(timer->env);
    alarm->has_fired = true;
}

static int set_up(void **state)
{
    (void)state;
    env = env_uv_open();
    alarm_under_test = (struct alarm){.count = 0};
    env_timer_init(env, &alarm_under_test.timer, note_alarm);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    env_timer_deinit(&alarm_under_test.timer);
    env_uv_close(env);
    return 0;
}

static void clocks_go_forward(void **state)
{
    (void)state;
    uint64_t ns = env_now_ns(env);
    assert_true(env_now_ns(env) >= ns);
    env_uv_run_once(env, false);
    assert_in_range(env_now_ms(env), ns / 1000000 - 1000, ns / 1000000 + PATIENCE_MS);
    assert_true(env_wall_ms(env) > UINT64_C(1700000000000));
}

static void random_numbers_differ(void **state)
{
    (void)state;
    assert_int_not_equal(env_random(env), env_random(env));
}

static void a_timer_fires_once_and_not_too_early(void **state)
{
    (void)state;
    uint64_t start_ns = env_now_ns(env);
    env_timer_start(&alarm_under_test.timer, 10, 0);
    run_until(env, &alarm_under_test.has_fired);
    assert_true(alarm_under_test.fired_ns - start_ns >=
                9000000); /* libuv's clock is a coarse one */
    env_uv_run_once(env, false);
    assert_int_equal(alarm_under_test.count, 1);
}

static void a_timer_that_is_started_late_in_a_long_turn_is_not_early(void **state)
{
    (void)state;
    env_uv_run_once(env, false);
    uint64_t begin_ns = env_now_ns(env);
    while (env_now_ns(env) - begin_ns < 30000000) {
    }
    uint64_t start_ns = env_now_ns(env);
    env_timer_start(&alarm_under_test.timer, 20, 0);
    run_until(env, &alarm_under_test.has_fired);
    assert_true(alarm_under_test.fired_ns - start_ns >= 19000000);
}

static void a_timer_repeats_until_it_is_stopped(void **state)
{
    (void)state;
    env_timer_start(&alarm_under_test.timer, 0, 1);
    while (alarm_under_test.count < 3) {
        alarm_under_test.has_fired = false;
        run_until(env, &alarm_under_test.has_fired);
    }
    env_timer_stop(&alarm_under_test.timer);
    unsigned count = alarm_under_test.count;
    struct alarm later = {.count = 0};
    env_timer_init(env, &later.timer, note_alarm);
    env_timer_start(&later.timer, 10, 0);
    run_until(env, &later.has_fired);
    env_timer_deinit(&later.timer);
    assert_int_equal(alarm_under_test.count, count);
}

static void a_restart_replaces_the_start(void **state)
{
    (void)state;
    uint64_t start_ns = env_now_ns(env);
    env_timer_start(&alarm_under_test.timer, PATIENCE_MS * 2, 0);
    env_timer_start(&alarm_under_test.timer, 1, 0);
    run_until(env, &alarm_under_test.has_fired);
    assert_true(alarm_under_test.fired_ns - start_ns < UINT64_C(1000000) * PATIENCE_MS);
}

static bool is_gone;

static void free_alarm(struct env_timer *timer)
{
    struct alarm *alarm = CONTAINER_OF(timer, struct alarm, timer);
    env_timer_deinit(timer);
    env_timer_deinit(timer);
    free(alarm);
    is_gone = true;
}

static void a_timer_may_free_itself_when_it_fires(void **state)
{
    (void)state;
    struct alarm *alarm = calloc(1, sizeof(*alarm));
    assert_non_null(alarm);
    is_gone = false;
    env_timer_init(env, &alarm->timer, free_alarm);
    env_timer_start(&alarm->timer, 1, 1);
    run_until(env, &is_gone);
    env_uv_run_once(env, false);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(clocks_go_forward),
        TEST(random_numbers_differ),
        TEST(a_timer_fires_once_and_not_too_early),
        TEST(a_timer_that_is_started_late_in_a_long_turn_is_not_early),
        TEST(a_timer_repeats_until_it_is_stopped),
        TEST(a_restart_replaces_the_start),
        TEST(a_timer_may_free_itself_when_it_fires),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
