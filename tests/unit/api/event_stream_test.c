/* What an event looks like is seen at the streams that there are. */
#include "state_testing.h"

static void events_and_their_header_fields_are_what_event_source_wants(void **state)
{
    struct fixture *f = *state;
    struct peer peer = peer_open(f, "GET /elections/e/watch", "", "");
    peer_until(f, &peer, "event: none\ndata: {}\n\n");
    assert_true(peer_has(&peer, "Content-Type: text/event-stream\r\n"));
    assert_true(peer_has(&peer, "Cache-Control: no-store\r\n"));
    assert_true(peer_has(&peer, "X-Accel-Buffering: no\r\n"));
    assert_true(peer_has(&peer, "Transfer-Encoding: chunked\r\n"));
    assert_true(peer_has(&peer, "KV-Request-Id: "));
    peer_close(&peer);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, state_open, state_close)
    const struct CMUnitTest tests[] = {
        TEST(events_and_their_header_fields_are_what_event_source_wants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
