#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "api/guard.h"

static void names_of_loopback_are_known(void **state)
{
    (void)state;
    const char *const good[] = {"localhost",        "LOCALHOST:3000", "127.0.0.1", "127.0.0.1:80",
                                "127.255.0.9:3000", "[::1]",          "[::1]:3000"};
    const char *const bad[] = {"",
                               "localhost.evil.example",
                               "127.evil.example",
                               "127.0.0.1.evil.example",
                               "127.1",
                               "128.0.0.1",
                               "10.0.0.1:3000",
                               "[::2]",
                               "::1",
                               "[::1",
                               "evil.example:3000",
                               "0x7f000001",
                               "localhost@evil.example"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(api_guard_is_loopback_name(slice_from_text(good[i])));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(api_guard_is_loopback_name(slice_from_text(bad[i])));
    }
}

static err check(const struct guard *guard)
{
    struct problem problem = {.e = OK};
    err e = api_guard_check(guard, &problem);
    assert_int_equal(problem.e, e);
    assert_true(e == OK || problem.detail[0] != '\0');
    return e;
}

static void the_host_is_checked_on_loopback_only(void **state)
{
    (void)state;
    struct guard_memory memory = {.size = 0};
    struct guard guard = {
        .memory = &memory, .is_loopback = true, .authority = SLICE_LITERAL("evil.example")};
    assert_int_equal(check(&guard), ERR_FORBIDDEN);
    guard.is_loopback = false;
    assert_int_equal(check(&guard), OK);
    guard = (struct guard){.memory = &memory, .is_loopback = true}; /* HTTP/1.0 without Host */
    assert_int_equal(check(&guard), OK);
}

static void what_is_remembered_lets_no_other_name_pass(void **state)
{
    (void)state;
    static const struct {
        const char *authority;
        err e;
    } steps[] = {
        {"evil.example", ERR_FORBIDDEN},
        {"evil.example", ERR_FORBIDDEN},
        {"localhost:3000", OK},
        {"localhost:3000", OK},
        {"localhost:300", OK},
        {"evil.example:300", ERR_FORBIDDEN},
        {"localhos", ERR_FORBIDDEN},
        {"localhost.evil.example", ERR_FORBIDDEN},
        {"localhost:300", OK},
        /* Of any size: longer than what is remembered. */
        {"127.0.0.1:00000000000000000000000000000000000000000000000000000000000000000001", OK},
        {"127.0.0.2:00000000000000000000000000000000000000000000000000000000000000000001", OK},
        {"128.0.0.1", ERR_FORBIDDEN},
    };
    struct guard_memory memory = {.size = 0};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        const struct guard guard = {.memory = &memory,
                                    .is_loopback = true,
                                    .authority = slice_from_text(steps[i].authority)};
        assert_int_equal(check(&guard), steps[i].e);
    }
}

static void an_unsafe_method_needs_the_own_origin(void **state)
{
    (void)state;
    const struct {
        const char *origin;
        const char *site;
        err e;
    } cases[] = {
        {"", "", OK},
        {"http://localhost:3000", "same-origin", OK},
        {"https://LOCALHOST:3000", "", OK},
        {"", "none", OK},
        {"", "cross-site", ERR_FORBIDDEN},
        {"", "Cross-Site", ERR_FORBIDDEN},
        {"http://localhost:3001", "same-site", ERR_FORBIDDEN},
        {"http://localhost", "", ERR_FORBIDDEN},
        {"http://localhost:3000.evil.example", "", ERR_FORBIDDEN},
        {"null", "", ERR_FORBIDDEN},
        {"ftp://localhost:3000", "", ERR_FORBIDDEN},
        {"http://", "", ERR_FORBIDDEN},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct guard_memory memory = {.size = 0};
        struct guard guard = {.memory = &memory,
                              .is_loopback = true,
                              .is_unsafe = true,
                              .authority = SLICE_LITERAL("localhost:3000"),
                              .origin = slice_from_text(cases[i].origin),
                              .fetch_site = slice_from_text(cases[i].site)};
        assert_int_equal(check(&guard), cases[i].e);
        guard.is_unsafe = false;
        assert_int_equal(check(&guard), OK);
    }
    struct guard unnamed = {.is_unsafe = true, .origin = SLICE_LITERAL("http://")};
    assert_int_equal(check(&unnamed), ERR_FORBIDDEN);
}

static void another_port_of_this_site_is_another_page(void **state)
{
    (void)state;
    struct guard_memory memory = {.size = 0};
    struct guard guard = {.memory = &memory,
                          .is_loopback = true,
                          .is_unsafe = true,
                          .authority = SLICE_LITERAL("localhost:3000"),
                          .fetch_site = SLICE_LITERAL("same-site")};
    assert_int_equal(check(&guard), ERR_FORBIDDEN);
    guard.origin = SLICE_LITERAL("http://localhost:8080");
    assert_int_equal(check(&guard), ERR_FORBIDDEN);
    guard.origin = SLICE_LITERAL("null"); /* a file, a sandboxed frame, a value of ours */
    assert_int_equal(check(&guard), ERR_FORBIDDEN);
    guard.fetch_site = SLICE_LITERAL("same-origin");
    guard.origin = SLICE_LITERAL("http://localhost:3000");
    assert_int_equal(check(&guard), OK);
    guard.is_unsafe = false;
    guard.fetch_site = SLICE_LITERAL("same-site");
    guard.origin = SLICE_EMPTY;
    assert_int_equal(check(&guard), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_loopback_are_known),
        cmocka_unit_test(the_host_is_checked_on_loopback_only),
        cmocka_unit_test(what_is_remembered_lets_no_other_name_pass),
        cmocka_unit_test(an_unsafe_method_needs_the_own_origin),
        cmocka_unit_test(another_port_of_this_site_is_another_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
