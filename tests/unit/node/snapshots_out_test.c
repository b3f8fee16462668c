/* Members that are behind the log's beginning get a snapshot. */
#include "snapshots_testing.h"

static void who_is_behind_the_log_catches_up_by_a_snapshot_and_goes_on_from_there(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster(&cluster);
    uint32_t behind = leave_behind(&cluster, 600, 1024);
    start_node(&cluster, behind);
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    assert_true(first_index(&cluster, behind) > 100); /* its log begins after the snapshot */
    assert_value(&cluster, behind, "first", "1");
    put_at_least_once(&cluster, behind, "second", "2");
    stop_node(&cluster, behind);
    start_node(&cluster, behind);
    assert_value(&cluster, behind, "second", "2");
    /* All of them, also together. */
    for (uint32_t i = 0; i < 3; i++) {
        stop_node(&cluster, i);
    }
    for (uint32_t i = 0; i < 3; i++) {
        start_node(&cluster, i);
    }
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    assert_value(&cluster, behind, "second", "2");
    assert_int_equal(cluster.nodes[behind]->identity.installing_region, 0);
    cluster_deinit(&cluster);
}

static void a_new_node_joins_by_a_snapshot(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster(&cluster);
    uint32_t leader = leader_of(&cluster);
    write_much(&cluster, leader, 400);
    wait_for_cut(&cluster, leader, 100);
    start_joining(&cluster, 3);
    add_learner(&cluster, 3, true);
    struct wait wait = {&cluster, 3, 0};
    assert_true(turn_until(&cluster, is_voter_itself, &wait));
    assert_true(turn_until(&cluster, has_settled, &wait));
    assert_true(first_index(&cluster, 3) > 100);
    stop_node(&cluster, 3);
    start_joined(&cluster, 3);
    assert_value(&cluster, 3, "first", "1");
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    cluster_deinit(&cluster);
}

static void a_transfer_that_breaks_off_begins_anew(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster(&cluster);
    uint32_t behind = leave_behind(&cluster, 100, 64u << 10);
    start_node(&cluster, behind);
    struct progress progress = {cluster.nodes[behind], 2};
    assert_true(turn_until(&cluster, has_chunks, &progress));
    stop_node(&cluster, behind);
    start_node(&cluster, behind);
    progress = (struct progress){cluster.nodes[behind], 1};
    assert_true(turn_until(&cluster, has_chunks, &progress));
    /* Now the sender goes. */
    uint32_t leader = leader_of(&cluster);
    stop_node(&cluster, leader);
    start_node(&cluster, leader);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    cluster_deinit(&cluster);
}

/* ---- breaks ---- */

static const struct snapshot_out *out_of(const struct cluster *cluster, uint32_t leader)
{
    return &cluster->nodes[leader]->snapshots.out[0];
}

/* One that takes seconds, some chunks of which have come in at `behind`, which is returned. */
static uint32_t a_slow_transfer(struct cluster *cluster, uint32_t *out_leader)
{
    a_cluster(cluster);
    uint32_t behind = leave_behind(cluster, 100, 64u << 10);
    *out_leader = leader_of(cluster);
    for (uint32_t i = 0; i < 3; i++) {
        if (cluster->nodes[i] != NULL) {
            cluster->nodes[i]->pace.bytes_per_second = 4u << 20;
        }
    }
    start_node(cluster, behind);
    struct progress progress = {cluster->nodes[behind], 5};
    assert_true(turn_until(cluster, has_chunks, &progress));
    return behind;
}

static bool has_resumed(void *ctx)
{
    const struct node *node = ctx;
    return node->snapshots.resumed.value > 0;
}

static void a_transfer_whose_connection_breaks_goes_on_where_it_was(void **state)
{
    (void)state;
    struct cluster cluster;
    uint32_t leader = 0;
    uint32_t behind = a_slow_transfer(&cluster, &leader);
    const struct snapshot_in *in = &cluster.nodes[behind]->snapshots.in;
    uint64_t transfer = in->transfer;
    uint32_t received = in->received;
    assert_int_equal(out_of(&cluster, leader)->transfer, transfer);
    net_bulk_close(cluster.nodes[leader]->net, behind + 1);
    assert_true(turn_until(&cluster, has_resumed, cluster.nodes[leader]));
    struct progress progress = {cluster.nodes[behind], received + 3};
    assert_true(turn_until(&cluster, has_chunks, &progress));
    assert_int_equal(in->transfer, transfer);
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    assert_int_equal(cluster.nodes[behind]->snapshots.received.value, 1);
    assert_int_equal(cluster.nodes[leader]->snapshots.failed.value, 0);
    put_at_least_once(&cluster, behind, "second", "2");
    assert_value(&cluster, behind, "second", "2");
    cluster_deinit(&cluster);
}

static bool is_one_under_way(void *ctx)
{
    const struct snapshot_out *out = ctx;
    return out->window.sent > out->window.acked;
}

