#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "api/watch_format.h"
#include "store/record.h"

static void assert_written(struct writer *out, const char *expected)
{
    writer_u8(out, 0);
    assert_string_equal((const char *)out->data, expected);
    writer_deinit(out);
}

static struct history_entry put_of(const char *key, struct slice value)
{
    return (struct history_entry){
        .revision = 43,
        .key = slice_from_text(key),
        .kind = STORE_CHANGE_PUT,
        .record = {.value = value, .mod_revision = 43, .create_revision = 40, .version = 3},
    };
}

static void a_put_and_a_progress_are_as_documented(void **state)
{
    (void)state;
    struct writer out = {0};
    struct watch_style style = {.form = WATCH_FORM_SSE};
    struct history_entry entry = put_of("foo", SLICE_LITERAL("bar"));
    writer_bytes(&out, api_watch_format_begin(style.form));
    api_watch_format_change(&out, style, &entry, true);
    api_watch_format_mark(&out, style.form, WATCH_PROGRESS, 57);
    assert_written(
        &out, "retry: 1000\n"
              "\n"
              "event: put\n"
              "id: 43\n"
              "data: {\"key\":\"foo\",\"value\":\"bar\",\"revision\":43,\"create_revision\":40,"
              "\"version\":3}\n"
              "\n"
              "event: progress\n"
              "id: 57\n"
              "data: {}\n"
              "\n");
}

static void an_event_is_one_line_of_data_whatever_is_in_it(void **state)
{
    (void)state;
    struct writer out = {0};
    struct watch_style style = {.form = WATCH_FORM_SSE};
    struct history_entry entry = put_of("a\nb", SLICE_LITERAL("1\r\n\n\"2\"\xe2\x82\xac"));
    api_watch_format_change(&out, style, &entry, false);
    entry = put_of("\xff", SLICE_LITERAL("\0\xff"));
    api_watch_format_change(&out, style, &entry, false);
    assert_written(
        &out,
        "event: put\n"
        "data: {\"key\":\"a\\u000ab\",\"value\":\"1\\u000d\\u000a\\u000a\\\"2\\\"\xe2\x82\xac\","
        "\"revision\":43,\"create_revision\":40,\"version\":3}\n"
        "\n"
        "event: put\n"
        "data: {\"key_base64\":\"/w==\",\"value_base64\":\"AP8=\",\"revision\":43,"
        "\"create_revision\":40,\"version\":3}\n"
        "\n");
}

static void what_was_replaced_is_told_on_request(void **state)
{
    (void)state;
    struct writer out = {0};
    struct watch_style style = {.form = WATCH_FORM_NDJSON, .has_prev = true};
    struct history_entry entry = {.revision = 44,
                                  .key = SLICE_LITERAL("foo"),
                                  .kind = STORE_CHANGE_DELETE,
                                  .has_replaced = true,
                                  .replaced = {.value = SLICE_LITERAL("bar"), .mod_revision = 43}};
    api_watch_format_change(&out, style, &entry, true);
    entry.kind = STORE_CHANGE_EXPIRE;
    style.has_prev = false;
    api_watch_format_change(&out, style, &entry, false);
    style.has_prev = true;
    entry.has_replaced = false;
    api_watch_format_change(&out, style, &entry, false);
    entry.has_replaced = true;
    entry.is_copy = true; /* and its checksum is wrong */
    entry.replaced.value_crc = 1;
    api_watch_format_change(&out, style, &entry, false);
    assert_written(&out, "{\"event\":\"delete\",\"id\":44,\"key\":\"foo\",\"revision\":44,"
                         "\"prev_value\":\"bar\",\"prev_revision\":43}\n"
                         "{\"event\":\"expire\",\"key\":\"foo\",\"revision\":44}\n"
                         "{\"event\":\"expire\",\"key\":\"foo\",\"revision\":44}\n"
                         "{\"event\":\"expire\",\"key\":\"foo\",\"revision\":44,"
                         "\"prev_damaged\":true}\n");
}

static void marks_have_the_revision_to_go_on_behind(void **state)
{
    (void)state;
    struct writer out = {0};
    const struct store_record record = {
        .value = SLICE_LITERAL(""), .mod_revision = 7, .create_revision = 5, .version = 2};
    for (int form = WATCH_FORM_SSE; form <= WATCH_FORM_NDJSON; form++) {
        struct watch_style style = {.form = (enum watch_form)form};
        writer_bytes(&out, api_watch_format_heartbeat(style.form));
        api_watch_format_state(&out, style, SLICE_LITERAL("k"), &record);
        api_watch_format_mark(&out, style.form, WATCH_SYNCED, 9);
        api_watch_format_mark(&out, style.form, WATCH_RESET, 3);
        api_watch_format_mark(&out, style.form, WATCH_PROGRESS, 9);
    }
    assert_written(
        &out,
        ":\n\n"
        "event: put\ndata: {\"key\":\"k\",\"value\":\"\",\"revision\":7,\"create_revision\":5,"
        "\"version\":2}\n\n"
        "event: synced\nid: 9\ndata: {}\n\n"
        "event: reset\ndata: {\"oldest\":3}\n\n"
        "event: progress\nid: 9\ndata: {}\n\n"
        "{\"event\":\"put\",\"key\":\"k\",\"value\":\"\",\"revision\":7,\"create_revision\":5,"
        "\"version\":2}\n"
        "{\"event\":\"synced\",\"id\":9}\n"
        "{\"event\":\"reset\",\"oldest\":3}\n"
        "{\"event\":\"progress\",\"id\":9}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_put_and_a_progress_are_as_documented),
        cmocka_unit_test(an_event_is_one_line_of_data_whatever_is_in_it),
        cmocka_unit_test(what_was_replaced_is_told_on_request),
        cmocka_unit_test(marks_have_the_revision_to_go_on_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
