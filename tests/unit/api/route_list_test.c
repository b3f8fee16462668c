#include "api_testing.h"

static void put(struct fixture *f, const char *key, const char *value)
{
    char start[128];
    (void)snprintf(start, sizeof(start), "PUT /kv/%s", key);
    request(f, start, "", value);
    assert_int_equal(f->status, 201);
}

static void fill(struct fixture *f)
{
    put(f, "a/1", "one");
    put(f, "a/2", "two");
    put(f, "a/b/3", "three");
    put(f, "c", "four");
    put(f, "%FF/x", "%");
}

static void a_page_is_a_document_of_keys(void **state)
{
    struct fixture *f = *state;
    fill(f);
    request(f, "GET /kv?prefix=a/", "", NULL);
    assert_int_equal(f->status, 200);
    assert_body(f, "{\"revision\":5,\"keys\":["
                   "{\"key\":\"a/1\",\"etag\":\"1\",\"size\":3,\"create_revision\":1,\"version\":1,"
                   "\"value\":\"one\"},"
                   "{\"key\":\"a/2\",\"etag\":\"2\",\"size\":3,\"create_revision\":2,\"version\":1,"
                   "\"value\":\"two\"},"
                   "{\"key\":\"a/b/3\",\"etag\":\"3\",\"size\":5,\"create_revision\":3,"
                   "\"version\":1,\"value\":\"three\"}]}\n");
    assert_field(f, "Content-Type", "application/json");
    assert_field(f, "ETag", "W/\"5\"");
    assert_field(f, "KV-Revision", "5");
    assert_field(f, "KV-Consistency", "linearizable");
    assert_field(f, "X-Content-Type-Options", "nosniff");
    assert_field(f, "Content-Security-Policy", "sandbox");
    assert_field(f, "Vary", "Accept, Accept-Encoding");
    assert_null(field_of(f, "Link"));
    request(f, "GET /kv/?delimiter=/&values=0", "", NULL);
    assert_body(f, "{\"revision\":5,\"keys\":[{\"key\":\"c\",\"etag\":\"4\",\"size\":4,"
                   "\"create_revision\":4,\"version\":1}],\"prefixes\":[\"a/\"],"
                   "\"prefixes_base64\":[\"/y8=\"]}\n");
    request(f, "GET /kv?prefix=none&delimiter=/", "", NULL);
    assert_body(f, "{\"revision\":5,\"keys\":[],\"prefixes\":[]}\n");
    request(f, "GET /kv?limit=0", "", NULL);
    assert_body(f, "{\"revision\":5,\"keys\":[]}\n");
}

static void an_empty_store_has_an_empty_list(void **state)
{
    struct fixture *f = *state;
    request(f, "GET /kv", "", NULL);
    assert_body(f, "{\"revision\":0,\"keys\":[]}\n");
    request(f, "GET /kv?count&prefix=a", "", NULL);
    assert_body(f, "{\"revision\":0,\"count\":0}\n");
}

#define START_SIZE 2048

/* The request for the page behind the last answer's. */
static const char *next_of(const struct fixture *f, char start[START_SIZE])
{
    struct json_object *document = json_body(f);
    char link[START_SIZE];
    const char *next = json_text(document, "next");
    (void)snprintf(start, START_SIZE, "GET %s", next);
    (void)snprintf(link, sizeof(link), "<%s>; rel=\"next\"", next);
    assert_field(f, "Link", link);
    (void)json_object_put(document);
    return start;
}

static bool has(const struct fixture *f, const char *text)
{
    return memmem(f->body.data, f->body.size, text, strlen(text)) != NULL;
}

static void pages_are_of_one_revision_and_end(void **state)
{
    struct fixture *f = *state;
    char start[START_SIZE];
    fill(f);
    request(f,
            "GET /kv?prefix=a/&delimiter=/&match=a*&limit=1&values=0&start=a/1&end=b&after=a"
            "&before=b&consistency=stale&format=json&max-create-revision=9&min-create-revision=1"
            "&max-mod-revision=8&min-mod-revision=1",
            "", NULL);
    assert_non_null(
        strstr(field_of(f, "Link"),
               "/kv?prefix=a/&start=a/1&end=b&after=a&before=b&delimiter=/&match=a%2A"
               "&min-mod-revision=1&max-mod-revision=8&min-create-revision=1"
               "&max-create-revision=9&values=0&limit=1&format=json&consistency=stale&cursor="));
    (void)next_of(f, start);
    put(f, "z", "later");
    request(f, start, "", NULL);
    assert_true(has(f, "{\"revision\":5,"));
    assert_true(has(f, "\"a/2\""));
    request(f, next_of(f, start), "", NULL);
    assert_true(has(f, "\"prefixes\":[\"a/b/\"]"));
    assert_null(field_of(f, "Link"));
    request(f, "GET /kv?reverse=1&limit=3&values=0", "", NULL);
    assert_true(has(f, "\"c\""));
    request(f, next_of(f, start), "", NULL);
    assert_true(has(f, "\"a/2\""));
    assert_false(has(f, "\"c\""));
}

