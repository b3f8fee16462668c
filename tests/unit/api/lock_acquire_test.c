#include "api/api_int.h"
#include "state_testing.h"

static const char take[] = "POST /locks/a?ttl=10s";

static void who_comes_first_has_it_and_others_are_told_who(void **state)
{
    struct fixture *f = *state;
    request(f, take, "", "host-1");
    assert_int_equal(f->status, 200);
    assert_field(f, "KV-Fence", "a:1");
    assert_member(f, "token", "1");
    assert_member(f, "ttl", "10.0");
    request(f, take, "", "host-2");
    assert_problem(f, 423, "locked", "with the token 1, for 10.0 s unless it is renewed");
    assert_member(f, "holder", "host-1");
    assert_field(f, "Retry-After", "1");
    state_pass(f, 9999);
    request(f, take, "", "host-2");
    assert_int_equal(f->status, 423);
    state_pass(f, 1);
    request(f, take, "", "host-2");
    assert_int_equal(f->status, 200);
    assert_field(f, "KV-Fence", "a:3");
}

static void who_waits_gets_it_in_turn(void **state)
{
    struct fixture *f = *state;
    struct peer peers[20];
    request(f, take, "", "first");
    for (unsigned i = 0; i < ARRAY_COUNT(peers); i++) {
        peers[i] = peer_open(f, "POST /locks/a?ttl=1s&wait=60s", "", "x");
        until_writes(f, 2 + i);
    }
    for (unsigned i = 0; i < ARRAY_COUNT(peers); i++) {
        state_pass(f, i == 0 ? 10000 : 1000);
        peer_until(f, &peers[i], "HTTP/1.1 200 OK\r\n");
        for (unsigned later = i + 1; later < ARRAY_COUNT(peers); later++) {
            assert_int_equal(peers[later].in.size, 0);
        }
    }
    for (unsigned i = 0; i < ARRAY_COUNT(peers); i++) {
        peer_close(&peers[i]);
    }
}

static void who_has_waited_long_enough_is_told_of_the_holder(void **state)
{
    struct fixture *f = *state;
    request(f, take, "", "first");
    request(f, "POST /locks/a?ttl=10s&wait=100ms", "", "second");
    assert_problem(f, 423, "locked", "with the token 1");
    assert_member(f, "holder", "first");
    assert_int_equal(state_writes, 3); /* to take, to queue, to leave */
    request(f, "GET /locks/a", "", NULL);
    assert_member(f, "waiting", "0");
}

static void a_semaphore_has_as_many_holders_as_all_agree_on(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        request(f, "POST /locks/s?ttl=10s&limit=3", "", "x");
        assert_int_equal(f->status, 200);
    }
    request(f, "POST /locks/s?ttl=10s&limit=3", "", "x");
    assert_problem(f, 423, "locked", "");
    request(f, "POST /locks/s?ttl=10s&limit=4", "", "x");
    assert_problem(f, 409, "conflict", "another limit");
}

/* W2 */
static void a_client_that_has_gone_gives_its_place_back(void **state)
{
    struct fixture *f = *state;
    request(f, take, "", "first");
    struct peer peer = peer_open(f, "POST /locks/a?ttl=10s&wait=60s", "", "second");
    until_writes(f, 2);
    peer_close(&peer);
    until_writes(f, 3);
    request(f, "GET /locks/a", "", NULL);
    assert_member(f, "waiting", "0");
    struct peer last = peer_open(f, "POST /locks/a?ttl=10s&wait=60s", "Connection: close\r\n", "x");
    until_writes(f, 4);
    peer_close(&last); /* nothing more is read of such a connection */
    until_writes(f, 5);
    request(f, "GET /locks/a", "", NULL);
    assert_member(f, "waiting", "0");
}

static void a_lock_that_comes_too_late_for_its_client_is_given_back(void **state)
{
    struct fixture *f = *state;
    request(f, take, "", "first");
    struct peer peer = peer_open(f, "POST /locks/a?ttl=60s&wait=60s", "", "second");
    until_writes(f, 2);
    peer_close(&peer);
    env_uv_run_once(f->env, false);
    state_pass(f, 10000); /* it is its turn, and nobody has looked yet */
    env_uv_run_once(f->env, false);
    uint64_t end_ms = env_now_ms(f->env) + PATIENCE_MS;
    do {
        request(f, "GET /locks/a", "", NULL);
        assert_true(env_now_ms(f->env) < end_ms);
    } while (f->status != 404);
}