/* Frames may be lost without the connection (net.h, N2). */
static void chunks_that_do_not_arrive_are_sent_again(void **state)
{
    (void)state;
    struct cluster cluster;
    uint32_t leader = 0;
    uint32_t behind = a_slow_transfer(&cluster, &leader);
    struct snapshot_in *in = &cluster.nodes[behind]->snapshots.in;
    struct snapshot_out *out = &cluster.nodes[leader]->snapshots.out[0];
    /* As if the receiver had not seen the last one: it asks for it, again and again. */
    uint64_t transfer = in->transfer;
    assert_int_equal(transfer, out->transfer);
    struct writer gap = {0};
    struct frame_snapshot frame = {
        .transfer = transfer,
        .number = in->received + 1,
        .chunk = SLICE_LITERAL("one that comes too early"),
    };
    uint32_t received = in->received;
    frame_snapshot_encode(&frame, &gap);
    snapshots_receive(cluster.nodes[behind]->replica, leader + 1, writer_slice(&gap));
    assert_int_equal(in->received, received);
    assert_int_equal(in->transfer, transfer);
    /* What was sent is not acknowledged for a while: then it is sent once more, and not taken. */
    assert_true(turn_until(&cluster, is_one_under_way, out));
    uint64_t sent_bytes = out->sent_bytes;
    out->moved_ms -= SNAPSHOT_REPEAT_MS + 1;
    /* Simulator, membership 758842508: a ping in the queue was taken for a chunk, each time. */
    assert_int_equal(net_bulk_send(cluster.nodes[leader]->net, behind + 1, 1, writer_slice(&gap)),
                     OK);
    writer_deinit(&gap);
    snapshots_tick(cluster.nodes[leader]->replica, env_now_ms(cluster.env));
    assert_true(out->sent_bytes > sent_bytes);
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    assert_int_equal(cluster.nodes[behind]->snapshots.received.value, 1);
    assert_int_equal(cluster.nodes[leader]->snapshots.failed.value, 0);
    cluster_deinit(&cluster);
}

/* A slow link: a copy of what it has not taken yet would only make the queue longer, and the other
 * side has nothing to answer. */
static void what_the_queue_still_has_is_not_sent_again_nor_given_up(void **state)
{
    (void)state;
    struct cluster cluster;
    uint32_t leader = 0;
    uint32_t behind = a_slow_transfer(&cluster, &leader);
    struct node *node = cluster.nodes[leader];
    struct snapshot_out *out = &node->snapshots.out[0];
    assert_true(turn_until(&cluster, is_one_under_way, out));
    struct writer late = {0};
    static const uint8_t bytes[SNAPSHOT_QUEUE_LEAST];
    struct frame_snapshot frame = {
        .transfer = out->transfer,
        .number = out->window.sent + 100,
        .chunk = {bytes, sizeof(bytes)}, /* on its way for long */
    };
    frame_snapshot_encode(&frame, &late);
    uint64_t sent_bytes = out->sent_bytes;
    /* Within one turn, so that nothing of it leaves. */
    assert_int_equal(net_bulk_send(node->net, behind + 1, 1, writer_slice(&late)), OK);
    assert_true(net_bulk_queued(node->net, behind + 1) > 0);
    out->moved_ms -= SNAPSHOT_REPEAT_MS + 1;
    out->heard_ms -= SNAPSHOT_SILENCE_MS + 1;
    out->queued = SIZE_MAX; /* it was longer */
    snapshots_tick(node->replica, env_now_ms(cluster.env));
    assert_int_equal(out->transfer, frame.transfer);
    assert_int_equal(out->sent_bytes, sent_bytes);
    assert_int_equal(out->queued, net_bulk_queued(node->net, behind + 1));
    /* One that does not get shorter is a silent peer's. */
    out->heard_ms -= SNAPSHOT_SILENCE_MS + 1;
    snapshots_tick(node->replica, env_now_ms(cluster.env));
    assert_int_equal(out->peer, 0);
    writer_deinit(&late);
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    cluster_deinit(&cluster);
}

static void a_receiver_that_says_nothing_is_given_up(void **state)
{
    (void)state;
    struct cluster cluster;
    uint32_t leader = 0;
    uint32_t behind = a_slow_transfer(&cluster, &leader);
    struct node *node = cluster.nodes[leader];
    stop_node(&cluster, behind);
    assert_int_equal(node->snapshots.out[0].peer, behind + 1);
    node->snapshots.out[0].heard_ms -= SNAPSHOT_SILENCE_MS + 1;
    node->snapshots.out[0].queued = 0; /* one that has got shorter since would be an answer */
    snapshots_tick(node->replica, env_now_ms(cluster.env));
    assert_int_equal(node->snapshots.out[0].peer, 0);
    assert_int_equal(node->snapshots.failed.value, 1);
    start_node(&cluster, behind);
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    cluster_deinit(&cluster);
}

