#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "api/list_format.h"

static void assert_written(struct writer *out, const char *text)
{
    writer_u8(out, '\0');
    assert_string_equal((const char *)out->data, text);
    writer_deinit(out);
}

static void a_key_stands_with_what_is_known_of_it(void **state)
{
    (void)state;
    struct writer out = {0};
    struct store_record record = {.value = SLICE_LITERAL("b\"r"),
                                  .content_type = SLICE_LITERAL("text/plain"),
                                  .create_revision = 7,
                                  .mod_revision = 41,
                                  .version = 3};
    api_list_put_key(&out, SLICE_LITERAL("app/a"), &record, true);
    assert_written(&out, "{\"key\":\"app/a\",\"etag\":\"41\",\"size\":3,\"create_revision\":7,"
                         "\"version\":3,\"content_type\":\"text/plain\",\"value\":\"b\\\"r\"}");
    record.content_type = SLICE_EMPTY;
    api_list_put_key(&out, SLICE_LITERAL("app/a"), &record, false);
    assert_written(&out, "{\"key\":\"app/a\",\"etag\":\"41\",\"size\":3,\"create_revision\":7,"
                         "\"version\":3}");
}

static void what_is_no_text_stands_as_base64(void **state)
{
    (void)state;
    struct writer out = {0};
    struct store_record record = {.value = SLICE_LITERAL("\x00\xff"), .mod_revision = 40};
    api_list_put_key(&out, SLICE_LITERAL("app/\xff"), &record, true);
    assert_written(&out, "{\"key_base64\":\"YXBwL/8=\",\"etag\":\"40\",\"size\":2,"
                         "\"create_revision\":0,\"version\":0,\"value_base64\":\"AP8=\"}");
    api_list_put_prefix(&out, SLICE_LITERAL("\xff/"));
    assert_written(&out, "{\"prefix_base64\":\"/y8=\"}");
    api_list_put_prefix(&out, SLICE_LITERAL("a/"));
    assert_written(&out, "{\"prefix\":\"a/\"}");
    api_list_put_line(&out, SLICE_LITERAL("a b/\xff\n%"));
    assert_written(&out, "a%20b/%FF%0A%25\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_stands_with_what_is_known_of_it),
        cmocka_unit_test(what_is_no_text_stands_as_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
