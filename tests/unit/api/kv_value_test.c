#include "api/encoding.h"
#include "api_testing.h"

#define GZIP "Accept-Encoding: gzip\r\n"

/* Puts `size` bytes of text under /kv/a, as `type`. */
static void put_text(struct fixture *f, const char *type, size_t size)
{
    char fields[100];
    uint8_t *bytes = mem_alloc(size);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)('a' + i / 7 % 26);
    }
    (void)snprintf(fields, sizeof(fields), "Content-Type: %s\r\n", type);
    request_bytes(f, "PUT /kv/a", fields, (struct slice){bytes, size});
    assert_int_equal(f->status / 100, 2);
    mem_free(bytes);
}

static void a_part_of_a_value_says_which(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a", "Content-Type: text/plain\r\n", "0123456789");
    request(f, "GET /kv/a", "Range: bytes=2-4\r\n", NULL);
    assert_int_equal(f->status, 206);
    assert_body(f, "234");
    assert_field(f, "Content-Range", "bytes 2-4/10");
    assert_field(f, "Content-Length", "3");
    assert_field(f, "ETag", "\"1\"");
    assert_field(f, "Content-Type", "text/plain");
    assert_field(f, "Accept-Ranges", "bytes");
    request(f, "GET /kv/a", "Range: bytes=-2\r\n", NULL);
    assert_body(f, "89");
    request(f, "GET /kv/a", "Range: bytes=0-1,5-6\r\n", NULL);
    assert_int_equal(f->status, 200);
    assert_body(f, "0123456789");
    request(f, "HEAD /kv/a", "Range: bytes=2-4\r\n", NULL);
    assert_int_equal(f->status, 200);
    assert_field(f, "Content-Length", "10");
}

static void a_part_behind_the_end_is_416_with_the_size(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a", "", "0123456789");
    request(f, "GET /kv/a", "Range: bytes=10-\r\n", NULL);
    assert_problem(f, 416, "range", "has 10 bytes");
    assert_field(f, "Content-Range", "bytes */10");
    request(f, "GET /kv/a", "If-None-Match: \"1\"\r\nRange: bytes=10-\r\n", NULL);
    assert_int_equal(f->status, 304); /* that comes first */
    request(f, "PUT /kv/a", "", "");
    request(f, "GET /kv/a", "Range: bytes=0-\r\n", NULL);
    assert_problem(f, 416, "range", "has 0 bytes");
}

static void text_is_compressed_for_who_takes_it(void **state)
{
    struct fixture *f = *state;
    put_text(f, "text/plain", 5000);
    request(f, "GET /kv/a", "", NULL);
    assert_int_equal(f->body.size, 5000);
    struct buf *plain = buf_copy(f->body);
    assert_null(field_of(f, "Content-Encoding"));
    request(f, "GET /kv/a", GZIP, NULL);
    assert_int_equal(f->status, 200);
    assert_field(f, "Content-Encoding", "gzip");
    assert_field(f, "ETag", "\"1-gzip\"");
    assert_field(f, "Content-Type", "text/plain");
    assert_field(f, "Vary", "Accept, Accept-Encoding");
    assert_in_range(f->body.size, 1, 1000);
    struct writer decoded = {0};
    assert_int_equal(api_encoding_decode(ENCODING_GZIP, f->body, 5000, &decoded), OK);
    assert_true(slice_equal(writer_slice(&decoded), buf_slice(plain)));
    writer_deinit(&decoded);
    buf_unref(plain);
    request(f, "HEAD /kv/a", GZIP, NULL);
    assert_field(f, "ETag", "\"1-gzip\"");
    assert_field(f, "Content-Encoding", "gzip");
    assert_null(field_of(f, "Content-Length"));
    request(f, "GET /kv/a", GZIP "If-None-Match: \"1-gzip\"\r\n", NULL);
    assert_int_equal(f->status, 304);
    assert_field(f, "ETag", "\"1-gzip\"");
    request(f, "GET /kv/a", GZIP "Prefer: timing\r\n", NULL); /* whatever stands before it */
    assert_int_equal(f->status, 200);
    assert_field(f, "ETag", "\"1-gzip\"");
}

