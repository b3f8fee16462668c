#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "api/units.h"

static void a_number_is_digits_that_fit(void **state)
{
    (void)state;
    uint64_t value = 0;
    assert_int_equal(api_units_parse_u64(SLICE_LITERAL("18446744073709551615"), &value), OK);
    assert_true(value == UINT64_MAX);
    const char *const bad[] = {
        "", "-1", "+1", " 1", "1 ", "0x1", "1.5", "18446744073709551616", "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_int_equal(api_units_parse_u64(slice_from_text(bad[i]), &value), ERR_BAD_REQUEST);
    }
}

static void a_signed_number_is_a_minus_and_digits_at_most(void **state)
{
    (void)state;
    const struct {
        const char *text;
        int64_t value;
    } good[] = {{"0", 0},
                {"-0", 0},
                {"7", 7},
                {"-5", -5},
                {"9223372036854775807", INT64_MAX},
                {"-9223372036854775808", INT64_MIN}};
    const char *const bad[] = {"",
                               "-",
                               "--1",
                               "+1",
                               "- 1",
                               "1-",
                               "-1.5",
                               "0x1",
                               "9223372036854775808",
                               "-9223372036854775809"};
    int64_t value;
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        assert_int_equal(api_units_parse_i64(slice_from_text(good[i].text), &value), OK);
        assert_true(value == good[i].value);
    }
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_int_equal(api_units_parse_i64(slice_from_text(bad[i]), &value), ERR_BAD_REQUEST);
    }
    assert_int_equal(api_units_parse_i64(SLICE_EMPTY, &value), ERR_BAD_REQUEST);
}

static void a_duration_has_a_unit(void **state)
{
    (void)state;
    const struct {
        const char *text;
        uint64_t ms;
    } good[] = {{"0s", 0}, {"500ms", 500}, {"5s", 5000}, {"2m", 120000}, {"1h", 3600000}};
    const char *const bad[] = {"",     "5",   "s",    "5 s", "5S",
                               "5sec", "-5s", "1.5s", "5s5", "18446744073709551615s"};
    uint64_t ms = 1;
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        assert_int_equal(api_units_parse_duration(slice_from_text(good[i].text), &ms), OK);
        assert_true(ms == good[i].ms);
    }
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_int_equal(api_units_parse_duration(slice_from_text(bad[i]), &ms), ERR_BAD_REQUEST);
    }
}

static void a_size_is_in_bytes_or_in_powers_of_1024(void **state)
{
    (void)state;
    const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"0", 0},          {"4096", 4096},       {"64KiB", 65536},
                {"8MiB", 8388608}, {"1GiB", 1073741824}, {"1TiB", UINT64_C(1) << 40}};
    const char *const bad[] = {"", "MiB", "8MB", "8M", "8mib", "8 MiB", "16777217TiB"};
    uint64_t bytes = 1;
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        assert_int_equal(api_units_parse_size(slice_from_text(good[i].text), &bytes), OK);
        assert_true(bytes == good[i].bytes);
    }
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_int_equal(api_units_parse_size(slice_from_text(bad[i]), &bytes), ERR_BAD_REQUEST);
    }
}

static void what_is_formatted_parses_back(void **state)
{
    (void)state;
    const uint64_t values[] = {0,     1,       999,  1000,  1500,    60000,
                               61000, 3600000, 1024, 65536, 8388608, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
        char text[UNITS_TEXT_SIZE];
        uint64_t back = 1;
        api_units_format_duration(values[i], text);
        assert_int_equal(api_units_parse_duration(slice_from_text(text), &back), OK);
        assert_true(back == values[i]);
        api_units_format_size(values[i], text);
        assert_int_equal(api_units_parse_size(slice_from_text(text), &back), OK);
        assert_true(back == values[i]);
    }
    char text[UNITS_TEXT_SIZE];
    api_units_format_duration(60000, text);
    assert_string_equal(text, "1m");
    api_units_format_size(8388608, text);
    assert_string_equal(text, "8MiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_digits_that_fit),
        cmocka_unit_test(a_signed_number_is_a_minus_and_digits_at_most),
        cmocka_unit_test(a_duration_has_a_unit),
        cmocka_unit_test(a_size_is_in_bytes_or_in_powers_of_1024),
        cmocka_unit_test(what_is_formatted_parses_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
