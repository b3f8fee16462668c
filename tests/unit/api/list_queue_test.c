#include "api/api_int.h"
#include "api_testing.h"

static void fill(struct fixture *f)
{
    for (int i = 0; i < 40; i++) {
        char start[32];
        (void)snprintf(start, sizeof(start), "PUT /kv/%02d", i);
        struct slice value = {mem_calloc(1, 90000), 90000};
        request_bytes(f, start, "", value);
        mem_free((void *)(uintptr_t)value.data);
        assert_int_equal(f->status, 201);
    }
}

#define CLIENTS 12u

static void begin_streams(struct fixture *f, int clients[CLIENTS])
{
    uint64_t scans = f->node.scans;
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct slice text =
            SLICE_LITERAL("GET /kv?format=ndjson HTTP/1.1\r\nHost: localhost\r\n\r\n");
        clients[i] = client_connect(f);
        while (text.size > 0) {
            client_send(clients[i], &text);
        }
    }
    while (f->node.scans < scans + 2u * CLIENTS) { /* whether it is there, and the first piece */
        env_uv_run_once(f->env, false);
    }
}

static void a_turn_has_a_few_pieces_of_all_lists_together(void **state)
{
    struct fixture *f = *state;
    int clients[CLIENTS];
    fill(f);
    begin_streams(f, clients);
    unsigned with_pieces = 0;
    for (int i = 0; i < 200; i++) {
        uint64_t before = f->node.scans;
        env_uv_run_once(f->env, false);
        assert_true(f->node.scans - before <= 4);
        with_pieces += f->node.scans > before;
    }
    assert_true(with_pieces > 2);
    for (unsigned i = 0; i < CLIENTS; i++) {
        (void)close(clients[i]);
    }
}

/* They wait, or their clients do not read: either way nothing is left over (leaks are seen). */
static void an_end_in_the_middle_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    int clients[CLIENTS];
    fill(f);
    begin_streams(f, clients);
    for (unsigned i = 0; i < CLIENTS; i++) {
        (void)close(clients[i]);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(a_turn_has_a_few_pieces_of_all_lists_together),
        TEST(an_end_in_the_middle_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
