#include "base/metrics.h"
#include "base_testing.h"

static struct metrics *metrics;
static struct writer page;

static int set_up(void **state)
{
    (void)state;
    metrics = metrics_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    metrics_free(metrics);
    writer_deinit(&page);
    return 0;
}

static const char *render(void)
{
    writer_reset(&page);
    metrics_render(metrics, &page);
    writer_u8(&page, 0);
    return (const char *)page.data;
}

static double read_half(void *ctx)
{
    (void)ctx;
    return 0.5;
}

static double read_number(void *ctx)
{
    return *(double *)ctx;
}

static void an_empty_registry_renders_nothing(void **state)
{
    (void)state;
    assert_string_equal(render(), "");
    metrics_free(NULL);
}

static void counters_gauges_and_reads_show_their_values_of_now(void **state)
{
    (void)state;
    struct counter counter = {.value = 41};
    struct gauge gauge = {.value = -3};
    metrics_add_counter(metrics, "a_total", "Things.", NULL, &counter);
    metrics_add_gauge(metrics, "b", "Level.", "kind=\"x\"", &gauge);
    metrics_add_read(metrics, "c", "Share.", false, read_half, NULL);
    metrics_add_read(metrics, "d_total", "Seconds.", true, read_half, NULL);
    counter_add(&counter, 1);
    assert_string_equal(render(), "# HELP a_total Things.\n"
                                  "# TYPE a_total counter\n"
                                  "a_total 42\n"
                                  "# HELP b Level.\n"
                                  "# TYPE b gauge\n"
                                  "b{kind=\"x\"} -3\n"
                                  "# HELP c Share.\n"
                                  "# TYPE c gauge\n"
                                  "c 0.5\n"
                                  "# HELP d_total Seconds.\n"
                                  "# TYPE d_total counter\n"
                                  "d_total 0.5\n");
}

static void metrics_of_one_name_stand_together_under_one_help(void **state)
{
    (void)state;
    struct counter counters[3] = {{.value = 1}, {.value = 2}, {.value = 3}};
    metrics_add_counter(metrics, "a_total", "A.", "code=\"200\"", &counters[0]);
    metrics_add_counter(metrics, "b_total", "B.", NULL, &counters[1]);
    metrics_add_counter(metrics, "a_total", "A.", "code=\"503\"", &counters[2]);
    assert_string_equal(render(), "# HELP a_total A.\n"
                                  "# TYPE a_total counter\n"
                                  "a_total{code=\"200\"} 1\n"
                                  "a_total{code=\"503\"} 3\n"
                                  "# HELP b_total B.\n"
                                  "# TYPE b_total counter\n"
                                  "b_total 2\n");
}

static void more_metrics_than_fit_at_first_are_kept(void **state)
{
    (void)state;
    static struct counter counters[1000];
    for (size_t i = 0; i < 1000; i++) {
        counters[i].value = i;
        metrics_add_counter(metrics, i % 2 == 0 ? "even_total" : "odd_total", "N.", NULL,
                            &counters[i]);
    }
    const char *text = render();
    assert_non_null(strstr(text, "even_total 0\neven_total 2\neven_total 4\n"));
    assert_non_null(strstr(text, "even_total 998\n# HELP odd_total"));
    assert_non_null(strstr(text, "odd_total 997\nodd_total 999\n"));
}

static void special_doubles_have_their_own_words(void **state)
{
    (void)state;
    double value = __builtin_nan("");
    metrics_add_read(metrics, "x", "X.", false, read_number, &value);
    assert_non_null(strstr(render(), "\nx NaN\n"));
    value = __builtin_inf();
    assert_non_null(strstr(render(), "\nx +Inf\n"));
    value = -__builtin_inf();
    assert_non_null(strstr(render(), "\nx -Inf\n"));
    value = 1e-6;
    assert_non_null(strstr(render(), "\nx 1e-06\n"));
    value = 123456789012345;
    assert_non_null(strstr(render(), "\nx 123456789012345\n"));
}

