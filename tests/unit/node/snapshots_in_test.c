/* What comes in as a snapshot, and is none that is wanted. */
#include "snapshots_testing.h"

static void receive_chunk(struct replica *replica, node_id from, const struct message *message,
                          uint32_t number, bool is_last, const char *chunk)
{
    struct writer encoded = {0};
    struct writer payload = {0};
    if (number == 0) {
        message_encode(message, &encoded);
    }
    struct frame_snapshot frame = {
        .transfer = 77,
        .number = number,
        .is_last = is_last,
        .message = writer_slice(&encoded),
        .chunk = slice_from_text(chunk),
    };
    frame_snapshot_encode(&frame, &payload);
    snapshots_receive(replica, from, writer_slice(&payload));
    writer_deinit(&payload);
    writer_deinit(&encoded);
}

/* All of a snapshot, as `message` says, from node `from`. */
static void receive(struct replica *replica, node_id from, const struct message *message,
                    uint32_t number, const char *chunk)
{
    receive_chunk(replica, from, message, number, true, chunk);
}

/* Its first chunk. */
static void receive_part(struct replica *replica, node_id from, const struct message *message,
                         const char *chunk)
{
    receive_chunk(replica, from, message, 0, false, chunk);
}

/* A snapshot that would be taken, in `out_snapshot`, and the message that goes with it. */
static struct message offer(const struct replica *replica, node_id from,
                            struct snapshot *out_snapshot)
{
    *out_snapshot = (struct snapshot){
        .pos = {.term = replica->hard_state.term, .index = 1000},
        .conf = replica->membership.conf,
    };
    return (struct message){
        .type = MSG_SNAP,
        .to = replica->node->identity.node,
        .from = from,
        .term = replica->hard_state.term,
        .snapshot = out_snapshot,
    };
}

static void hostile_frames_are_refused_and_change_nothing(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster(&cluster);
    uint32_t leader = leader_of(&cluster);
    uint32_t other = (leader + 1) % 3;
    struct replica *replica = cluster.nodes[other]->replica;
    const struct snapshot_in *in = &cluster.nodes[other]->snapshots.in;
    struct snapshot snapshot;
    struct message message = offer(replica, leader + 1, &snapshot);
    snapshots_receive(replica, leader + 1, slice_from_text("nonsense"));
    receive(replica, leader + 1, &message, 1, "chunk out of nowhere");
    receive(replica, other + 1, &message, 0, "not from whom it says");
    snapshot.pos.index = 1;
    receive(replica, leader + 1, &message, 0, "not newer");
    snapshot.pos.index = 1000;
    id_set_remove(&snapshot.conf.voters, other + 1);
    receive(replica, leader + 1, &message, 0, "without us");
    snapshot.conf = replica->membership.conf;
    message.term = replica->hard_state.term - 1;
    snapshot.pos.term = message.term;
    receive(replica, leader + 1, &message, 0, "of an earlier term");
    message.term = replica->hard_state.term;
    assert_null(in->incoming);
    receive(replica, leader + 1, &message, 0, "no chunk of a store");
    assert_null(in->incoming);
    assert_int_equal(cluster.nodes[other]->identity.installing_region, 0);
    /* And answers to what was never sent. */
    snapshots_acked(cluster.nodes[leader]->replica, other + 1, slice_from_text("nonsense"));
    struct frame_snapshot_ack ack = {77, 5, FRAME_SNAPSHOT_STAGED};
    struct writer payload = {0};
    frame_snapshot_ack_encode(&ack, &payload);
    snapshots_acked(cluster.nodes[leader]->replica, other + 1, writer_slice(&payload));
    writer_deinit(&payload);
    put_at_least_once(&cluster, other, "second", "2");
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    cluster_deinit(&cluster);
}

/* I3; simulator, swarm 1000107031: the end of one installation took the announcement of the next
 * back, and a crash left a store that its log did not know of. */
static void no_snapshot_comes_in_before_the_reset_for_the_last_one_is_durable(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster(&cluster);
    uint32_t leader = leader_of(&cluster);
    uint32_t other = (leader + 1) % 3;
    struct replica *replica = cluster.nodes[other]->replica;
    const struct snapshot_in *in = &cluster.nodes[other]->snapshots.in;
    struct snapshot snapshot;
    struct message message = offer(replica, leader + 1, &snapshot);
    replica->install.reset_ticket = UINT64_MAX;
    receive_part(replica, leader + 1, &message, "not looked at");
    assert_int_equal(in->seen_ms, 0);
    install_persisted(replica, UINT64_MAX);
    receive_part(replica, leader + 1, &message, "looked at, and no chunk of a store");
    assert_int_not_equal(in->seen_ms, 0);
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_snapshot_comes_in_before_the_reset_for_the_last_one_is_durable),
        cmocka_unit_test(hostile_frames_are_refused_and_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
