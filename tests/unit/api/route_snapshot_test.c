#include "api_testing.h"

/* Bytes of the chunked body, sizes and line ends left out; asserts that it has its end. */
static size_t chunked_size(const struct fixture *f)
{
    size_t total = 0;
    const char *text = (const char *)f->body.data;
    const char *end = text + f->body.size;
    for (;;) {
        size_t size = 0;
        int head = 0;
        assert_true(text < end);
        assert_int_equal(sscanf(text, "%zx%n", &size, &head), 1);
        text += (size_t)head + 2 + size + 2;
        total += size;
        if (size == 0) {
            assert_ptr_equal(text, end);
            return total;
        }
    }
}

static void a_backup_comes_whole_with_what_it_is(void **state)
{
    struct fixture *f = *state;
    f->node.revision = 100;
    f->node.backup_state = (struct store_region){.applied = {.term = 3, .index = 55},
                                                 .revision = 77,
                                                 .state_hash = {.low = 0xb, .high = 0xa}};
    f->node.backup_pieces = 20;
    request(f, "GET /admin/snapshot", "", NULL);
    assert_int_equal(f->status, 200);
    assert_field(f, "Content-Type", "application/vnd.pontoon.snapshot");
    assert_field(f, "Transfer-Encoding", "chunked");
    assert_field(f, "KV-Revision", "77"); /* the backup's, not today's */
    assert_field(f, "ETag", "\"55-000000000000000a000000000000000b\"");
    assert_field(f, "Accept-Ranges", "none");
    assert_int_equal(chunked_size(f), 20 * BACKUP_PIECE_BYTES);
    assert_int_equal(f->node.backups_closed, 1);
}

static void a_head_tells_of_now_and_costs_no_backup(void **state)
{
    struct fixture *f = *state;
    struct store_region now = {.applied.index = 55, .revision = 77, .state_hash = {0xb, 0xa}};
    f->node.status.state = NULL;
    request(f, "HEAD /admin/snapshot", "", NULL);
    assert_int_equal(f->status, 503);
    f->node.status.state = &now;
    request(f, "HEAD /admin/snapshot", "", NULL);
    assert_int_equal(f->status, 200);
    assert_field(f, "ETag", "\"55-000000000000000a000000000000000b\"");
    assert_field(f, "KV-Revision", "77");
    assert_null(field_of(f, "Content-Length"));
    assert_int_equal(f->body.size, 0);
    assert_int_equal(f->node.backups_closed, 0);
}

static void who_has_this_state_already_is_told_so(void **state)
{
    struct fixture *f = *state;
    struct store_region now = {.applied.index = 55, .state_hash = {0xb, 0xa}};
    const char *known = "If-None-Match: \"55-000000000000000a000000000000000b\"\r\n";
    f->node.status.state = &now;
    f->node.backup_pieces = 1;
    request(f, "GET /admin/snapshot", known, NULL);
    assert_int_equal(f->status, 304);
    assert_int_equal(f->node.backups_closed, 0);
    now.applied.index++;
    request(f, "GET /admin/snapshot", known, NULL);
    assert_int_equal(f->status, 200);
    assert_int_equal(f->node.backups_closed, 1);
}

static void a_range_is_ignored(void **state)
{
    struct fixture *f = *state;
    f->node.backup_pieces = 2;
    request(f, "GET /admin/snapshot", "Range: bytes=100-\r\nIf-Range: \"1-0\"\r\n", NULL);
    assert_int_equal(f->status, 200);
    assert_int_equal(chunked_size(f), 2 * BACKUP_PIECE_BYTES);
}

static void pieces_wait_until_they_are_due(void **state)
{
    struct fixture *f = *state;
    uint64_t began_ms = env_now_ns(f->env) / 1000000;
    f->node.backup_pieces = 6;
    f->node.backup_delay_ms = 10;
    request(f, "GET /admin/snapshot", "", NULL);
    assert_int_equal(chunked_size(f), 6 * BACKUP_PIECE_BYTES);
    assert_true(env_now_ns(f->env) / 1000000 - began_ms >= 45); /* five times */
}