static void buckets_are_cumulative_and_end_in_the_count(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    const uint64_t values[] = {0, 1, 2, 3, 4, UINT64_C(1) << 26, (UINT64_C(1) << 26) - 1};
    for (size_t i = 0; i < 7; i++) {
        histogram_observe(&histogram, values[i]);
    }
    metrics_add_histogram(metrics, "h", "H.", "stage=\"x\"", &histogram, 1);
    const char *text = render();
    assert_non_null(strstr(text, "# TYPE h histogram\n"
                                 "h_bucket{stage=\"x\",le=\"0\"} 1\n"
                                 "h_bucket{stage=\"x\",le=\"1\"} 2\n"
                                 "h_bucket{stage=\"x\",le=\"3\"} 4\n"
                                 "h_bucket{stage=\"x\",le=\"7\"} 5\n"
                                 "h_bucket{stage=\"x\",le=\"15\"} 5\n"));
    assert_non_null(strstr(text, "h_bucket{stage=\"x\",le=\"33554431\"} 5\n"
                                 "h_bucket{stage=\"x\",le=\"67108863\"} 6\n"
                                 "h_bucket{stage=\"x\",le=\"+Inf\"} 7\n"
                                 "h_sum{stage=\"x\"} 134217737\n"
                                 "h_count{stage=\"x\"} 7\n"));
}

static void a_scale_turns_microseconds_into_seconds(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    histogram_observe(&histogram, 1500);
    metrics_add_histogram(metrics, "h_seconds", "H.", NULL, &histogram, 1e-6);
    const char *text = render();
    assert_non_null(strstr(text, "h_seconds_bucket{le=\"0.001023\"} 0\n"
                                 "h_seconds_bucket{le=\"0.002047\"} 1\n"));
    assert_non_null(strstr(text, "h_seconds_bucket{le=\"67.108863\"} 1\n"));
    assert_non_null(strstr(text, "h_seconds_sum 0.0015\nh_seconds_count 1\n"));
}

static void a_quantile_is_never_below_the_true_one(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
    for (uint64_t i = 1; i <= 100; i++) {
        histogram_observe(&histogram, i);
    }
    assert_int_equal(histogram_quantile(&histogram, 0.5), 63);
    assert_int_equal(histogram_quantile(&histogram, 0.99), 127);
    assert_int_equal(histogram_quantile(&histogram, 0.01), 1);
    struct histogram large = {0};
    histogram_observe(&large, UINT64_C(1) << 40);
    assert_true(histogram_quantile(&large, 0.5) >= UINT64_C(1) << 40);
}

static void add_with_another_help(void)
{
    static struct counter counter;
    struct metrics *own = metrics_new();
    metrics_add_counter(own, "a_total", "A.", NULL, &counter);
    metrics_add_counter(own, "a_total", "Another.", NULL, &counter);
}

static void add_with_a_bad_name(void)
{
    static struct counter counter;
    metrics_add_counter(metrics_new(), "a-total", "A.", NULL, &counter);
}

static void what_prometheus_would_refuse_is_an_assert(void **state)
{
    (void)state;
    static struct death death;
    void (*const cases[])(void) = {add_with_another_help, add_with_a_bad_name};
    for (size_t i = 0; i < 2; i++) {
        death_of(cases[i], &death);
        assert_true(WIFSIGNALED(death.status));
        assert_non_null(strstr(death.text, "assert failed: "));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_registry_renders_nothing),
        TEST(counters_gauges_and_reads_show_their_values_of_now),
        TEST(metrics_of_one_name_stand_together_under_one_help),
        TEST(more_metrics_than_fit_at_first_are_kept),
        TEST(special_doubles_have_their_own_words),
        TEST(buckets_are_cumulative_and_end_in_the_count),
        TEST(a_scale_turns_microseconds_into_seconds),
        TEST(a_quantile_is_never_below_the_true_one),
        TEST(what_prometheus_would_refuse_is_an_assert),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
