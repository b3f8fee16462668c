/* Nodes whose store is damaged, gone, or not to be trusted: rebuilt from peers, or refused. */
#include <fcntl.h>
#include <sys/stat.h>

#include "damage_testing.h"
#include "snapshots_testing.h"
#include "store/distrust.h"

static void path_in_store(const struct cluster *cluster, uint32_t i, const char *name,
                          char path[200])
{
    snprintf(path, 200, "%s/store/%s", cluster->directories[i], name);
}

static bool is_there(const struct cluster *cluster, uint32_t i, const char *name)
{
    char path[200];
    struct stat status;
    path_in_store(cluster, i, name, path);
    return stat(path, &status) == 0;
}

/* LMDB's two meta pages, without which it can tell nothing. */
static void spoil_store(const struct cluster *cluster, uint32_t i)
{
    char path[200];
    char zeros[8192] = {0};
    path_in_store(cluster, i, "data.mdb", path);
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, zeros, sizeof(zeros), 0), sizeof(zeros));
    assert_int_equal(close(fd), 0);
}

/* One of three, whose log does not begin with its first entry any more. */
static uint32_t a_follower_with_a_cut_log(struct cluster *cluster)
{
    a_cluster(cluster);
    uint32_t i = (leader_of(cluster) + 1) % 3;
    write_much(cluster, 0, 600);
    wait_for_cut(cluster, i, 100);
    return i;
}

static void restart_with_spoilt_store(struct cluster *cluster, uint32_t i)
{
    stop_node(cluster, i);
    spoil_store(cluster, i);
    start_node(cluster, i);
}

static bool is_repaired(void *ctx)
{
    const struct node *node = ctx;
    return node->replica->raft != NULL && node->replica->repair.stores.value > 0;
}

static void stale_done(struct node_read *read, err e, struct store_record *record)
{
    (void)record;
    *(err *)(uintptr_t)read->key.data = e;
}

/* What a stale read, which asks nobody, is answered. */
static err stale_read(struct node *node)
{
    err e = OK;
    struct node_read read = {
        .key = {(const uint8_t *)&e, sizeof(e)},
        .consistency = READ_STALE,
        .done = stale_done,
    };
    node_read(node, &read);
    return e;
}

static void assert_all_equal(struct cluster *cluster)
{
    assert_true(turn_until(cluster, has_leader_everywhere, cluster));
    put_at_least_once(cluster, 0, "last", "2");
    assert_true(turn_until(cluster, is_state_equal, cluster));
    for (uint32_t i = 0; i < 3; i++) {
        assert_value(cluster, i, "first", "1");
    }
}

static void a_damaged_store_is_rebuilt_from_a_peer_and_the_log_stays(void **state)
{
    (void)state;
    struct cluster cluster;
    uint32_t i = a_follower_with_a_cut_log(&cluster);
    uint64_t last = wal_bounds(cluster.nodes[i]->wal, REGION_FIRST).last_index;
    uint64_t term = cluster.nodes[i]->replica->term;
    restart_with_spoilt_store(&cluster, i);
    struct node *node = cluster.nodes[i];
    const char *why = NULL;
    assert_null(node->replica->raft); /* G1 */
    assert_int_equal(node->replica->hard_state.term, term);
    assert_false(node_is_ready(node, &why));
    assert_non_null(strstr(why, "damaged"));
    assert_int_equal(stale_read(node), ERR_NO_LEADER);
    assert_true(is_there(&cluster, i, STORE_ASIDE_NAME));
    assert_true(turn_until(&cluster, is_repaired, node));
    assert_true(wal_bounds(node->wal, REGION_FIRST).last_index >= last);
    assert_true(node->replica->applied >= node->replica->repair.index_min);
    assert_int_equal(node->identity.installing_region, 0);
    assert_all_equal(&cluster);
    cluster_deinit(&cluster);
}

/* Who watched before and comes back has to be told that it is too late. */
static void what_was_before_a_rebuilt_state_is_not_known(void **state)
{
    (void)state;
    struct cluster cluster;
    uint32_t i = a_follower_with_a_cut_log(&cluster);
    restart_with_spoilt_store(&cluster, i);
    struct node *node = cluster.nodes[i];
    assert_true(turn_until(&cluster, is_repaired, node));
    assert_all_equal(&cluster);
    uint64_t oldest = history_oldest(node->replica->history);
    assert_true(oldest >= 100); /* where the log was cut */
    assert_false(history_covers(node->replica->history, oldest - 1));
    assert_int_equal(history_newest(node->replica->history), node_revision(node));
    cluster_deinit(&cluster);
}

