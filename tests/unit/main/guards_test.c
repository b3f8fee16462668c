#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "main/guards.h"

static void each_guard_is_sent_where_it_belongs(void **state)
{
    (void)state;
    struct draft draft;
    struct client_request request = {.method = "PUT"};
    const struct guards guards = {
        .if_match = "42", .if_none_match = "*", .prev = "a b", .fence = "tf:7"};
    main_draft_init(&draft, "/kv/a");
    main_guards_draft(&guards, &draft);
    assert_int_equal(main_draft_finish(&draft, &request, NULL), OK);
    assert_string_equal(request.path, "/kv/a?prev=a%20b");
    assert_string_equal(request.headers[0], "If-Match: \"42\"");
    assert_string_equal(request.headers[1], "If-None-Match: *");
    assert_string_equal(request.headers[2], "KV-Fence: tf:7");
    assert_null(request.headers[3]);
    main_draft_deinit(&draft);
}

static void what_is_not_given_is_not_sent(void **state)
{
    (void)state;
    struct draft draft;
    struct client_request request = {.method = "PUT"};
    main_draft_init(&draft, "/kv/a");
    main_guards_draft(&(struct guards){0}, &draft);
    assert_int_equal(main_draft_finish(&draft, &request, NULL), OK);
    assert_string_equal(request.path, "/kv/a");
    assert_null(request.headers[0]);
    main_draft_deinit(&draft);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_guard_is_sent_where_it_belongs),
        cmocka_unit_test(what_is_not_given_is_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