static void what_cannot_be_begun_is_refused_with_why(void **state)
{
    static const struct {
        err e;
        int status;
        const char *slug;
        const char *words;
    } rows[] = {
        {ERR_BUSY, 503, "overloaded", "another backup"},
        {ERR_UNAVAILABLE, 503, "overloaded", "no checkpoint"},
        {ERR_DRAINING, 503, "draining", "shutting down"},
        {ERR_DIVERGED, 503, "diverged", "another one"},
        {ERR_CORRUPT, 500, "corrupt", "damaged"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        f->node.e = rows[i].e;
        request(f, "GET /admin/snapshot", "", NULL);
        assert_problem(f, rows[i].status, rows[i].slug, rows[i].words);
    }
    assert_int_equal(f->node.backups_closed, 0);
}

/* A client that asks and does not read on. */
static int ask(struct fixture *f, unsigned pieces)
{
    struct slice text =
        SLICE_LITERAL("GET /admin/snapshot HTTP/1.1\r\nHost: localhost:3000\r\n\r\n");
    int client = client_connect(f);
    f->node.backup_pieces = pieces;
    client_send(client, &text);
    uint64_t deadline_ms = env_now_ms(f->env) + PATIENCE_MS;
    while (f->node.backup == NULL) {
        assert_true(env_now_ms(f->env) < deadline_ms);
        env_uv_run_once(f->env, false);
    }
    return client;
}

/* Reads what comes until there is no more; whether that was the end of a chunked body. */
static bool read_to_end(struct fixture *f, int client)
{
    static const char end[] = "\r\n0\r\n\r\n";
    char last[sizeof(end) - 1] = "";
    uint8_t piece[65536];
    ssize_t count = 1;
    uint64_t deadline_ms = env_now_ms(f->env) + PATIENCE_MS;
    while (count > 0 || (count < 0 && errno == EAGAIN)) {
        assert_true(env_now_ms(f->env) < deadline_ms);
        env_uv_run_once(f->env, false);
        count = recv(client, piece, sizeof(piece), MSG_DONTWAIT);
        if (count >= (ssize_t)sizeof(last)) {
            memcpy(last, piece + count - sizeof(last), sizeof(last));
        }
    }
    return memcmp(last, end, sizeof(last)) == 0;
}

static void a_client_that_does_not_read_is_not_read_for(void **state)
{
    struct fixture *f = *state;
    const unsigned pieces = 1000; /* 100 MB: more than sockets hold */
    int client = ask(f, pieces);
    unsigned before = 0;
    while (before != f->node.backup_pieces) { /* until nothing moves any more */
        before = f->node.backup_pieces;
        for (unsigned i = 0; i < 10; i++) {
            env_uv_run_once(f->env, false);
        }
    }
    assert_true(before > pieces / 2);
    (void)close(client);
    uint64_t deadline_ms = env_now_ms(f->env) + PATIENCE_MS;
    while (f->node.backups_closed == 0) { /* the client is gone, so the backup ends */
        assert_true(env_now_ms(f->env) < deadline_ms);
        env_uv_run_once(f->env, false);
    }
    assert_true(f->node.backup_pieces > 0);
}

static void one_that_breaks_has_no_end(void **state)
{
    struct fixture *f = *state;
    int client = ask(f, 1000);
    f->node.e = ERR_UNAVAILABLE; /* the next read */
    assert_false(read_to_end(f, client));
    assert_int_equal(f->node.backups_closed, 1);
    (void)close(client);
}

static void one_that_the_node_cuts_has_no_end(void **state)
{
    struct fixture *f = *state;
    int client = ask(f, 1000);
    struct node_backup *backup = f->node.backup;
    node_backup_close(backup); /* as it does before it says so */
    backup->cut(backup);
    assert_false(read_to_end(f, client));
    assert_int_equal(f->node.backups_closed, 1);
    (void)close(client);
}

static void there_is_nothing_to_write(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /admin/snapshot", "", "");
    assert_problem(f, 405, "method-not-allowed", "GET");
    assert_field(f, "Allow", "GET, HEAD, OPTIONS");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(a_backup_comes_whole_with_what_it_is),
        TEST(a_head_tells_of_now_and_costs_no_backup),
        TEST(who_has_this_state_already_is_told_so),
        TEST(a_range_is_ignored),
        TEST(pieces_wait_until_they_are_due),
        TEST(what_cannot_be_begun_is_refused_with_why),
        TEST(a_client_that_does_not_read_is_not_read_for),
        TEST(one_that_breaks_has_no_end),
        TEST(one_that_the_node_cuts_has_no_end),
        TEST(there_is_nothing_to_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
