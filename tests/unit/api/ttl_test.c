#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "api/ttl.h"
#include "base/buf.h"
#include "proto/txn.h"

typedef err (*parser)(struct slice text, const char *what, uint64_t *out_ms,
                      struct problem *problem);

static void assert_time(parser parse, const char *text, uint64_t wanted)
{
    struct problem problem = {.e = OK};
    uint64_t ms = UINT64_MAX;
    if (parse(slice_from_text(text), "ttl", &ms, &problem) != OK || ms != wanted) {
        fail_msg("%s: %llu, %s", text, (unsigned long long)ms, problem.detail);
    }
}

static void assert_no_time(parser parse, const char *text)
{
    struct problem problem = {.e = OK};
    uint64_t ms = 7;
    if (parse(slice_from_text(text), "KV-TTL", &ms, &problem) != ERR_BAD_REQUEST) {
        fail_msg("%s is a TTL: %llu", text, (unsigned long long)ms);
    }
    assert_int_equal(problem.e, ERR_BAD_REQUEST);
    assert_int_equal(strncmp(problem.detail, "KV-TTL is ", 10), 0);
    assert_int_equal(ms, 7);
}

static void a_ttl_of_a_query_has_its_unit_unless_it_is_none(void **state)
{
    (void)state;
    assert_time(api_ttl_parse, "30s", 30000);
    assert_time(api_ttl_parse, "500ms", 500);
    assert_time(api_ttl_parse, "2h", 7200000);
    assert_time(api_ttl_parse, "0", 0);
    assert_time(api_ttl_parse, "0s", 0);
    assert_time(api_ttl_parse, "9000000000s", TXN_TTL_MS_MAX);
    static const char *const bad[] = {
        "", "30", "1.5s", "-1s", "1 s", "s", "9000000001s", "00", "99999999999999999999s"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_no_time(api_ttl_parse, bad[i]);
    }
}

static void a_ttl_of_a_field_is_in_seconds_unless_it_has_a_unit(void **state)
{
    (void)state;
    assert_time(api_ttl_parse_seconds, "30", 30000);
    assert_time(api_ttl_parse_seconds, "0", 0);
    assert_time(api_ttl_parse_seconds, "0.5", 500);
    assert_time(api_ttl_parse_seconds, "12.345", 12345);
    assert_time(api_ttl_parse_seconds, "1.05", 1050);
    assert_time(api_ttl_parse_seconds, "500ms", 500);
    assert_time(api_ttl_parse_seconds, "2h", 7200000);
    assert_time(api_ttl_parse_seconds, "9000000000", TXN_TTL_MS_MAX);
    static const char *const bad[] = {"",   ".5",  "1.",         "1.2345", "1.x",
                                      "-1", "1e3", "9000000001", "1.5s"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_no_time(api_ttl_parse_seconds, bad[i]);
    }
}

static void what_is_written_has_three_digits_of_a_second(void **state)
{
    (void)state;
    static const struct {
        uint64_t ms;
        const char *text;
    } table[] = {{1, "0.001"},
                 {12345, "12.345"},
                 {1050, "1.050"},
                 {60000, "60.000"},
                 {TXN_TTL_MS_MAX, "9000000000.000"}};
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        char text[TTL_TEXT_SIZE];
        size_t size = api_ttl_write(text, table[i].ms);
        assert_int_equal(size, strlen(table[i].text));
        assert_memory_equal(text, table[i].text, size);
        text[size] = '\0';
        assert_time(api_ttl_parse_seconds, text, table[i].ms);
    }
}

static void a_lease_is_hex_and_not_0(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t id; /* 0: refused */
    } table[] = {
        {"ab", 0xab},
        {"00000000000000AB", 0xab},
        {"ffffffffffffffff", UINT64_MAX},
        {"", 0},
        {"0", 0},
        {"0000000000000000", 0},
        {"g", 0},
        {"0x1", 0},
        {"00000000000000001", 0},
        {"-1", 0},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct problem problem = {.e = OK};
        uint64_t id = 0;
        err e = api_lease_parse(slice_from_text(table[i].text), &id, &problem);
        assert_int_equal(e, table[i].id == 0 ? ERR_BAD_REQUEST : OK);
        assert_true(id == table[i].id);
        assert_true(e == OK || strstr(problem.detail, "a lease's id") != NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ttl_of_a_query_has_its_unit_unless_it_is_none),
        cmocka_unit_test(a_ttl_of_a_field_is_in_seconds_unless_it_has_a_unit),
        cmocka_unit_test(what_is_written_has_three_digits_of_a_second),
        cmocka_unit_test(a_lease_is_hex_and_not_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
