#include "api_testing.h"

static void fill(struct fixture *f, int count, size_t size)
{
    struct slice value = {mem_alloc(size), size};
    memset((void *)(uintptr_t)value.data, 'v', size);
    for (int i = 0; i < count; i++) {
        char start[32];
        (void)snprintf(start, sizeof(start), "PUT /kv/%02d", i);
        request_bytes(f, start, "", value);
        assert_int_equal(f->status, 201);
    }
    mem_free((void *)(uintptr_t)value.data);
}

/* Lines of the body, and whether it has its end: it comes in chunks. */
static unsigned lines_of(const struct fixture *f, bool *out_is_whole)
{
    unsigned count = 0;
    static const char mark[] = "{\"key\":";
    const uint8_t *end = f->body.data + f->body.size;
    for (const uint8_t *found = memmem(f->body.data, f->body.size, mark, strlen(mark));
         found != NULL; found = memmem(found + 1, (size_t)(end - found - 1), mark, strlen(mark))) {
        count++;
    }
    *out_is_whole = f->body.size >= 5 && memcmp(end - 5, "0\r\n\r\n", 5) == 0;
    return count;
}

static void all_of_it_comes_however_much(void **state)
{
    struct fixture *f = *state;
    bool is_whole;
    fill(f, 60, 50000); /* many times what a connection holds */
    request(f, "GET /kv?format=ndjson", "", NULL);
    assert_int_equal(f->status, 200);
    assert_field(f, "Transfer-Encoding", "chunked");
    assert_field(f, "Content-Type", "application/x-ndjson");
    assert_field(f, "KV-Revision", "60");
    assert_field(f, "ETag", "W/\"60\"");
    assert_int_equal(lines_of(f, &is_whole), 60);
    assert_true(is_whole);
    request(f, "GET /kv?format=ndjson&prefix=1&values=0", "", NULL);
    assert_int_equal(lines_of(f, &is_whole), 10);
    assert_true(is_whole);
    request(f, "GET /kv?format=ndjson&limit=20000", "", NULL); /* more than a page may have */
    assert_int_equal(lines_of(f, &is_whole), 60);
    assert_true(is_whole);
}

static void text_is_a_stream_of_keys(void **state)
{
    struct fixture *f = *state;
    fill(f, 3, 1);
    request(f, "GET /kv", "Accept: text/plain\r\n", NULL);
    assert_field(f, "Content-Type", "text/plain");
    assert_body(f, "9\r\n00\n01\n02\n\r\n0\r\n\r\n");
}

static void what_cannot_go_on_is_cut_and_not_ended(void **state)
{
    struct fixture *f = *state;
    bool is_whole;
    fill(f, 60, 50000);
    f->node.scans = 0;
    f->node.moves_at = 2; /* its revision is there at first, and gone when it comes to the keys */
    request(f, "GET /kv?format=ndjson", "", NULL);
    assert_int_equal(f->status, 200);
    assert_int_equal(lines_of(f, &is_whole), 0);
    assert_false(is_whole);
    f->node.oldest = 0;
    f->node.scan_e = ERR_CORRUPT;
    request(f, "GET /kv?format=ndjson", "", NULL);
    (void)lines_of(f, &is_whole);
    assert_false(is_whole);
}

/* Nobody reads; the connection goes with the fixture. */
static void who_does_not_read_it_may_go(void **state)
{
    struct fixture *f = *state;
    fill(f, 60, 90000);
    int client = client_connect(f);
    struct slice text = SLICE_LITERAL("GET /kv?format=ndjson HTTP/1.1\r\nHost: localhost\r\n\r\n");
    uint64_t scans = f->node.scans;
    while (f->node.scans < scans + 3) {
        client_send(client, &text);
        env_uv_run_once(f->env, false);
    }
    (void)close(client);
    request(f, "GET /kv/00", "", NULL);
    assert_int_equal(f->status, 200);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(all_of_it_comes_however_much),
        TEST(text_is_a_stream_of_keys),
        TEST(what_cannot_go_on_is_cut_and_not_ended),
        TEST(who_does_not_read_it_may_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