static void two_of_three_are_rebuilt_from_the_one_that_is_left(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster(&cluster);
    write_much(&cluster, 0, 600);
    for (uint32_t i = 0; i < 3; i++) {
        wait_for_cut(&cluster, i, 100);
    }
    for (uint32_t i = 0; i < 3; i++) {
        stop_node(&cluster, i);
    }
    spoil_store(&cluster, 0);
    spoil_store(&cluster, 2);
    for (uint32_t i = 0; i < 3; i++) {
        start_node(&cluster, i);
    }
    assert_true(turn_until(&cluster, is_repaired, cluster.nodes[0]));
    assert_true(turn_until(&cluster, is_repaired, cluster.nodes[2]));
    assert_all_equal(&cluster);
    cluster_deinit(&cluster);
}

static void a_log_that_is_whole_rebuilds_the_store_without_peers(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 1);
    put_at_least_once(&cluster, 0, "first", "1");
    stop_node(&cluster, 0);
    spoil_store(&cluster, 0);
    start_node(&cluster, 0);
    assert_value(&cluster, 0, "first", "1");
    assert_true(is_there(&cluster, 0, STORE_ASIDE_NAME));
    cluster_deinit(&cluster);
}

static void a_node_alone_refuses_and_keeps_what_it_has(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init_with(&cluster, 1, 64u << 10, 128u << 10);
    write_much(&cluster, 0, 600);
    wait_for_cut(&cluster, 0, 100);
    assert_int_equal(node_repair_store(cluster.nodes[0], "a reason"), ERR_UNAVAILABLE);
    stop_node(&cluster, 0);
    spoil_store(&cluster, 0);
    struct node_options options = options_of(&cluster, 0);
    struct err_note note = {.text = ""};
    assert_int_equal(node_open(&cluster.nodes[0], &options, &note), ERR_DAMAGED);
    assert_non_null(strstr(note.text, "data.mdb"));
    assert_false(is_there(&cluster, 0, STORE_ASIDE_NAME));
    cluster.nodes[0] = NULL;
    cluster_deinit(&cluster);
}

static void a_store_that_is_marked_is_not_believed_though_it_is_whole(void **state)
{
    (void)state;
    struct cluster cluster;
    char path[200];
    uint32_t i = a_follower_with_a_cut_log(&cluster);
    stop_node(&cluster, i);
    path_in_store(&cluster, i, "", path);
    assert_int_equal(store_distrust(cluster.env, path, "the state hash differs"), OK);
    start_node(&cluster, i);
    assert_null(cluster.nodes[i]->replica->raft);
    assert_false(is_there(&cluster, i, STORE_DISTRUST_NAME));
    assert_true(turn_until(&cluster, is_repaired, cluster.nodes[i]));
    assert_all_equal(&cluster);
    cluster_deinit(&cluster);
}

static bool is_taking_in(void *ctx)
{
    const struct node *node = ctx;
    return node->replica->repair.is_installing;
}

static void a_repair_that_is_interrupted_goes_on_at_the_next_start(void **state)
{
    (void)state;
    struct cluster cluster;
    uint32_t i = a_follower_with_a_cut_log(&cluster);
    restart_with_spoilt_store(&cluster, i);
    stop_node(&cluster, i); /* it has not even asked */
    start_node(&cluster, i);
    assert_null(cluster.nodes[i]->replica->raft);
    assert_true(turn_until(&cluster, is_taking_in, cluster.nodes[i]));
    assert_int_equal(cluster.nodes[i]->identity.installing_region, REGION_FIRST);
    stop_node(&cluster, i);
    start_node(&cluster, i); /* the store takes over what was complete */
    assert_non_null(cluster.nodes[i]->replica->raft);
    assert_all_equal(&cluster);
    cluster_deinit(&cluster);
}