/* W1: by the time its place is given back it holds the lock. */
static void who_holds_it_when_it_leaves_has_it(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /locks/a?ttl=100ms", "", "first");
    struct peer peer = peer_open(f, "POST /locks/a?ttl=60s&wait=300ms", "", "second");
    until_writes(f, 2);
    while (!list_is_empty(&f->node.notices)) { /* this node does not see that */
        list_remove(f->node.notices.next);
    }
    state_pass(f, 150);
    peer_until(f, &peer, "HTTP/1.1 200 OK\r\n");
    peer_until(f, &peer, "KV-Fence: a:3\r\n");
    assert_int_equal(state_writes, 3);
    peer_close(&peer);
}

static void the_queue_is_joined_once_however_often_that_is_tried(void **state)
{
    struct fixture *f = *state;
    request(f, take, "", "first");
    state_error = ERR_OUTCOME_UNKNOWN;
    state_applies_unknown = true;
    struct peer peer = peer_open(f, "POST /locks/a?ttl=10s&wait=60s", "", "second");
    until_writes(f, 4);
    state_error = OK;
    until_writes(f, 5);
    request(f, "GET /locks/a", "", NULL);
    assert_member(f, "waiting", "1");
    state_pass(f, 10000);
    peer_until(f, &peer, "HTTP/1.1 200 OK\r\n");
    peer_close(&peer);
}

static void who_cannot_leave_is_told_that_nobody_knows(void **state)
{
    struct fixture *f = *state;
    request(f, take, "", "first");
    struct peer peer = peer_open(f, "POST /locks/a?ttl=10s&wait=200ms", "", "second");
    until_writes(f, 2);
    state_error = ERR_DRAINING;
    peer_until(f, &peer, "HTTP/1.1 504 ");
    peer_until(f, &peer, "outcome-unknown");
    peer_close(&peer);
}

static void a_node_that_drains_sends_who_waits_away(void **state)
{
    struct fixture *f = *state;
    request(f, take, "", "first");
    struct peer peer = peer_open(f, "POST /locks/a?ttl=10s&wait=60s", "", "second");
    until_writes(f, 2);
    f->node.status.is_draining = true;
    peer_until(f, &peer, "HTTP/1.1 503 ");
    peer_until(f, &peer, "not-applied");
    f->node.status.is_draining = false;
    request(f, "GET /locks/a", "", NULL);
    assert_member(f, "waiting", "0");
    peer_close(&peer);
}

/* W3 */
static void a_place_that_is_not_seen_yet_is_waited_for(void **state)
{
    struct fixture *f = *state;
    struct node *node = &f->node;
    request(f, take, "", "first");
    node->holds = true;
    struct peer peer = peer_open(f, "POST /locks/a?ttl=10s&wait=60s", "", "second");
    while (node->held == NULL) {
        env_uv_run_once(f->env, false);
    }
    node->holds = false;
    /* Another node has applied it, and says so before this one has. */
    struct writer results = {0};
    const struct txn_result op = {.type = TXN_LOCK, .existed = true, .number = 2};
    txn_result_encode(&op, &results);
    const struct command_result result = {.e = OK, .results = writer_slice(&results)};
    struct buf *command = node->held->command;
    node->held->command = NULL;
    node->held->done(node->held, &result);
    writer_deinit(&results);
    assert_int_equal(state_writes, 1);
    struct command_result applied;
    state_apply(node, command, &applied);
    buf_unref(command);
    state_tell(node);
    state_pass(f, 10000);
    peer_until(f, &peer, "HTTP/1.1 200 OK\r\n");
    assert_int_equal(state_writes, 1);
    peer_close(&peer);
}

static void who_waits_at_the_servers_end_is_answered(void **state)
{
    struct fixture *f = *state;
    request(f, take, "", "first");
    struct peer peer = peer_open(f, "POST /locks/a?ttl=10s&wait=60s", "", "second");
    until_writes(f, 2);
    state_error = ERR_NO_LEADER;
    struct peer second = peer_open(f, "POST /locks/b?ttl=10s&wait=60s", "", "second");
    until_writes(f, 4); /* and one that pauses until it asks again */
    http_server_close(f->http);
    f->http = NULL;
    api_end(f->api);
    peer_close(&peer);
    peer_close(&second);
}

/* ---- under an Idempotency-Key ---- */

#define KEYED "Idempotency-Key: k\r\n"
static const char wait_8s[] = "POST /locks/a?ttl=10s&wait=8s";

