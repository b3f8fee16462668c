#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "api/export_format.h"
#include "base/assert.h"

static const char head[] = "{\"pontoon_export\":1,\"revision\":42,\"keys\":2,"
                           "\"state_hash\":\"00000000000000020000000000000001\"}\n";

static void put(struct export_sums *sums, struct writer *out, struct slice key, struct slice value,
                const char *content_type)
{
    struct store_record record = {.value = value, .content_type = slice_from_text(content_type)};
    api_export_put_record(sums, key, &record, out);
}

/* Two records, one of bytes that are no text. */
static void write_export(struct writer *out)
{
    struct export_sums sums = {0};
    struct store_region state = {.revision = 42, .keys = 2, .state_hash = {1, 2}};
    api_export_put_head(&sums, &state, out);
    put(&sums, out, SLICE_LITERAL("a/\"b"), SLICE_LITERAL("quite long \xc3\xa9nough\n"),
        "text/plain");
    put(&sums, out, SLICE_LITERAL("b\xff"), SLICE_LITERAL("\0\1"), "");
    api_export_put_end(&sums, out);
}

/* Takes all lines; the last error. */
static err take_all(struct export_parser *parser, struct slice text, struct err_note *note)
{
    enum export_line kind;
    err e = OK;
    while (e == OK && text.size > 0) {
        const uint8_t *end = memchr(text.data, '\n', text.size);
        size_t size = end == NULL ? text.size : (size_t)(end - text.data);
        e = api_export_take(parser, (struct slice){text.data, size}, &kind, note);
        size += end == NULL ? 0 : 1;
        text = (struct slice){text.data + size, text.size - size};
    }
    return e;
}

static void an_export_is_these_bytes(void **state)
{
    (void)state;
    struct writer out = {0};
    write_export(&out);
    writer_u8(&out, '\0');
    assert_memory_equal(out.data, head, sizeof(head) - 1);
    const char *rest = (const char *)out.data + sizeof(head) - 1;
    static const char records[] =
        "{\"key\":\"a/\\\"b\",\"value\":\"quite long \xc3\xa9nough\\u000a\","
        "\"content_type\":\"text/plain\"}\n"
        "{\"key_base64\":\"Yv8=\",\"value_base64\":\"AAE=\"}\n"
        "{\"records\":2,\"crc32c\":\"";
    assert_memory_equal(rest, records, sizeof(records) - 1);
    writer_deinit(&out);
}

static void what_was_written_is_read_again(void **state)
{
    (void)state;
    struct writer out = {0};
    struct export_parser parser = {.lines = 0};
    struct err_note note = {""};
    write_export(&out);
    assert_int_equal(take_all(&parser, writer_slice(&out), &note), OK);
    assert_int_equal(api_export_finish(&parser, &note), OK);
    assert_int_equal(parser.revision, 42);
    assert_true(slice_equal(writer_slice(&parser.key), SLICE_LITERAL("b\xff")));
    assert_true(slice_equal(writer_slice(&parser.value), SLICE_LITERAL("\0\1")));
    assert_int_equal(parser.content_type.size, 0);
    assert_int_equal(take_all(&parser, SLICE_LITERAL("{}"), &note), ERR_MALFORMED);
    api_export_parser_deinit(&parser);
    writer_deinit(&out);
}

static void one_that_was_cut_or_changed_is_refused(void **state)
{
    (void)state;
    struct writer out = {0};
    struct err_note note = {""};
    write_export(&out);
    struct slice whole = writer_slice(&out);
    for (size_t size = 0; size + 1 < whole.size; size++) {
        struct export_parser parser = {.lines = 0};
        err e = take_all(&parser, (struct slice){whole.data, size}, &note);
        assert_true(e != OK || api_export_finish(&parser, &note) == ERR_DAMAGED);
        api_export_parser_deinit(&parser);
    }
    for (size_t i = 0; i < whole.size; i++) {
        struct export_parser parser = {.lines = 0};
        out.data[i] ^= 1;
        err e = take_all(&parser, whole, &note);
        assert_true(e != OK || api_export_finish(&parser, &note) != OK);
        out.data[i] ^= 1;
        api_export_parser_deinit(&parser);
    }
    writer_deinit(&out);
}