/* Its log ends before what the peers can send: it is reset, and nothing else is forgotten. */
static void a_log_that_ends_before_the_state_is_reset_to_it(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster(&cluster);
    uint32_t leader = leader_of(&cluster);
    uint32_t i = (leader + 1) % 3;
    write_much(&cluster, 0, 300);
    wait_for_cut(&cluster, i, 100);
    stop_node(&cluster, i);
    write_much(&cluster, leader, 600);
    wait_for_cut(&cluster, leader, 600);
    spoil_store(&cluster, i);
    start_node(&cluster, i);
    struct node *node = cluster.nodes[i];
    uint64_t last = wal_bounds(node->wal, REGION_FIRST).last_index;
    struct hard_state before = wal_hard_state(node->wal, REGION_FIRST);
    assert_true(turn_until(&cluster, is_repaired, node));
    struct wal_bounds bounds = wal_bounds(node->wal, REGION_FIRST);
    struct hard_state after = wal_hard_state(node->wal, REGION_FIRST);
    assert_true(bounds.compacted.index > last);
    assert_true(after.term > before.term || after.vote == before.vote);
    struct progress progress = {node, 0};
    assert_true(turn_until(&cluster, is_unannounced, &progress));
    assert_all_equal(&cluster);
    cluster_deinit(&cluster);
}

static void who_has_joined_knows_its_peers_although_it_has_lost_their_addresses(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster(&cluster);
    start_joining(&cluster, 3);
    add_learner(&cluster, 3, true);
    write_much(&cluster, 0, 600);
    wait_for_cut(&cluster, 3, 100);
    struct wait wait = {&cluster, 3, 0};
    assert_true(turn_until(&cluster, is_voter_itself, &wait));
    assert_true(turn_until(&cluster, has_settled, &wait));
    stop_node(&cluster, 3);
    spoil_store(&cluster, 3);
    start_joined(&cluster, 3);
    assert_null(cluster.nodes[3]->replica->raft);
    assert_true(turn_until(&cluster, is_repaired, cluster.nodes[3]));
    assert_int_equal(cluster.nodes[3]->replica->membership.member_count, 4);
    put_at_least_once(&cluster, 3, "last", "2");
    assert_value(&cluster, 3, "first", "1");
    cluster_deinit(&cluster);
}

/* ---- senders that are slow, and that go ---- */

/* A node in repair, to which one of the others sends its state so slowly that the next chunk is
 * long in coming. Returns it; `out_sender` is who sends. */
static uint32_t a_slow_repair(struct cluster *cluster, uint32_t *out_sender)
{
    a_cluster(cluster);
    uint32_t i = (leader_of(cluster) + 1) % 3;
    write_large(cluster, leader_of(cluster), 60, 32u << 10);
    wait_for_cut(cluster, i, 30);
    stop_node(cluster, i);
    spoil_store(cluster, i);
    for (uint32_t other = 0; other < 3; other++) {
        if (other != i) {
            cluster->nodes[other]->pace.bytes_per_second = 1024;
        }
    }
    start_node(cluster, i);
    struct progress progress = {cluster->nodes[i], 1};
    assert_true(turn_until(cluster, has_chunks, &progress));
    *out_sender = (uint32_t)cluster->nodes[i]->snapshots.in.from - 1;
    return i;
}

/* As if nothing had been heard and seen of the sender for longer than one waits. */
static void make_old(struct node *node)
{
    node->snapshots.in.seen_ms = env_now_ms(node->env) - SNAPSHOT_PATIENCE_MS - 1;
}

static bool is_being_taken_in(void *ctx)
{
    return ((struct node *)ctx)->replica->repair.is_installing;
}

/* Else the sender would take it for delivered, or for lost. */
static void who_takes_in_what_it_repairs_itself_with_says_so(void **state)
{
    (void)state;
    struct cluster cluster;
    uint32_t sender = 0;
    uint32_t i = a_slow_repair(&cluster, &sender);
    cluster.nodes[sender]->pace.bytes_per_second = 0;
    cluster.nodes[sender]->snapshots.out[0].due_us = 0;
    snapshots_due(&cluster.nodes[sender]->snapshots.timer);
    struct node *node = cluster.nodes[i];
    assert_true(turn_until(&cluster, is_being_taken_in, node));
    const struct snapshot_in *in = &node->snapshots.in;
    assert_int_equal(in->staged_from, sender + 1);
    uint64_t told_ms = in->staged_told_ms;
    snapshots_tick(node->replica, told_ms + SNAPSHOT_STAGED_REPEAT_MS);
    assert_int_equal(in->staged_told_ms, told_ms + SNAPSHOT_STAGED_REPEAT_MS);
    assert_true(turn_until(&cluster, is_repaired, node));
    assert_int_equal(cluster.nodes[sender]->snapshots.failed.value, 0);
    cluster_deinit(&cluster);
}