static void a_filter_leaves_what_was_changed_since(void **state)
{
    struct fixture *f = *state;
    char start[START_SIZE];
    fill(f);
    request(f, "PUT /kv/a/1", "", "again"); /* 6 */
    assert_int_equal(f->status, 200);
    request(f, "GET /kv?min-mod-revision=4&limit=2&format=text", "", NULL);
    assert_body(f, "a/1\nc\n"); /* the limit is of what is left */
    (void)snprintf(start, sizeof(start), "GET %s", strstr(field_of(f, "Link"), "/kv?"));
    *strchr(start, '>') = '\0';
    request(f, start, "", NULL);
    assert_body(f, "%FF/x\n");
    assert_null(field_of(f, "Link"));
    request(f, "GET /kv?min-mod-revision=4&max-create-revision=1&values=0", "", NULL);
    assert_body(f, "{\"revision\":6,\"keys\":[{\"key\":\"a/1\",\"etag\":\"6\",\"size\":5,"
                   "\"create_revision\":1,\"version\":2}]}\n");
    request(f, "GET /kv?min-mod-revision=7", "", NULL);
    assert_body(f, "{\"revision\":6,\"keys\":[]}\n");
    f->node.scan_e = ERR_CORRUPT; /* it may be one of them */
    request(f, "GET /kv?min-mod-revision=7&format=text&limit=1", "", NULL);
    assert_problem(f, 500, "corrupt", "the key with the hash ");
}

static void a_revision_that_is_gone_says_what_is_left(void **state)
{
    struct fixture *f = *state;
    char start[START_SIZE];
    fill(f);
    request(f, "GET /kv?limit=1", "", NULL);
    (void)next_of(f, start);
    put(f, "z", "later");
    f->node.oldest = 6;
    request(f, start, "", NULL);
    assert_problem(f, 410, "compacted", "restart the list, without the cursor");
    assert_member(f, "oldest", "6");
    assert_member(f, "restart", "/kv?limit=1");
    request(f, "GET /kv?at=5", "", NULL);
    assert_problem(f, 410, "compacted", "oldest");
    request(f, "GET /kv?at=7", "", NULL);
    assert_problem(f, 400, "bad-request", "no such revision yet");
    request(f, "GET /kv?at=6&limit=1", "", NULL);
    assert_int_equal(f->status, 200);
    assert_field(f, "KV-Revision", "6");
}

static void a_cursor_of_another_list_is_refused(void **state)
{
    struct fixture *f = *state;
    fill(f);
    request(f, "GET /kv?cursor=abc", "", NULL);
    assert_problem(f, 400, "bad-request", "none of this list");
    request(f, "GET /kv?prefix=a/&limit=1", "", NULL);
    char start[2048];
    const char *cursor = strstr(field_of(f, "Link"), "cursor=");
    (void)snprintf(start, sizeof(start), "GET /kv?%.*s", (int)strcspn(cursor, ">"), cursor);
    request(f, start, "", NULL);
    assert_problem(f, 400, "bad-request", "none of this list");
    f->node.status.cluster_id++;
    (void)snprintf(start, sizeof(start), "GET /kv?prefix=a/&limit=1&%s", "cursor=AAAA");
    request(f, start, "", NULL);
    assert_problem(f, 400, "bad-request", "none of this list");
}

static void an_unchanged_list_is_not_sent_again(void **state)
{
    struct fixture *f = *state;
    fill(f);
    request(f, "GET /kv?prefix=a/", "If-None-Match: W/\"5\"\r\n", NULL);
    assert_int_equal(f->status, 304);
    assert_field(f, "ETag", "W/\"5\"");
    assert_int_equal(f->body.size, 0);
    request(f, "HEAD /kv?prefix=a/", "If-None-Match: \"5\"\r\n", NULL);
    assert_int_equal(f->status, 304);
    request(f, "GET /kv", "If-None-Match: \"x\", \"4\", W/5, \"6\", \"99999999999999999999\"\r\n",
            NULL);
    assert_int_equal(f->status, 200);
    request(f, "DELETE /kv/c", "", NULL);
    request(f, "GET /kv?prefix=a/", "If-None-Match: W/\"5\"\r\n", NULL);
    assert_int_equal(f->status, 200);
    /* Of the revision that it still is as, and not of another one. */
    f->node.same_since = 4;
    request(f, "GET /kv?prefix=a/", "If-None-Match: W/\"3\", W/\"5\"\r\n", NULL);
    assert_int_equal(f->status, 304);
    assert_field(f, "ETag", "W/\"5\"");
    request(f, "GET /kv?prefix=a/", "If-None-Match: W/\"3\"\r\n", NULL);
    assert_int_equal(f->status, 200);
}

