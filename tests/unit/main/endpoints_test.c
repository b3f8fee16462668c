#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "main/endpoints.h"

static void a_list_is_taken_with_and_without_its_scheme(void **state)
{
    (void)state;
    struct endpoints endpoints;
    struct err_note note = {""};
    assert_int_equal(
        main_endpoints_parse("a:1, HTTP://b.example:2/,http://[::1]:3", &endpoints, &note), OK);
    assert_int_equal(endpoints.count, 3);
    assert_string_equal(endpoints.addresses[0], "a:1");
    assert_string_equal(endpoints.addresses[1], "b.example:2");
    assert_string_equal(endpoints.addresses[2], "[::1]:3");
}

static void what_is_no_address_is_refused_by_its_name(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *part; /* of what is said */
    } rows[] = {
        {"", "names none"},
        {" , ", "names none"},
        {"a", "\"a\" does not end in a port"},
        {"a:1,b:x", "\"b:x\""},
        {"https://a:1", "not https"},
        {"a:1/kv", "\"a:1/kv\" is not HOST:PORT"},
        {"me@a:1", "is not HOST:PORT"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct endpoints endpoints;
        struct err_note note = {""};
        assert_int_equal(main_endpoints_parse(rows[i].text, &endpoints, &note), ERR_BAD_REQUEST);
        assert_non_null(strstr(note.text, rows[i].part));
    }
}

static void too_many_and_too_long_ones_are_refused(void **state)
{
    (void)state;
    char text[1024] = "";
    struct endpoints endpoints;
    struct err_note note;
    for (size_t i = 0; i <= MEMBERS_MAX; i++) {
        strncat(text, "h:1,", 5);
    }
    assert_int_equal(main_endpoints_parse(text, &endpoints, &note), ERR_BAD_REQUEST);
    memset(text, 'h', 400);
    memcpy(text + 400, ":1", 3);
    assert_int_equal(main_endpoints_parse(text, &endpoints, &note), ERR_BAD_REQUEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_taken_with_and_without_its_scheme),
        cmocka_unit_test(what_is_no_address_is_refused_by_its_name),
        cmocka_unit_test(too_many_and_too_long_ones_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