static bool is_connection_gone(void *ctx)
{
    const struct wait *wait = ctx;
    return !net_bulk_comes_from(wait->cluster->nodes[wait->node]->net, wait->least);
}

static void a_sender_that_pauses_is_waited_for_as_long_as_it_is_there(void **state)
{
    (void)state;
    struct cluster cluster;
    uint32_t sender = 0;
    uint32_t i = a_slow_repair(&cluster, &sender);
    struct node *node = cluster.nodes[i];
    uint64_t transfer = node->snapshots.in.transfer;
    uint32_t asked_count = node->replica->repair.asked_count;
    make_old(node);
    assert_false(snapshots_is_coming(node->replica));
    snapshots_tick(node->replica, env_now_ms(cluster.env)); /* S7 */
    assert_true(snapshots_is_coming(node->replica));
    struct checkpoint_wait wait = {&cluster, 0, env_now_ms(cluster.env) + 2 * REPAIR_ASK_MS, false};
    assert_true(turn_until(&cluster, is_past, &wait));
    assert_int_equal(node->snapshots.in.transfer, transfer);
    assert_int_equal(node->replica->repair.asked_count, asked_count);
    /* Its chunks come, but no answer goes back: that is as good as nobody. */
    make_old(node);
    assert_int_equal(net_peer_set(node->net, sender + 1, "127.0.0.1:1"), OK);
    assert_true(net_bulk_comes_from(node->net, sender + 1));
    snapshots_tick(node->replica, env_now_ms(cluster.env));
    assert_false(snapshots_is_coming(node->replica));
    cluster_deinit(&cluster);
}

/* Simulator, network 1196013166 and disk 2163635584: it waited for a minute. */
static void a_sender_that_is_gone_is_not_waited_for_long(void **state)
{
    (void)state;
    struct cluster cluster;
    uint32_t sender = 0;
    uint32_t i = a_slow_repair(&cluster, &sender);
    uint32_t third = 3 - i - sender;
    struct node *node = cluster.nodes[i];
    cluster.nodes[third]->pace.bytes_per_second = 0;
    stop_node(&cluster, sender);
    struct wait gone = {&cluster, i, sender + 1};
    assert_true(turn_until(&cluster, is_connection_gone, &gone));
    assert_true(snapshots_is_coming(node->replica)); /* it may come back, and go on */
    assert_int_equal(node->snapshots.in.from, sender + 1);
    make_old(node);
    assert_false(snapshots_is_coming(node->replica));
    assert_true(turn_until(&cluster, is_repaired, node));
    assert_int_equal(node->snapshots.received.value, 1);
    start_node(&cluster, sender);
    assert_all_equal(&cluster);
    cluster_deinit(&cluster);
}

/* Likewise, with a sender that lives and has given up its transfer. */
static void a_sender_that_gives_up_is_not_waited_for_long(void **state)
{
    (void)state;
    struct cluster cluster;
    uint32_t sender = 0;
    uint32_t i = a_slow_repair(&cluster, &sender);
    uint32_t third = 3 - i - sender;
    struct node *node = cluster.nodes[i];
    cluster.nodes[third]->pace.bytes_per_second = 0;
    snapshots_deinit_out(&cluster.nodes[sender]->snapshots);
    net_bulk_close(cluster.nodes[sender]->net, i + 1);
    struct wait gone = {&cluster, i, sender + 1};
    assert_true(turn_until(&cluster, is_connection_gone, &gone));
    /* It had a reason, and is not asked to begin anew. */
    uint64_t transfer = node->snapshots.in.transfer;
    struct checkpoint_wait wait = {&cluster, 0, env_now_ms(cluster.env) + 3 * REPAIR_ASK_MS, false};
    assert_true(turn_until(&cluster, is_past, &wait));
    assert_int_equal(node->snapshots.in.transfer, transfer);
    make_old(node);
    cluster.nodes[sender]->pace = (struct pace){.bytes_per_second = 0};
    assert_true(turn_until(&cluster, is_repaired, node));
    assert_all_equal(&cluster);
    cluster_deinit(&cluster);
}

/* Simulator, swarm 688524154: it was waited for as long as for one that is gone, though it could
 * have begun anew at once. */
