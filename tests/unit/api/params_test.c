#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "api/params.h"

struct outcome_of_query {
    err e;
    struct kv_params params;
    struct problem problem;
};

static uint8_t memory[512];

static struct outcome_of_query parse(const char *text, bool is_write)
{
    struct outcome_of_query outcome = {.params = {.timeout_ms = 5000}};
    struct http_query query = http_query_of(slice_from_text(text), memory);
    outcome.e = api_params_parse_kv(&query, is_write, &outcome.params, &outcome.problem);
    return outcome;
}

static void what_is_not_said_stays_as_it_was(void **state)
{
    (void)state;
    const char *long_name = "a-name-that-is-much-longer-than-any-that-was-ever-given-to-one-of-our-"
                            "own-parameters=1";
    const char *const queries[] = {"", "&&", "ID=1&x&=y", "consistency=linearizable", long_name};
    for (size_t i = 0; i < ARRAY_COUNT(queries); i++) {
        struct outcome_of_query outcome = parse(queries[i], true);
        assert_int_equal(outcome.e, OK);
        assert_int_equal(outcome.params.consistency, READ_LINEARIZABLE);
        assert_int_equal(outcome.params.timeout_ms, 5000);
        assert_int_equal(outcome.problem.parameter.size, 0);
    }
}

static void known_parameters_are_taken_decoded(void **state)
{
    (void)state;
    struct outcome_of_query outcome = parse("timeout=%35s&consistency=stale", false);
    assert_int_equal(outcome.e, OK);
    assert_int_equal(outcome.params.consistency, READ_STALE);
    assert_int_equal(outcome.params.timeout_ms, 5000);
    assert_int_equal(parse("timeout=60s", false).params.timeout_ms, 60000);
    assert_int_equal(parse("timeout=1ms", false).params.timeout_ms, 1);
}

static void bad_values_are_refused_with_what_would_do(void **state)
{
    (void)state;
    const char *const bad[] = {"timeout=0s", "timeout=61s", "timeout=5",
                               "timeout=",   "timeout",     "timeout=-1s"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct outcome_of_query outcome = parse(bad[i], false);
        assert_int_equal(outcome.e, ERR_BAD_REQUEST);
        assert_non_null(strstr(outcome.problem.detail, "1ms to 60s"));
        assert_true(slice_equal(outcome.problem.parameter, SLICE_LITERAL("timeout")));
    }
    assert_int_equal(parse("consistency=Stale", false).e, ERR_BAD_REQUEST);
    assert_int_equal(parse("timeout=1s&timeout=2s", false).e, ERR_BAD_REQUEST);
    assert_int_equal(parse("timeout=%zz", false).e, ERR_BAD_REQUEST);
    assert_int_equal(parse("%4=1", false).e, ERR_BAD_REQUEST);
}

static void a_near_miss_is_not_taken_for_somebody_elses(void **state)
{
    (void)state;
    const char *const cases[][2] = {
        {"tll=30s", "ttl"},
        {"tlt=30s", "ttl"},
        {"timout=1s", "timeout"},
        {"tiemout=1s", "timeout"},
        {"consistancy=stale", "consistency"},
        {"leese=1", "lease"},
        {"wati=1s", "wait"},
        {"ca%73s=1", "cas"},
        {"max_staleness=1s", "max-staleness"},
        {"TTL=30s", "ttl"},
        {"Op=incr", "op"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct outcome_of_query outcome = parse(cases[i][0], false);
        assert_int_equal(outcome.e, ERR_BAD_REQUEST);
        assert_string_equal(outcome.problem.did_you_mean, cases[i][1]);
    }
    const char *const others[] = {"cat=1", "tt=1", "car=1", "tax=1", "o=1", "time=1", "by2=1"};
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        assert_int_equal(parse(others[i], false).e, OK);
    }
}

