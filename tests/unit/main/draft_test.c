#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "env/uv.h"
#include "main/draft.h"

static void a_path_and_its_query_are_escaped(void **state)
{
    (void)state;
    struct draft draft;
    struct client_request request = {.method = "GET"};
    main_draft_init(&draft, "/kv/");
    main_draft_segment(&draft, "a b/../%\xff?&=");
    main_draft_param(&draft, "prev", "x&y z=1");
    main_draft_param(&draft, "keepttl", NULL);
    main_draft_param_u64(&draft, "by", 7);
    main_draft_param_ms(&draft, "ttl", 1500);
    for (int i = 0; i < 2; i++) { /* it may be finished again */
        assert_int_equal(main_draft_finish(&draft, &request, NULL), OK);
        assert_string_equal(request.path, "/kv/a%20b/../%25%FF%3F%26%3D?prev=x%26y%20z%3D1&keepttl"
                                          "&by=7&ttl=1500ms");
    }
    assert_null(request.headers[0]);
    main_draft_deinit(&draft);
}

static void fields_are_sent_in_their_order(void **state)
{
    (void)state;
    struct draft draft;
    struct client_request request = {.method = "PUT"};
    main_draft_init(&draft, "/");
    main_draft_field(&draft, "Content-Type", "text/plain; charset=utf-8");
    main_draft_field_etag(&draft, "If-Match", "42");
    main_draft_field_etag(&draft, "If-None-Match", "*");
    main_draft_field_etag(&draft, "If-None-Match", "\"7\"");
    assert_int_equal(main_draft_finish(&draft, &request, NULL), OK);
    assert_string_equal(request.headers[0], "Content-Type: text/plain; charset=utf-8");
    assert_string_equal(request.headers[1], "If-Match: \"42\"");
    assert_string_equal(request.headers[2], "If-None-Match: *");
    assert_string_equal(request.headers[3], "If-None-Match: \"7\"");
    assert_null(request.headers[4]);
    main_draft_deinit(&draft);
}

/* It would end the field, and begin another. */
static void a_value_that_no_field_carries_is_refused(void **state)
{
    (void)state;
    static const char *const values[] = {"a\r\nX: y", "\x7f", "\xc3\xa9"};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct draft draft;
        struct client_request request = {.method = "PUT"};
        struct err_note note = {""};
        main_draft_init(&draft, "/");
        main_draft_field(&draft, "KV-Fence", values[i]);
        assert_int_equal(main_draft_finish(&draft, &request, &note), ERR_BAD_REQUEST);
        assert_memory_equal(note.text, "KV-Fence: ", 10);
        main_draft_deinit(&draft);
    }
}

static void a_request_that_is_done_once_has_a_key_of_its_own(void **state)
{
    (void)state;
    struct env *env = env_uv_open();
    char last[64] = "";
    for (int i = 0; i < 4; i++) {
        struct draft draft;
        struct client_request request = {.method = "PUT"};
        main_draft_init(&draft, "/");
        main_draft_field_once(&draft, env);
        assert_int_equal(main_draft_finish(&draft, &request, NULL), OK);
        assert_int_equal(request.is_repeatable, DRAFT_HAS_IDEMPOTENCY_KEYS);
        if (DRAFT_HAS_IDEMPOTENCY_KEYS) {
            const char *field = request.headers[0];
            const char *key = field + strlen("Idempotency-Key: ");
            assert_int_equal(strlen(key), 36);
            assert_int_equal(strspn(key, "0123456789abcdef-"), 36);
            assert_int_equal(key[14], '4');
            assert_non_null(strchr("89ab", key[19]));
            assert_string_not_equal(field, last);
            memcpy(last, field, strlen(field) + 1);
        }
        main_draft_deinit(&draft);
    }
    env_uv_close(env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_and_its_query_are_escaped),
        cmocka_unit_test(fields_are_sent_in_their_order),
        cmocka_unit_test(a_value_that_no_field_carries_is_refused),
        cmocka_unit_test(a_request_that_is_done_once_has_a_key_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