static void a_sender_that_was_restarted_begins_anew(void **state)
{
    (void)state;
    struct cluster cluster;
    uint32_t sender = 0;
    uint32_t i = a_slow_repair(&cluster, &sender);
    struct node *node = cluster.nodes[i];
    uint64_t transfer = node->snapshots.in.transfer;
    uint32_t asked_count = node->replica->repair.asked_count;
    uint64_t stopped_ms = env_now_ms(cluster.env);
    stop_node(&cluster, sender);
    start_node(&cluster, sender);
    assert_int_equal(node->snapshots.in.transfer, transfer);
    assert_true(turn_until(&cluster, is_repaired, node));
    assert_true(env_now_ms(cluster.env) - stopped_ms < SNAPSHOT_PATIENCE_MS);
    assert_int_equal(node->replica->repair.asked_count, asked_count); /* nobody else was asked */
    assert_all_equal(&cluster);
    cluster_deinit(&cluster);
}

static bool are_all_peers_up(void *ctx)
{
    const struct node *node = ctx;
    for (uint32_t i = 0; i < node->identity.peer_count; i++) {
        if (!net_is_up(node->net, node->identity.peers[i].id)) {
            return false;
        }
    }
    return true;
}

static void say_how_far(struct node *node, node_id from, uint64_t last_index)
{
    const struct frame_repair frame = {.kind = FRAME_REPAIR_ANSWER, .index = last_index};
    struct writer payload = {0};
    frame_repair_encode(&frame, &payload);
    repair_heard(node->replica, from, writer_slice(&payload));
    writer_deinit(&payload);
}

static void who_can_have_the_state_is_asked_before_others(void **state)
{
    (void)state;
    struct cluster cluster;
    uint32_t i = a_follower_with_a_cut_log(&cluster);
    restart_with_spoilt_store(&cluster, i);
    struct node *node = cluster.nodes[i];
    struct repair *repair = &node->replica->repair;
    repair->index_min = UINT64_MAX / 2; /* so that nobody sends anything */
    assert_true(turn_until(&cluster, are_all_peers_up, node));
    uint64_t now_ms = env_now_ms(cluster.env);
    for (uint32_t turn = 0; turn < 6; turn++) {
        uint32_t able = turn / 2 % 2;
        say_how_far(node, node->identity.peers[able].id, repair->index_min);
        say_how_far(node, node->identity.peers[1 - able].id, repair->index_min - 1);
        now_ms += REPAIR_ASK_MS;
        repair_tick(node->replica, now_ms);
        assert_int_equal(repair->asked_count, able + 1);
    }
    cluster_deinit(&cluster);
}

/* ---- the log ---- */

static bool has_new_log(void *ctx)
{
    const struct node *node = ctx;
    return node->replica->raft != NULL && node->replica->repair.logs.value > 0 &&
           node->identity.lost_region == 0;
}

static void a_damaged_log_is_begun_anew_with_its_term_and_vote(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster(&cluster);
    uint32_t leader = leader_of(&cluster);
    uint32_t i = (leader + 1) % 3;
    write_much(&cluster, leader, 600);
    stop_node(&cluster, i);
    put_at_least_once(&cluster, leader, "meanwhile", "1");
    spoil_log(&cluster, i, false, 100); /* a header: and hard states behind it */
    start_node(&cluster, i);
    struct node *node = cluster.nodes[i];
    assert_null(node->replica->raft);
    assert_int_equal(node->identity.lost_region, REGION_FIRST);
    assert_false(node->identity.is_vote_lost);
    struct hard_state lost = node->identity.lost;
    assert_true(lost.term > 0);
    assert_int_equal(stale_read(node), ERR_NO_LEADER);
    assert_true(turn_until(&cluster, has_new_log, node));
    struct hard_state found = wal_hard_state(node->wal, REGION_FIRST);
    assert_true(found.term > lost.term || found.vote == lost.vote);
    assert_all_equal(&cluster);
    cluster_deinit(&cluster);
}