static void what_is_wrong_in_a_line_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        err e;
        const char *why;
    } table[] = {
        {"", ERR_MALFORMED, "no JSON object"},
        {"[]", ERR_MALFORMED, "no JSON object"},
        {"{\"key\":\"a\",\"value\":\"b\"} x", ERR_MALFORMED, "no JSON object"},
        {"{\"key\":\"a\",\"value\":\"\xff\"}", ERR_MALFORMED, "no JSON object"},
        {"{\"key\":\"a\",\"value\":{\"a\":{}}}", ERR_MALFORMED, "no JSON object"},
        {"{\"key\":\"a\",\"value\":[]}", ERR_MALFORMED, "a text"},
        {"{\"key\":\"a\",\"valeu\":\"b\"}", ERR_MALFORMED, "unknown member \"valeu\""},
        {"{\"key\":\"a\"}", ERR_MALFORMED, "\"value\" or"},
        {"{\"value\":\"a\"}", ERR_MALFORMED, "\"key\" or"},
        {"{\"key\":\"a\",\"key_base64\":\"YQ==\",\"value\":\"b\"}", ERR_MALFORMED, "\"key\" or"},
        {"{\"key\":\"\",\"value\":\"b\"}", ERR_MALFORMED, "1 to 480"},
        {"{\"key_base64\":\"YR==\",\"value\":\"b\"}", ERR_MALFORMED, "no base64"},
        {"{\"key\":\"a\",\"value\":\"b\",\"content_type\":\"a\\r\\nB: c\"}", ERR_MALFORMED,
         "visible ASCII"},
        {"{\"key\":\"a\",\"value\":\"b\",\"keys\":1}", ERR_MALFORMED, "a record has"},
        {"{\"key\":\"B\",\"value\":\"b\"}", ERR_DAMAGED, "behind the one before"},
        {"{\"key\":\"K\",\"value\":\"b\"}", ERR_DAMAGED, "behind the one before"},
        {"{\"records\":5,\"crc32c\":\"00000000\"}", ERR_DAMAGED, "1 records of 2"},
        {"{\"records\":-1,\"crc32c\":\"00000000\"}", ERR_MALFORMED, "is a number"},
        {head, ERR_MALFORMED, "begins with"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct export_parser parser = {.lines = 0};
        struct err_note note = {""};
        enum export_line kind;
        struct slice first = {(const uint8_t *)head, sizeof(head) - 2};
        assert_int_equal(api_export_take(&parser, first, &kind, &note), OK);
        assert_int_equal(kind, EXPORT_HEAD);
        struct slice record = SLICE_LITERAL("{\"key\":\"K\",\"value\":\"\"}");
        assert_int_equal(api_export_take(&parser, record, &kind, &note), OK);
        assert_int_equal(kind, EXPORT_RECORD);
        struct slice line = slice_from_text(table[i].line);
        assert_int_equal(api_export_take(&parser, line, &kind, &note), table[i].e);
        assert_non_null(strstr(note.text, table[i].why));
        api_export_parser_deinit(&parser);
    }
}

static void the_first_line_is_a_head_that_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        err e;
    } table[] = {
        {"{\"key\":\"a\",\"value\":\"b\"}", ERR_MALFORMED},
        {"{\"records\":0,\"crc32c\":\"00000000\"}", ERR_MALFORMED},
        {"{\"pontoon_export\":2,\"whatever\":1}", ERR_MALFORMED},
        {"{\"pontoon_export\":2,\"revision\":1}", ERR_VERSION},
        {"{\"pontoon_export\":1,\"revision\":1,\"keys\":1}", ERR_MALFORMED},
        {"{\"pontoon_export\":\"1\"}", ERR_MALFORMED},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct export_parser parser = {.lines = 0};
        struct err_note note = {""};
        enum export_line kind;
        struct slice line = slice_from_text(table[i].line);
        assert_int_equal(api_export_take(&parser, line, &kind, &note), table[i].e);
        assert_int_not_equal(note.text[0], '\0');
        api_export_parser_deinit(&parser);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_export_is_these_bytes),
        cmocka_unit_test(what_was_written_is_read_again),
        cmocka_unit_test(one_that_was_cut_or_changed_is_refused),
        cmocka_unit_test(what_is_wrong_in_a_line_is_told),
        cmocka_unit_test(the_first_line_is_a_head_that_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