static void what_is_of_reads_is_refused_on_writes(void **state)
{
    (void)state;
    static const char *const queries[] = {"at=3", "wait=3s", "index=3"};
    for (size_t i = 0; i < ARRAY_COUNT(queries); i++) {
        assert_int_equal(parse(queries[i], false).e, OK);
        struct outcome_of_query outcome = parse(queries[i], true);
        assert_int_equal(outcome.e, ERR_BAD_REQUEST);
        assert_non_null(strstr(outcome.problem.detail, "is of reads; this is a write"));
    }
    struct outcome_of_query outcome = parse("index=42&wait=1s&at=7", false);
    assert_int_equal(outcome.params.index, 42);
    assert_true(outcome.params.has_index && outcome.params.has_wait);
    assert_int_equal(outcome.params.wait_ms, 1000);
    assert_int_equal(outcome.params.at, 7);
}

static void what_is_of_writes_is_refused_on_reads(void **state)
{
    (void)state;
    static const char *const queries[] = {"ttl=30s", "cas=0", "prev=x", "op=incr", "lease=7f"};
    for (size_t i = 0; i < ARRAY_COUNT(queries); i++) {
        assert_int_equal(parse(queries[i], true).e, OK);
        assert_int_equal(parse(queries[i], false).e, ERR_BAD_REQUEST);
    }
}

static void a_write_says_what_it_does(void **state)
{
    (void)state;
    struct kv_params params = parse("op=incr&by=-5&cas=42&ttl=1500ms&prev=a%00b", true).params;
    assert_int_equal(params.op, KV_OP_INCR);
    assert_true(params.has_by && params.by == -5);
    assert_true(params.has_cas && params.cas == 42);
    assert_true(params.has_ttl && params.ttl_ms == 1500);
    assert_true(params.has_prev && params.prev.size == 3);
    assert_true(params.is_special);
    assert_int_equal(parse("lease=7F", true).params.lease, 0x7f);
    assert_int_equal(parse("touch&ttl=0", true).params.op, KV_OP_TOUCH);
    assert_true(parse("keepttl", true).params.keeps_ttl);
    static const char *const bad[] = {"op=max",  "by=x",      "by=9223372036854775808", "cas=-1",
                                      "ttl=30",  "ttl=-1s",   "ttl=9000000001s",        "lease=0",
                                      "lease=g", "keepttl=7", "op=incr&touch"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_int_equal(parse(bad[i], true).e, ERR_BAD_REQUEST);
    }
}

static void how_fresh_a_read_has_to_be_is_taken(void **state)
{
    (void)state;
    struct outcome_of_query outcome = parse("max-staleness=2s&min-revision=42&redirect", false);
    assert_int_equal(outcome.e, OK);
    assert_int_equal(outcome.params.consistency, READ_BOUNDED);
    assert_int_equal(outcome.params.staleness_ms_max, 2000);
    assert_int_equal(outcome.params.revision_min, 42);
    assert_true(outcome.params.is_redirect);
    assert_false(outcome.params.is_meta);
    assert_true(parse("meta=true", false).params.is_meta);
    const char *const bad[] = {"max-staleness=2",
                               "max-staleness=",
                               "max-staleness=25h",
                               "min-revision=",
                               "min-revision=-1",
                               "min-revision=1s",
                               "redirect=maybe",
                               "meta=2",
                               "min-revision=9007199254740993",
                               "consistency=stale&max-staleness=1s"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        outcome = parse(bad[i], false);
        assert_int_equal(outcome.e, ERR_BAD_REQUEST);
        assert_int_not_equal(outcome.problem.detail[0], '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_said_stays_as_it_was),
        cmocka_unit_test(known_parameters_are_taken_decoded),
        cmocka_unit_test(bad_values_are_refused_with_what_would_do),
        cmocka_unit_test(a_near_miss_is_not_taken_for_somebody_elses),
        cmocka_unit_test(what_is_of_reads_is_refused_on_writes),
        cmocka_unit_test(what_is_of_writes_is_refused_on_reads),
        cmocka_unit_test(a_write_says_what_it_does),
        cmocka_unit_test(how_fresh_a_read_has_to_be_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