static void what_is_small_large_or_no_text_is_sent_as_it_is(void **state)
{
    struct fixture *f = *state;
    put_text(f, "text/plain", ENCODING_GZIP_BYTES_MIN - 1);
    request(f, "GET /kv/a", GZIP, NULL);
    assert_null(field_of(f, "Content-Encoding"));
    assert_field(f, "ETag", "\"1\"");
    put_text(f, "text/plain", ENCODING_GZIP_BYTES_MIN);
    request(f, "GET /kv/a", GZIP, NULL);
    assert_field(f, "Content-Encoding", "gzip");
    put_text(f, "image/png", 5000);
    request(f, "GET /kv/a", GZIP, NULL);
    assert_null(field_of(f, "Content-Encoding"));
    request(f, "GET /kv/a", "Accept-Encoding: gzip, identity;q=0\r\n", NULL);
    assert_field(f, "Content-Encoding", "gzip");
    request(f, "PUT /kv/a", "", "x");
    request(f, "GET /kv/a", "Accept-Encoding: gzip, identity;q=0\r\n", NULL);
    assert_field(f, "Content-Encoding", "gzip");
}

static void ranges_and_digests_are_of_the_value_as_it_is_stored(void **state)
{
    struct fixture *f = *state;
    put_text(f, "text/plain", 5000);
    request(f, "GET /kv/a", GZIP "Range: bytes=0-6\r\n", NULL);
    assert_int_equal(f->status, 206);
    assert_null(field_of(f, "Content-Encoding"));
    assert_body(f, "aaaaaaa");
    request(f, "PUT /kv/a", "", "hello world");
    const char *digest = "sha-256=:uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=:";
    request(f, "GET /kv/a", "Want-Repr-Digest: sha-256=5, sha-512=1\r\nRange: bytes=0-1\r\n", NULL);
    assert_body(f, "he");
    assert_field(f, "Repr-Digest", digest);
    request(f, "HEAD /kv/a", "Want-Repr-Digest: sha-256=5\r\n", NULL);
    assert_field(f, "Repr-Digest", digest);
    request(f, "GET /kv/a", "Want-Repr-Digest: md5=5\r\n", NULL);
    assert_null(field_of(f, "Repr-Digest"));
    put_text(f, "text/plain", 5000);
    request(f, "GET /kv/a", GZIP "Want-Repr-Digest: sha-256=5\r\n", NULL);
    assert_non_null(field_of(f, "Repr-Digest"));
    assert_null(field_of(f, "Content-Encoding"));
}

static void meta_tells_what_is_known_of_a_value(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a%2fb", "Content-Type: text/css\r\n", "12345");
    request(f, "PUT /kv/a%2fb", "Content-Type: text/css\r\n", "123456");
    request(f, "GET /kv/a/b?meta", "", NULL);
    assert_int_equal(f->status, 200);
    assert_field(f, "Content-Type", "application/json");
    assert_field(f, "KV-Consistency", "linearizable");
    struct json_object *document = json_body(f);
    assert_string_equal(json_text(document, "key"), "a/b");
    assert_string_equal(json_text(document, "etag"), "2");
    assert_int_equal(json_u64(document, "create_revision"), 1);
    assert_int_equal(json_u64(document, "mod_revision"), 2);
    assert_int_equal(json_u64(document, "version"), 2);
    assert_int_equal(json_u64(document, "size"), 6);
    assert_string_equal(json_text(document, "content_type"), "text/css");
    assert_string_equal(json_text(document, "modified"), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_int_equal(json_u64(document, "modified_ms"), f->node.clock_ms);
    assert_null(json_text(document, "ttl"));
    assert_null(json_text(document, "lease"));
    (void)json_object_put(document);
    request(f, "PUT /kv/%FF", "", "1");
    request(f, "GET /kv/%FF?meta=1", "", NULL);
    assert_member(f, "key_base64", "/w==");
    assert_member(f, "key", NULL);
    request(f, "GET /kv/none?meta", "", NULL);
    assert_problem(f, 404, "not-found", "no such key");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(a_part_of_a_value_says_which),
        TEST(a_part_behind_the_end_is_416_with_the_size),
        TEST(text_is_compressed_for_who_takes_it),
        TEST(what_is_small_large_or_no_text_is_sent_as_it_is),
        TEST(ranges_and_digests_are_of_the_value_as_it_is_stored),
        TEST(meta_tells_what_is_known_of_a_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