static void lines_with_a_limit_are_a_page(void **state)
{
    struct fixture *f = *state;
    fill(f);
    request(f, "GET /kv?limit=2&values=0", "Accept: application/x-ndjson\r\n", NULL);
    assert_field(f, "Content-Type", "application/x-ndjson");
    assert_non_null(field_of(f, "Link"));
    assert_body(f, "{\"key\":\"a/1\",\"etag\":\"1\",\"size\":3,\"create_revision\":1,\"version\":1}"
                   "\n{\"key\":\"a/2\",\"etag\":\"2\",\"size\":3,\"create_revision\":2,"
                   "\"version\":1}\n");
    request(f, "GET /kv?limit=9&delimiter=/&format=text", "", NULL);
    assert_field(f, "Content-Type", "text/plain");
    assert_body(f, "a/\nc\n%FF/\n");
}

static void a_page_ends_before_it_is_too_large(void **state)
{
    struct fixture *f = *state;
    struct slice value = {mem_calloc(1, VALUE_BYTES_MAX), VALUE_BYTES_MAX};
    for (int i = 0; i < 60; i++) { /* 6 MB of zeros, six times as long as JSON */
        char start[32];
        (void)snprintf(start, sizeof(start), "PUT /kv/%02d", i);
        request_bytes(f, start, "", value);
        assert_int_equal(f->status, 201);
    }
    request(f, "GET /kv", "", NULL);
    assert_in_range(f->body.size, 1 << 20, (4u << 20) + 6 * VALUE_BYTES_MAX + 1000);
    assert_non_null(field_of(f, "Link"));
    mem_free((void *)(uintptr_t)value.data);
}

static void what_the_node_refuses_is_told(void **state)
{
    struct fixture *f = *state;
    fill(f);
    f->node.e = ERR_NO_LEADER;
    request(f, "GET /kv", "", NULL);
    assert_problem(f, 503, "no-leader", "no quorum");
    f->node.e = OK;
    f->node.scan_e = ERR_CORRUPT;
    request(f, "GET /kv", "", NULL);
    assert_problem(f, 500, "corrupt", "the key with the hash ");
    f->node.scan_e = ERR_MENDING;
    request(f, "GET /kv", "", NULL);
    assert_problem(f, 503, "mending", "fetched from another member");
    request(f, "GET /kv?format=text&limit=1", "", NULL); /* keys alone: no record is read */
    assert_int_equal(f->status, 200);
    request(f, "GET /kv?consistency=stale&limit=0", "", NULL);
    assert_field(f, "KV-Consistency", "stale");
    assert_int_equal(f->node.consistency, READ_STALE);
    request(f, "POST /kv", "", "x");
    assert_problem(f, 405, "method-not-allowed", "GET, HEAD, DELETE, OPTIONS");
}

static void deleting_many_is_guarded_and_can_be_tried(void **state)
{
    struct fixture *f = *state;
    fill(f);
    request(f, "DELETE /kv", "", NULL);
    assert_problem(f, 400, "bad-request", "say which keys");
    request(f, "DELETE /kv?prefix=a/", "If-Match: \"4\"\r\n", NULL);
    assert_problem(f, 501, "not-implemented", "If-Match is of a single key: a DELETE of many");
    request(f, "DELETE /kv?prefix=a/", "Idempotency-Key: 1\r\n", NULL);
    assert_problem(f, 501, "not-implemented", "Idempotency-Key is of a single key");
    request(f, "DELETE /kv?prefix=a/&dry-run=1", "", NULL);
    assert_body(f, "{\"dry_run\":true,\"would_delete\":3,\"revision\":5}\n");
    request(f, "DELETE /kv?all=yes&dry-run", "", NULL);
    assert_body(f, "{\"dry_run\":true,\"would_delete\":5,\"revision\":5}\n");
    request(f, "DELETE /kv?all=yes&dry-run", "Origin: http://other\r\n", NULL);
    assert_problem(f, 403, "forbidden", "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(a_page_is_a_document_of_keys),
        TEST(an_empty_store_has_an_empty_list),
        TEST(pages_are_of_one_revision_and_end),
        TEST(a_filter_leaves_what_was_changed_since),
        TEST(a_revision_that_is_gone_says_what_is_left),
        TEST(a_cursor_of_another_list_is_refused),
        TEST(an_unchanged_list_is_not_sent_again),
        TEST(lines_with_a_limit_are_a_page),
        TEST(a_page_ends_before_it_is_too_large),
        TEST(what_the_node_refuses_is_told),
        TEST(deleting_many_is_guarded_and_can_be_tried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