/* LMDB can reuse no page that is newer than its oldest reader. */
static void a_receiver_that_is_too_slow_does_not_pin_the_store(void **state)
{
    (void)state;
    struct cluster cluster;
    uint32_t leader = 0;
    (void)a_slow_transfer(&cluster, &leader);
    struct node *node = cluster.nodes[leader];
    struct snapshot_out *out = &node->snapshots.out[0];
    out->sent_bytes = SNAPSHOT_RATE_MIN; /* a second more */
    out->begun_ms = env_now_ms(cluster.env) - SNAPSHOT_GRACE_MS - 500;
    snapshots_tick(node->replica, env_now_ms(cluster.env));
    assert_non_null(out->source);
    out->begun_ms -= 600;
    snapshots_tick(node->replica, env_now_ms(cluster.env));
    assert_int_equal(out->peer, 0);
    assert_null(out->source);
    cluster_deinit(&cluster);
}

/* ---- what is there and not taken in yet (S5) ---- */

static const char *progress_of(const struct cluster *cluster, uint32_t leader, node_id peer)
{
    static struct node_status status;
    node_status(cluster->nodes[leader], &status);
    for (uint32_t i = 0; i < status.peer_count; i++) {
        if (status.peers[i].id == peer) {
            return status.peers[i].progress;
        }
    }
    return "";
}

static void who_takes_a_snapshot_in_is_sent_nothing_that_it_cannot_answer(void **state)
{
    (void)state;
    struct cluster cluster;
    uint32_t leader = 0;
    uint32_t behind = a_slow_transfer(&cluster, &leader);
    struct node *node = cluster.nodes[leader];
    struct snapshot_out *out = &node->snapshots.out[0];
    out->is_last_sent = true; /* the receiver's part is played from here on */
    struct frame_snapshot_ack ack = {out->transfer, out->window.sent, FRAME_SNAPSHOT_STAGED};
    struct writer payload = {0};
    frame_snapshot_ack_encode(&ack, &payload);
    for (int i = 0; i < 3; i++) {
        snapshots_acked(node->replica, behind + 1, writer_slice(&payload));
        assert_true(out->is_staged);
        assert_null(out->source); /* nothing is pinned for it */
        out->heard_ms -= SNAPSHOT_STAGED_SILENCE_MS;
        snapshots_tick(node->replica, env_now_ms(cluster.env));
        assert_string_equal(progress_of(&cluster, leader, behind + 1), "snapshot");
    }
    out->heard_ms--;
    snapshots_tick(node->replica, env_now_ms(cluster.env));
    assert_int_equal(out->peer, 0);
    assert_string_equal(progress_of(&cluster, leader, behind + 1), "probe");
    writer_deinit(&payload);
    cluster_deinit(&cluster);
}

static void a_receiver_says_that_it_takes_it_in_until_it_has(void **state)
{
    (void)state;
    struct cluster cluster;
    uint32_t leader = 0;
    a_cluster(&cluster);
    uint32_t behind = leave_behind(&cluster, 100, 64u << 10);
    leader = leader_of(&cluster);
    start_node(&cluster, behind);
    struct progress progress = {cluster.nodes[behind], 0};
    assert_true(turn_until(&cluster, is_installing, &progress));
    const struct snapshot_in *in = &cluster.nodes[behind]->snapshots.in;
    assert_int_equal(in->staged_from, leader + 1);
    uint64_t told_ms = in->staged_told_ms;
    snapshots_tick(cluster.nodes[behind]->replica, told_ms + SNAPSHOT_STAGED_REPEAT_MS);
    assert_int_equal(in->staged_told_ms, told_ms + SNAPSHOT_STAGED_REPEAT_MS);
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    assert_true(turn_until(&cluster, is_unannounced, &progress));
    snapshots_tick(cluster.nodes[behind]->replica, env_now_ms(cluster.env));
    assert_int_equal(in->staged_from, 0);
    assert_int_equal(cluster.nodes[leader]->snapshots.failed.value, 0);
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_behind_the_log_catches_up_by_a_snapshot_and_goes_on_from_there),
        cmocka_unit_test(a_new_node_joins_by_a_snapshot),
        cmocka_unit_test(a_transfer_that_breaks_off_begins_anew),
        cmocka_unit_test(a_transfer_whose_connection_breaks_goes_on_where_it_was),
        cmocka_unit_test(chunks_that_do_not_arrive_are_sent_again),
        cmocka_unit_test(what_the_queue_still_has_is_not_sent_again_nor_given_up),
        cmocka_unit_test(a_receiver_that_says_nothing_is_given_up),
        cmocka_unit_test(a_receiver_that_is_too_slow_does_not_pin_the_store),
        cmocka_unit_test(who_takes_a_snapshot_in_is_sent_nothing_that_it_cannot_answer),
        cmocka_unit_test(a_receiver_says_that_it_takes_it_in_until_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
