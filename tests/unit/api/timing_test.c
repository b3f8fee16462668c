#include "api_testing.h"

/* The field Server-Timing is there, with `row` at its front and the total at its end. */
static void assert_timing(struct fixture *f, const char *row)
{
    const char *timing = field_of(f, "Server-Timing");
    assert_non_null(timing);
    assert_memory_equal(timing, row, strlen(row));
    assert_non_null(strstr(timing, "total;dur="));
    assert_field(f, "Preference-Applied", "timing");
}

static void a_write_says_what_its_time_went_into(void **state)
{
    struct fixture *f = *state;
    f->node.times =
        (struct write_times){.queue_us = 1, .fsync_us = 20300, .replicate_us = 1000, .apply_us = 0};
    request(f, "PUT /kv/a", "Prefer: timing\r\n", "1");
    assert_int_equal(f->status, 201);
    assert_timing(f, "queue;dur=0.001, fsync;dur=20.300, replicate;dur=1.000, total;dur=");
    f->node.times.apply_us = UINT32_MAX;
    request(f, "DELETE /kv/a", "Prefer: respond-async, Timing;x=1\r\n", NULL);
    assert_timing(f, "queue;dur=0.001, fsync;dur=20.300, replicate;dur=1.000, "
                     "apply;dur=4294967.295, total;dur=");
}

static void a_read_says_how_long_its_index_took(void **state)
{
    struct fixture *f = *state;
    f->node.index_us = 1234;
    request(f, "GET /kv/a", "Prefer: timing\r\n", NULL);
    assert_int_equal(f->status, 404);
    assert_timing(f, "index;dur=1.234, total;dur=");
    request(f, "GET /kv/a?consistency=stale", "Prefer: timing\r\n", NULL);
    assert_timing(f, "total;dur=");
}

static void a_refusal_says_it_too(void **state)
{
    struct fixture *f = *state;
    f->node.e = ERR_NO_LEADER;
    request(f, "PUT /kv/a", "Prefer: timing\r\n", "1");
    assert_int_equal(f->status, 503);
    assert_timing(f, "total;dur=");
}

static void who_does_not_ask_is_told_nothing(void **state)
{
    struct fixture *f = *state;
    const char *const others[] = {"", "Prefer: timings\r\n", "Prefer: x;timing\r\n",
                                  "Prefer: ,;, \r\n"};
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        request(f, "PUT /kv/a", others[i], "1");
        assert_null(field_of(f, "Server-Timing"));
        assert_null(field_of(f, "Preference-Applied"));
        request(f, "GET /kv/a", others[i], NULL);
        assert_null(field_of(f, "Server-Timing"));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(a_write_says_what_its_time_went_into),
        TEST(a_read_says_how_long_its_index_took),
        TEST(a_refusal_says_it_too),
        TEST(who_does_not_ask_is_told_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