static void a_node_that_has_lost_its_vote_hears_everybody_first(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster(&cluster);
    uint32_t leader = leader_of(&cluster);
    uint32_t i = (leader + 1) % 3;
    uint32_t third = 3 - leader - i;
    write_much(&cluster, leader, 60);
    stop_node(&cluster, i);
    spoil_log(&cluster, i, true, 100); /* the newest segment's header */
    stop_node(&cluster, third);
    start_node(&cluster, i);
    struct node *node = cluster.nodes[i];
    assert_true(node->identity.is_vote_lost);
    struct checkpoint_wait wait = {&cluster, 0, env_now_ms(cluster.env) + 2500, false};
    assert_true(turn_until(&cluster, is_past, &wait));
    assert_true(node->identity.is_vote_lost); /* one is missing, and a person is told which */
    assert_null(node->replica->raft);
    assert_string_equal(cluster.vote_line, "");
    repair_tick(node->replica, env_now_ms(cluster.env) + REPAIR_TELL_MS);
    char missing[32];
    snprintf(missing, sizeof(missing), " missing=%u\n", third + 1);
    assert_non_null(strstr(cluster.vote_line, missing));
    const char *why = NULL;
    assert_false(node_is_ready(node, &why));
    assert_non_null(strstr(why, "told it their terms"));
    /* What is remembered survives a restart. */
    stop_node(&cluster, i);
    start_node(&cluster, i);
    node = cluster.nodes[i];
    assert_true(node->identity.is_vote_lost);
    start_node(&cluster, third);
    assert_true(turn_until(&cluster, has_new_log, node));
    assert_all_equal(&cluster);
    cluster_deinit(&cluster);
}

static void log_and_store_may_be_lost_together(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster(&cluster);
    uint32_t leader = leader_of(&cluster);
    uint32_t i = (leader + 1) % 3;
    write_much(&cluster, leader, 600);
    stop_node(&cluster, i);
    spoil_log(&cluster, i, false, 700);
    spoil_store(&cluster, i);
    start_node(&cluster, i);
    assert_true(turn_until(&cluster, is_taking_in, cluster.nodes[i]));
    stop_node(&cluster, i); /* complete, and not taken in */
    start_node(&cluster, i);
    assert_int_equal(cluster.nodes[i]->identity.lost_region, REGION_FIRST);
    assert_true(turn_until(&cluster, has_new_log, cluster.nodes[i]));
    assert_all_equal(&cluster);
    cluster_deinit(&cluster);
}

static void a_damaged_log_of_a_node_alone_is_refused_and_kept(void **state)
{
    (void)state;
    struct cluster cluster;
    char path[200];
    cluster_init(&cluster, 1);
    write_much(&cluster, 0, 20);
    stop_node(&cluster, 0);
    spoil_log(&cluster, 0, true, 530);
    find_segment(&cluster, 0, true, path);
    struct node_options options = options_of(&cluster, 0);
    struct err_note note = {.text = ""};
    assert_int_equal(node_open(&cluster.nodes[0], &options, &note), ERR_DAMAGED);
    assert_non_null(strstr(note.text, ".seg: at offset"));
    assert_int_equal(access(path, F_OK), 0);
    cluster.nodes[0] = NULL;
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_damaged_store_is_rebuilt_from_a_peer_and_the_log_stays),
        cmocka_unit_test(what_was_before_a_rebuilt_state_is_not_known),
        cmocka_unit_test(two_of_three_are_rebuilt_from_the_one_that_is_left),
        cmocka_unit_test(a_log_that_is_whole_rebuilds_the_store_without_peers),
        cmocka_unit_test(a_node_alone_refuses_and_keeps_what_it_has),
        cmocka_unit_test(a_store_that_is_marked_is_not_believed_though_it_is_whole),
        cmocka_unit_test(a_repair_that_is_interrupted_goes_on_at_the_next_start),
        cmocka_unit_test(a_log_that_ends_before_the_state_is_reset_to_it),
        cmocka_unit_test(who_takes_in_what_it_repairs_itself_with_says_so),
        cmocka_unit_test(a_sender_that_pauses_is_waited_for_as_long_as_it_is_there),
        cmocka_unit_test(a_sender_that_is_gone_is_not_waited_for_long),
        cmocka_unit_test(a_sender_that_gives_up_is_not_waited_for_long),
        cmocka_unit_test(a_sender_that_was_restarted_begins_anew),
        cmocka_unit_test(who_can_have_the_state_is_asked_before_others),
        cmocka_unit_test(a_damaged_log_is_begun_anew_with_its_term_and_vote),
        cmocka_unit_test(a_node_that_has_lost_its_vote_hears_everybody_first),
        cmocka_unit_test(log_and_store_may_be_lost_together),
        cmocka_unit_test(a_damaged_log_of_a_node_alone_is_refused_and_kept),
        cmocka_unit_test(who_has_joined_knows_its_peers_although_it_has_lost_their_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
