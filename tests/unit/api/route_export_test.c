#include "api/export_format.h"
#include "api_testing.h"

static void put(struct fixture *f, const char *key, struct slice value, const char *fields)
{
    char start[128];
    (void)snprintf(start, sizeof(start), "PUT /kv/%s", key);
    request_bytes(f, start, fields, value);
    assert_int_equal(f->status, 201);
}

static void fill(struct fixture *f)
{
    put(f, "a/1", SLICE_LITERAL("one"), "Content-Type: text/plain\r\n");
    put(f, "a/%FF", SLICE_LITERAL("\x00\xff"), "");
    put(f, "b", SLICE_LITERAL(""), "");
}

/* The body without its chunks. */
static struct writer unchunk(const struct fixture *f)
{
    struct writer out = {0};
    const char *at = (const char *)f->body.data;
    for (;;) {
        unsigned size;
        assert_int_equal(sscanf(at, "%x\r\n", &size), 1);
        at = strchr(at, '\n') + 1;
        if (size == 0) {
            return out;
        }
        writer_bytes(&out, (struct slice){(const uint8_t *)at, size});
        at += size + 2;
    }
}

/* Takes all lines as an import does; returns how many records there were. */
static uint64_t import(struct slice text)
{
    struct export_parser parser = {.lines = 0};
    struct err_note note = {""};
    while (text.size > 0) {
        enum export_line kind;
        const uint8_t *end = memchr(text.data, '\n', text.size);
        assert_non_null(end);
        struct slice line = {text.data, (size_t)(end - text.data)};
        err e = api_export_take(&parser, line, &kind, &note);
        if (e != OK) {
            fail_msg("%s", note.text);
        }
        text = (struct slice){end + 1, text.size - line.size - 1};
    }
    assert_int_equal(api_export_finish(&parser, &note), OK);
    uint64_t records = parser.sums.records;
    api_export_parser_deinit(&parser);
    return records;
}

static void everything_comes_byte_for_byte_and_checks(void **state)
{
    struct fixture *f = *state;
    struct store_region region = {.state_hash = {1, 2}};
    fill(f);
    f->node.status.state = &region;
    request(f, "GET /export", "", NULL);
    assert_int_equal(f->status, 200);
    assert_field(f, "Content-Type", "application/x-ndjson");
    assert_field(f, "KV-Revision", "3");
    struct writer text = unchunk(f);
    static const char lines[] =
        "{\"pontoon_export\":1,\"revision\":3,\"keys\":3,"
        "\"state_hash\":\"00000000000000020000000000000001\"}\n"
        "{\"key\":\"a/1\",\"value\":\"one\",\"content_type\":\"text/plain\"}\n"
        "{\"key_base64\":\"YS//\",\"value_base64\":\"AP8=\"}\n"
        "{\"key\":\"b\",\"value\":\"\"}\n";
    assert_memory_equal(text.data, lines, strlen(lines));
    assert_int_equal(import(writer_slice(&text)), 3);
    writer_deinit(&text);
}

static void those_of_a_prefix_are_counted_first(void **state)
{
    struct fixture *f = *state;
    fill(f);
    request(f, "GET /export?prefix=a/", "", NULL);
    struct writer text = unchunk(f);
    assert_int_equal(import(writer_slice(&text)), 2);
    writer_deinit(&text);
    request(f, "GET /export?prefix=none", "", NULL);
    text = unchunk(f);
    assert_int_equal(import(writer_slice(&text)), 0);
    writer_deinit(&text);
}

static void head_tells_the_revision(void **state)
{
    struct fixture *f = *state;
    fill(f);
    request(f, "HEAD /export", "", NULL);
    assert_int_equal(f->status, 200);
    assert_field(f, "ETag", "W/\"3\"");
    assert_int_equal(f->body.size, 0);
    request(f, "GET /export", "If-None-Match: W/\"3\"\r\n", NULL);
    assert_int_equal(f->status, 304);
}

/* The revision at which they were counted is gone: the head of those of the next one. */
static void a_state_that_moves_on_is_exported_as_one(void **state)
{
    struct fixture *f = *state;
    fill(f);
    f->node.scans = 0;
    f->node.moves_at = 2;
    request(f, "GET /export?prefix=a/", "", NULL);
    struct writer text = unchunk(f);
    assert_int_equal(import(writer_slice(&text)), 2);
    assert_non_null(memmem(text.data, text.size, "\"revision\":4", 12));
    writer_deinit(&text);
}

static void what_is_wrong_is_refused(void **state)
{
    struct fixture *f = *state;
    request(f, "GET /export?prefx=a", "", NULL);
    assert_problem(f, 400, "bad-request", "did you mean");
    request(f, "POST /export", "", "x");
    assert_problem(f, 405, "method-not-allowed", "");
    f->node.e = ERR_NO_LEADER;
    request(f, "GET /export", "", NULL);
    assert_problem(f, 503, "no-leader", "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(everything_comes_byte_for_byte_and_checks),
        TEST(those_of_a_prefix_are_counted_first),
        TEST(head_tells_the_revision),
        TEST(a_state_that_moves_on_is_exported_as_one),
        TEST(what_is_wrong_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