static void give_back(struct fixture *f, const char *fence)
{
    request(f, "DELETE /locks/a", fence, NULL);
    assert_int_equal(f->status, 200);
}

static bool body_has(const struct fixture *f, const char *text)
{
    return memmem(f->body.data, f->body.size, text, strlen(text)) != NULL;
}

/* Its client goes, and the node sees that. */
static void until_nobody_waits(struct fixture *f)
{
    uint64_t end_ms = env_now_ms(f->env) + PATIENCE_MS;
    do {
        env_uv_run_once(f->env, false);
        request(f, "GET /locks/a", "", NULL);
        assert_true(env_now_ms(f->env) < end_ms);
    } while (!body_has(f, "\"waiting\":0"));
}

/* W4 */
static void a_wait_that_ran_out_is_no_answer_for_the_next_try(void **state)
{
    struct fixture *f = *state;
    request(f, take, "", "first");
    request(f, "POST /locks/a?ttl=10s&wait=100ms", KEYED, "second");
    assert_problem(f, 423, "locked", "with the token 1");
    request(f, "POST /locks/a?ttl=10s&wait=100ms", KEYED, "second");
    assert_problem(f, 423, "locked", "with the token 1");
    give_back(f, "KV-Fence: a:1\r\n");
    request(f, "POST /locks/a?ttl=10s&wait=100ms", KEYED, "second");
    assert_int_equal(f->status, 200);
    char fence[2048];
    (void)snprintf(fence, sizeof(fence), "%s", field_of(f, "KV-Fence"));
    assert_true(field_of(f, "Idempotency-Replayed") == NULL);
    request(f, "POST /locks/a?ttl=10s&wait=100ms", KEYED, "second");
    assert_int_equal(f->status, 200); /* which it has got by now */
    assert_field(f, "KV-Fence", fence);
    assert_field(f, "Idempotency-Replayed", "true");
}

/* The lock is held, and somebody waits for it with a key. */
static struct peer a_second_that_waits(struct fixture *f)
{
    request(f, take, "", "first");
    struct peer second = peer_open(f, wait_8s, KEYED, "second");
    until_writes(f, 2);
    return second;
}

/* W4: the first one's client was cut off, and its place was given back. */
static void who_was_cut_off_waits_anew(void **state)
{
    struct fixture *f = *state;
    struct peer cut = a_second_that_waits(f);
    peer_close(&cut);
    until_nobody_waits(f);
    struct peer again = peer_open(f, wait_8s, KEYED, "second");
    until_writes(f, 6); /* the replay, a look at its place, and a new one */
    request(f, "GET /locks/a", "", NULL);
    assert_member(f, "waiting", "1");
    give_back(f, "KV-Fence: a:1\r\n");
    peer_until(f, &again, "HTTP/1.1 200 OK\r\n");
    peer_close(&again);
}

static void a_second_try_beside_the_first_is_told_to_come_again(void **state)
{
    struct fixture *f = *state;
    struct peer peer = a_second_that_waits(f);
    request(f, wait_8s, KEYED, "second");
    assert_problem(f, 409, "idempotency-in-progress", "");
    assert_int_equal(state_writes, 2);
    give_back(f, "KV-Fence: a:1\r\n");
    peer_until(f, &peer, "HTTP/1.1 200 OK\r\n");
    peer_close(&peer);
}

/* W2: the other request may be at another node, and have been told already. */
static void what_a_client_with_a_key_got_is_left_to_its_next_try(void **state)
{
    struct fixture *f = *state;
    request(f, take, "", "first");
    struct peer cut = peer_open(f, "POST /locks/a?ttl=60s&wait=60s", KEYED, "second");
    until_writes(f, 2);
    peer_close(&cut);
    env_uv_run_once(f->env, false);
    state_pass(f, 10000); /* it is its turn, and nobody has looked yet */
    uint64_t end_ms = env_now_ms(f->env) + 2 * LINGER_TICK_MS;
    while (env_now_ms(f->env) < end_ms) {
        env_uv_run_once(f->env, false);
    }
    assert_int_equal(state_writes, 2); /* nothing is given back */
    state_pass(f, 50000);
    request(f, "POST /locks/a?ttl=60s&wait=60s", KEYED, "second");
    assert_int_equal(f->status, 200);
    assert_field(f, "KV-Fence", "a:3");
    assert_field(f, "Idempotency-Replayed", "true");
    state_pass(f, 59999); /* W5: its whole ttl */
    request(f, "GET /locks/a", "", NULL);
    assert_int_equal(f->status, 200);
    assert_true(body_has(f, "\"token\":3"));
}

