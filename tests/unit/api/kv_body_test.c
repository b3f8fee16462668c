#include "api/encoding.h"
#include "api_testing.h"

static const char digest[] =
    "sha-256=:uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=:"; /* hello world */

/* PUTs `body` as it is, with `fields`. */
static void put(struct fixture *f, const char *fields, struct slice body)
{
    request_bytes(f, "PUT /kv/a", fields, body);
}

static void assert_stored(struct fixture *f, struct slice value)
{
    const struct fake_record *record = fake_find(&f->node, SLICE_LITERAL("a"));
    assert_non_null(record);
    assert_true(slice_equal(buf_slice(record->value), value));
}

static void a_coded_body_is_stored_decoded(void **state)
{
    struct fixture *f = *state;
    struct slice hello = SLICE_LITERAL("hello world");
    struct buf *coded = api_encoding_gzip(hello);
    put(f, "Content-Encoding: gzip\r\n", buf_slice(coded));
    assert_int_equal(f->status, 201);
    assert_stored(f, hello);
    put(f, "Content-Encoding: X-GZip\r\nContent-Type: text/plain\r\n", buf_slice(coded));
    assert_stored(f, hello);
    request(f, "GET /kv/a", "", NULL);
    assert_body(f, "hello world");
    assert_null(field_of(f, "Content-Encoding"));
    assert_field(f, "Content-Type", "text/plain");
    put(f, "Content-Encoding: deflate\r\n",
        SLICE_LITERAL("\x78\x9c\xcb\x48\xcd\xc9\xc9\x57\xc8\x40\x90\x00\x3a\x2e\x06\x7d"));
    assert_stored(f, SLICE_LITERAL("hello hello hello"));
    put(f, "Content-Encoding: identity\r\n", SLICE_LITERAL("as it is"));
    assert_stored(f, SLICE_LITERAL("as it is"));
    buf_unref(coded);
}

static void damage_and_unknown_codings_are_refused(void **state)
{
    struct fixture *f = *state;
    put(f, "Content-Encoding: gzip\r\n", SLICE_LITERAL("hello world"));
    assert_problem(f, 400, "bad-request", "Content-Encoding");
    assert_member(f, "outcome", "not-applied");
    put(f, "Content-Encoding: gzip\r\n", (struct slice){(const uint8_t *)"", 0});
    assert_problem(f, 400, "bad-request", "cut short");
    const char *const unknown[] = {"Content-Encoding: br\r\n", "Content-Encoding: gzip, gzip\r\n"};
    for (size_t i = 0; i < ARRAY_COUNT(unknown); i++) {
        put(f, unknown[i], SLICE_LITERAL("x"));
        assert_problem(f, 415, "unsupported-encoding", "gzip or deflate");
        assert_field(f, "Accept-Encoding", "gzip, deflate");
    }
    put(f, "Content-Range: bytes 0-0/2\r\n", SLICE_LITERAL("1"));
    assert_problem(f, 400, "bad-request", "Content-Range");
    assert_null(fake_find(&f->node, SLICE_LITERAL("a")));
}

static void the_limit_is_that_of_the_decoded_value(void **state)
{
    struct fixture *f = *state;
    uint8_t *zeros = mem_calloc(1, VALUE_BYTES_MAX + 1);
    struct buf *fits = api_encoding_gzip((struct slice){zeros, VALUE_BYTES_MAX});
    struct buf *bomb = api_encoding_gzip((struct slice){zeros, VALUE_BYTES_MAX + 1});
    put(f, "Content-Encoding: gzip\r\n", buf_slice(fits));
    assert_int_equal(f->status, 201);
    assert_stored(f, (struct slice){zeros, VALUE_BYTES_MAX});
    assert_in_range(bomb->size, 1, 1000);
    put(f, "Content-Encoding: gzip\r\n", buf_slice(bomb));
    assert_problem(f, 413, "too-large", "once it is decoded");
    assert_member(f, "limit", "100000");
    assert_member(f, "setting", "max-value-bytes");
    buf_unref(fits);
    buf_unref(bomb);
    mem_free(zeros);
}

static void a_digest_that_does_not_match_stops_the_write(void **state)
{
    struct fixture *f = *state;
    char fields[300];
    const char *const names[] = {"Repr-Digest", "Content-Digest"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        (void)snprintf(fields, sizeof(fields), "%s: %s\r\n", names[i], digest);
        put(f, fields, SLICE_LITERAL("hello world"));
        assert_int_equal(f->status / 100, 2);
        put(f, fields, SLICE_LITERAL("hello worlD"));
        assert_problem(f, 422, "digest-mismatch", names[i]);
        assert_member(f, "outcome", "not-applied");
        assert_stored(f, SLICE_LITERAL("hello world"));
        (void)snprintf(fields, sizeof(fields), "%s: md5=:AA==:\r\n", names[i]);
        put(f, fields, SLICE_LITERAL("x"));
        assert_problem(f, 400, "bad-request", "sha-512");
    }
}

static void of_a_coded_body_the_digests_are_of_one_form_each(void **state)
{
    struct fixture *f = *state;
    char fields[300];
    struct buf *coded = api_encoding_gzip(SLICE_LITERAL("hello world"));
    (void)snprintf(fields, sizeof(fields), "Content-Encoding: gzip\r\nRepr-Digest: %s\r\n", digest);
    put(f, fields, buf_slice(coded));
    assert_int_equal(f->status, 201);
    assert_stored(f, SLICE_LITERAL("hello world"));
    (void)snprintf(fields, sizeof(fields), "Content-Encoding: gzip\r\nContent-Digest: %s\r\n",
                   digest);
    put(f, fields, buf_slice(coded)); /* that would be of what was sent */
    assert_problem(f, 422, "digest-mismatch", "Content-Digest");
    buf_unref(coded);
}

static void a_delete_has_no_value_to_check(void **state)
{
    struct fixture *f = *state;
    request(f, "DELETE /kv/a", "Content-Encoding: br\r\nContent-Digest: x\r\n", "{}");
    assert_int_equal(f->status, 200);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(a_coded_body_is_stored_decoded),
        TEST(damage_and_unknown_codings_are_refused),
        TEST(the_limit_is_that_of_the_decoded_value),
        TEST(a_digest_that_does_not_match_stops_the_write),
        TEST(of_a_coded_body_the_digests_are_of_one_form_each),
        TEST(a_delete_has_no_value_to_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