/* From now on this node is to a key as another one would be. */
static void forget_what_is_at_work(struct fixture *f)
{
    uint64_t count = f->api->inflight.count;
    api_inflight_init(&f->api->inflight, 1);
    f->api->inflight.count = count;
}

static void who_asks_another_node_waits_at_the_same_place(void **state)
{
    struct fixture *f = *state;
    struct peer first = a_second_that_waits(f);
    forget_what_is_at_work(f);
    struct peer again = peer_open(f, wait_8s, KEYED, "second");
    until_writes(f, 3);
    request(f, "GET /locks/a", "", NULL);
    assert_member(f, "waiting", "1");
    give_back(f, "KV-Fence: a:1\r\n");
    peer_until(f, &first, "KV-Fence: a:3\r\n");
    peer_until(f, &again, "KV-Fence: a:3\r\n");
    peer_close(&first);
    peer_close(&again);
}

/* W4: the first node gives the place back, as its client has gone. */
static void whose_place_is_given_back_by_another_node_takes_a_new_one(void **state)
{
    struct fixture *f = *state;
    struct peer first = a_second_that_waits(f);
    forget_what_is_at_work(f);
    struct peer again = peer_open(f, wait_8s, KEYED, "second");
    until_writes(f, 3);
    peer_close(&first);
    until_writes(f, 6); /* it is left, twice, and a new one taken */
    request(f, "GET /locks/a", "", NULL);
    assert_member(f, "waiting", "1");
    assert_int_equal(again.in.size, 0);
    give_back(f, "KV-Fence: a:1\r\n");
    peer_until(f, &again, "HTTP/1.1 200 OK\r\n");
    peer_close(&again);
}

/* W5 */
static void a_lock_that_has_gone_is_not_told_again(void **state)
{
    struct fixture *f = *state;
    request(f, take, KEYED, "x");
    assert_field(f, "KV-Fence", "a:1");
    request(f, take, KEYED, "x");
    assert_field(f, "KV-Fence", "a:1");
    assert_field(f, "Idempotency-Replayed", "true");
    state_pass(f, 10000);
    request(f, take, "", "other");
    request(f, take, KEYED, "x");
    assert_problem(f, 423, "locked", "another one has it");
    state_pass(f, 10000);
    request(f, take, KEYED, "x");
    assert_int_equal(f->status, 200);
    request(f, "POST /locks/b?ttl=0", "Idempotency-Key: b\r\n", "x");
    request(f, "POST /locks/b?ttl=0", "Idempotency-Key: b\r\n", "x");
    assert_int_equal(f->status, 200);
    request(f, "DELETE /locks/b?force", "", NULL);
    request(f, "POST /locks/b?ttl=0", "Idempotency-Key: b\r\n", "x");
    assert_problem(f, 409, "conflict", "needs a new key");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, state_open, state_close)
    const struct CMUnitTest tests[] = {
        TEST(who_comes_first_has_it_and_others_are_told_who),
        TEST(who_waits_gets_it_in_turn),
        TEST(who_has_waited_long_enough_is_told_of_the_holder),
        TEST(a_semaphore_has_as_many_holders_as_all_agree_on),
        TEST(a_client_that_has_gone_gives_its_place_back),
        TEST(a_lock_that_comes_too_late_for_its_client_is_given_back),
        TEST(who_holds_it_when_it_leaves_has_it),
        TEST(the_queue_is_joined_once_however_often_that_is_tried),
        TEST(who_cannot_leave_is_told_that_nobody_knows),
        TEST(a_node_that_drains_sends_who_waits_away),
        TEST(a_place_that_is_not_seen_yet_is_waited_for),
        TEST(who_waits_at_the_servers_end_is_answered),
        TEST(a_wait_that_ran_out_is_no_answer_for_the_next_try),
        TEST(who_was_cut_off_waits_anew),
        TEST(a_second_try_beside_the_first_is_told_to_come_again),
        TEST(what_a_client_with_a_key_got_is_left_to_its_next_try),
        TEST(who_asks_another_node_waits_at_the_same_place),
        TEST(whose_place_is_given_back_by_another_node_takes_a_new_one),
        TEST(a_lock_that_has_gone_is_not_told_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
