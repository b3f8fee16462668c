/* Clusters that change: nodes come, are taken in, and go. */
#include "node/node_int.h"
#include "node_testing.h"

static void a_cluster_of(struct cluster *cluster, uint32_t count)
{
    cluster_init(cluster, count);
    assert_true(turn_until(cluster, has_leader_everywhere, cluster));
    put_at_least_once(cluster, 0, "a", "1");
    learn_cluster_id(cluster);
}

static void a_node_that_joins_catches_up_becomes_a_voter_and_needs_no_telling_any_more(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster_of(&cluster, 3);
    write_much(&cluster, 0, 100);
    start_joining(&cluster, 3);
    add_learner(&cluster, 3, true);
    struct wait wait = {&cluster, 3, 0};
    assert_true(turn_until(&cluster, is_voter_itself, &wait));
    assert_true(turn_until(&cluster, has_settled, &wait));
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    stop_node(&cluster, 3);
    start_joined(&cluster, 3);
    assert_value(&cluster, 3, "a", "1");
    put_at_least_once(&cluster, 3, "b", "2");
    /* Its vote counts: with it, two others may be away of what are four now. */
    uint32_t leader = leader_of(&cluster);
    struct node_status status;
    node_status(cluster.nodes[leader], &status);
    assert_int_equal(status.peer_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(status.peers[i].is_voter);
        assert_false(status.peers[i].wants_vote);
    }
    stop_node(&cluster, leader == 0 ? 1 : 0);
    put_at_least_once(&cluster, 3, "c", "3");
    cluster_deinit(&cluster);
}

static void a_learner_that_does_not_want_a_vote_stays_one(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster_of(&cluster, 3);
    start_joining(&cluster, 3);
    add_learner(&cluster, 3, false);
    struct wait wait = {&cluster, 3, env_now_ms(cluster.env) + 500};
    assert_true(turn_until(&cluster, has_settled, &wait));
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    assert_true(
        turn_until(&cluster, is_past, &(struct checkpoint_wait){&cluster, 3, wait.least, false}));
    assert_false(is_voter_itself(&wait));
    assert_value(&cluster, 3, "a", "1");
    cluster_deinit(&cluster);
}

static void until_it_is_taken_in_a_joining_node_has_to_be_told_whom_to_ask(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster_of(&cluster, 3);
    start_joining(&cluster, 3);
    const char *why_not = NULL;
    assert_false(node_is_ready(cluster.nodes[3], &why_not));
    stop_node(&cluster, 3);
    struct node_options options = joined_options_of(&cluster, 3);
    struct err_note note = {.text = ""};
    assert_int_equal(node_open(&cluster.nodes[3], &options, &note), ERR_IDENTITY);
    assert_non_null(strstr(note.text, "has not noted yet"));
    cluster.nodes[3] = NULL;
    /* Added while it is away, and told again: then it comes in. */
    add_learner(&cluster, 3, true);
    start_joining(&cluster, 3);
    struct wait wait = {&cluster, 3, 0};
    assert_true(turn_until(&cluster, is_voter_itself, &wait));
    assert_true(turn_until(&cluster, has_settled, &wait));
    cluster_deinit(&cluster);
}

/* M5: told of one member only, which does not lead: who leads finds it nevertheless. */
static void who_was_told_of_others_is_taken_in_by_the_leader_that_dials(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster_of(&cluster, 3);
    uint32_t follower = (leader_of(&cluster) + 1) % 3;
    struct node_options options = joining_options_of(&cluster, 3);
    options.members = &cluster.members[follower];
    options.member_count = 1;
    open_node(&cluster, 3, &options);
    add_learner(&cluster, 3, true);
    struct wait wait = {&cluster, 3, 0};
    assert_true(turn_until(&cluster, is_voter_itself, &wait));
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    cluster_deinit(&cluster);
}

static void one_member_is_replaced_by_another_in_one_step(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster_of(&cluster, 3);
    uint32_t leader = leader_of(&cluster);
    uint32_t old = (leader + 1) % 3;
    start_joining(&cluster, 4);
    struct conf_change conf = {
        .count = 2,
        .changes = {{CONF_CHANGE_ADD_VOTER, 5}, {CONF_CHANGE_REMOVE, old + 1}},
    };
    change(&cluster, &conf, &cluster.members[4], 1);
    struct wait wait = {&cluster, 4, 0};
    assert_true(turn_until(&cluster, is_voter_itself, &wait));
    wait.node = old;
    assert_true(turn_until(&cluster, is_removed, &wait));
    assert_int_equal(cluster.removal_warnings, 1);
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    struct node_status status;
    node_status(cluster.nodes[4], &status);
    assert_false(status.is_joint);
    assert_int_equal(status.peer_count, 2);
    /* The removed one takes no part: it says so at once instead of waiting. */
    struct writing writing;
    begin_put(&cluster, old, &writing, "b", "2", 10000);
    assert_int_equal(writing.result.e, ERR_NO_LEADER);
    assert_value(&cluster, 4, "a", "1");
    cluster_deinit(&cluster);
}

static bool somebody_else_leads(void *ctx)
{
    const struct wait *wait = ctx;
    return has_leader(wait->cluster) && leader_of(wait->cluster) != wait->node;
}

static bool is_handing_over(const struct wait *wait)
{
    struct node_status status;
    node_status(wait->cluster->nodes[wait->node], &status);
    return status.transfer_target != 0 || status.role != NODE_LEADER;
}

/* Simulator, membership 30039: who stays had not heard that the removal was committed, and the vote
 * that it needed then was the removed leader's. */
static void a_leader_that_is_to_go_hands_over_first(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster_of(&cluster, 3);
    uint32_t leader = leader_of(&cluster);
    struct conf_change conf = change_of(CONF_CHANGE_REMOVE, leader + 1);
    struct changing changing;
    struct wait wait = {&cluster, leader, 0};
    do { /* not before it has heard the others */
        begin_change(&cluster, leader, &changing, &conf, NULL, 0);
        assert_int_equal(changing.answers, 1);
        assert_true(is_to_be_tried_again(changing.e));
        env_uv_run_once(cluster.env, false);
    } while (!is_handing_over(&wait));
    assert_true(turn_until(&cluster, somebody_else_leads, &wait));
    remove_member(&cluster, leader);
    assert_true(turn_until(&cluster, is_removed, &wait));
    cluster_deinit(&cluster);
}

static void a_leader_removes_itself_and_another_one_leads(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster_of(&cluster, 3);
    uint32_t leader = leader_of(&cluster);
    remove_member(&cluster, leader);
    struct wait wait = {&cluster, leader, 0};
    assert_true(turn_until(&cluster, is_removed, &wait));
    stop_node(&cluster, leader);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    put_at_least_once(&cluster, (leader + 1) % 3, "b", "2");
    assert_value(&cluster, (leader + 2) % 3, "b", "2");
    /* Back again, it knows where it stands, and asks nobody for a vote. */
    start_node(&cluster, leader);
    assert_true(turn_until(&cluster, is_removed, &wait));
    cluster_deinit(&cluster);
}

static uint64_t term_of(struct cluster *cluster, uint32_t i)
{
    struct node_status status;
    node_status(cluster->nodes[i], &status);
    return status.term;
}

static void a_member_that_was_removed_while_it_was_away_is_told_and_disturbs_nobody(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster_of(&cluster, 3);
    uint32_t leader = leader_of(&cluster);
    uint32_t away = (leader + 1) % 3;
    stop_node(&cluster, away);
    remove_member(&cluster, away);
    start_node(&cluster, away);
    struct wait told = {&cluster, away, 0};
    assert_true(turn_until(&cluster, is_removed, &told));
    assert_int_equal(cluster.removal_warnings, 1);
    uint64_t term = term_of(&cluster, away);
    struct checkpoint_wait wait = {&cluster, 0, env_now_ms(cluster.env) + 1500, false};
    assert_true(turn_until(&cluster, is_past, &wait));
    assert_int_equal(term_of(&cluster, away), term);
    put_at_least_once(&cluster, leader, "b", "2");
    cluster_deinit(&cluster);
}

/* M6: who refuses may not have heard yet of what made this node a member. */
static void a_refusal_from_before_its_own_time_tells_a_member_nothing(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster_of(&cluster, 3);
    uint32_t follower = (leader_of(&cluster) + 1) % 3;
    struct wait wait = {&cluster, follower, 0};
    struct replica *replica = cluster.nodes[follower]->replica;
    members_told_of_removal(replica, replica->applied - 1);
    assert_false(is_removed(&wait));
    assert_value(&cluster, follower, "a", "1");
    members_told_of_removal(replica, replica->applied);
    assert_true(is_removed(&wait));
    cluster_deinit(&cluster);
}

static void whoever_waits_for_a_node_that_is_removed_is_told_at_once(void **state)
{
    (void)state;
    struct cluster cluster;
    struct writing writing;
    struct reading reading;
    a_cluster_of(&cluster, 3);
    uint32_t leader = leader_of(&cluster);
    uint32_t follower = (leader + 1) % 3;
    stop_node(&cluster, leader);
    stop_node(&cluster, (leader + 2) % 3);
    begin_put(&cluster, follower, &writing, "a", "2", 10 * (uint64_t)PATIENCE_MS);
    begin_get(&cluster, follower, &reading, "a", READ_LINEARIZABLE, 10 * (uint64_t)PATIENCE_MS);
    struct replica *replica = cluster.nodes[follower]->replica;
    members_told_of_removal(replica, replica->applied);
    assert_true(turn_until(&cluster, is_read, &reading));
    assert_int_equal(reading.e, ERR_NO_LEADER);
    assert_true(turn_until(&cluster, is_written, &writing));
    assert_true(writing.result.e == ERR_NO_LEADER || writing.result.e == ERR_OUTCOME_UNKNOWN);
    cluster_deinit(&cluster);
}

static void read_identity(struct cluster *cluster, uint32_t i, char text[1024])
{
    char path[128];
    snprintf(path, sizeof(path), "%s/identity", cluster->directories[i]);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    text[fread(text, 1, 1023, file)] = '\0';
    assert_int_equal(fclose(file), 0);
}

static bool have_met(void *ctx)
{
    const struct wait *wait = ctx;
    char text[1024];
    read_identity(wait->cluster, wait->node, text);
    return strstr(text, "peer 4 ") != NULL;
}

/* M7: what nodes 1 and 4 acknowledged while node 2 was away is not known to 4 any more. */
static void a_member_that_lost_its_data_is_not_taken_by_who_replays_how_it_was_added(void **state)
{
    (void)state;
    struct cluster cluster;
    struct reading reading;
    a_cluster_of(&cluster, 2);
    start_joining(&cluster, 3);
    add_learner(&cluster, 3, true);
    struct wait wait = {&cluster, 3, 0};
    assert_true(turn_until(&cluster, is_voter_itself, &wait));
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    uint32_t stays = 0;
    wait.node = 1;
    assert_true(turn_until(&cluster, have_met, &wait));
    const struct store_region *region = store_region(cluster.nodes[wait.node]->store, REGION_FIRST);
    assert_true(region->checkpoint.index < region->applied.index);
    stop_node(&cluster, wait.node);
    put_at_least_once(&cluster, stays, "b", "2");
    stop_node(&cluster, 3);
    stop_node(&cluster, stays);
    remove_data(&cluster, 3, "");
    start_joining(&cluster, 3);
    start_node(&cluster, wait.node);
    begin_get(&cluster, wait.node, &reading, "b", READ_LINEARIZABLE, 2000);
    assert_true(turn_until(&cluster, is_read, &reading));
    assert_int_equal(reading.e, ERR_NO_LEADER);
    start_node(&cluster, stays);
    assert_value(&cluster, wait.node, "b", "2");
    cluster_deinit(&cluster);
}

/* Away from its removal until it was added again, a member hears of both by a snapshot only. */
static void who_is_back_within_a_snapshot_serves_again(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster_of(&cluster, 3);
    uint32_t back = (leader_of(&cluster) + 1) % 3;
    struct replica *replica = cluster.nodes[back]->replica;
    struct wait wait = {&cluster, back, 0};
    struct membership membership = replica->membership;
    members_told_of_removal(replica, replica->applied + 5);
    assert_true(is_removed(&wait));
    members_adopt(replica, &membership, replica->applied + 4); /* from before that */
    assert_true(is_removed(&wait));
    members_adopt(replica, &membership, replica->applied + 9);
    assert_false(is_removed(&wait));
    assert_value(&cluster, back, "a", "1");
    cluster_deinit(&cluster);
}

/* A node that comes anew catches up through times in which its id was another's. */
static void who_is_still_joining_is_not_told_of_a_removal(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster_of(&cluster, 3);
    uint32_t follower = (leader_of(&cluster) + 1) % 3;
    struct replica *replica = cluster.nodes[follower]->replica;
    struct wait wait = {&cluster, follower, 0};
    replica->node->identity.is_joining = true;
    members_told_of_removal(replica, UINT64_MAX);
    assert_false(is_removed(&wait));
    replica->node->identity.is_joining = false;
    members_told_of_removal(replica, UINT64_MAX);
    assert_true(is_removed(&wait));
    cluster_deinit(&cluster);
}

static void an_id_that_was_removed_may_come_back_with_a_new_directory(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster_of(&cluster, 3);
    uint32_t back = (leader_of(&cluster) + 1) % 3;
    stop_node(&cluster, back);
    remove_data(&cluster, back, "");
    remove_member(&cluster, back);
    add_learner(&cluster, back, true);
    start_joining(&cluster, back);
    struct wait wait = {&cluster, back, 0};
    assert_true(turn_until(&cluster, has_settled, &wait));
    assert_true(turn_until(&cluster, is_voter_itself, &wait));
    assert_value(&cluster, back, "a", "1");
    /* The others remember the new one, not the old one. */
    char own[1024];
    char others[1024];
    read_identity(&cluster, back, own);
    read_identity(&cluster, (back + 1) % 3, others);
    unsigned long long instance = 0;
    char line[64];
    assert_int_equal(sscanf(strstr(own, "instance"), "instance %llx", &instance), 1);
    snprintf(line, sizeof(line), "peer %u %016llx\n", back + 1, instance);
    assert_non_null(strstr(others, line));
    cluster_deinit(&cluster);
}

static void a_node_alone_begins_to_listen_and_grows(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster_of(&cluster, 1);
    struct changing changing;
    struct conf_change add = change_of(CONF_CHANGE_ADD_LEARNER, 2);
    begin_change(&cluster, 0, &changing, &add, &cluster.members[1], 1);
    assert_int_equal(changing.e, ERR_ADDRESS); /* nobody could reach the first one */
    free_address(cluster.members[0].peer_address);
    start_joining(&cluster, 1);
    struct conf_change conf = change_of(CONF_CHANGE_UPDATE, 1);
    change(&cluster, &conf, &cluster.members[0], 1);
    add_learner(&cluster, 1, true);
    struct wait wait = {&cluster, 1, 0};
    assert_true(turn_until(&cluster, is_voter_itself, &wait));
    assert_true(turn_until(&cluster, has_settled, &wait));
    /* The flags of its lonely days are enough: its own disk knows better. */
    stop_node(&cluster, 0);
    struct node_options options = joined_options_of(&cluster, 0);
    options.peer_listen = NULL;
    open_node(&cluster, 0, &options);
    put_at_least_once(&cluster, 0, "b", "2");
    assert_value(&cluster, 1, "b", "2");
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_node_that_joins_catches_up_becomes_a_voter_and_needs_no_telling_any_more),
        cmocka_unit_test(a_learner_that_does_not_want_a_vote_stays_one),
        cmocka_unit_test(until_it_is_taken_in_a_joining_node_has_to_be_told_whom_to_ask),
        cmocka_unit_test(who_was_told_of_others_is_taken_in_by_the_leader_that_dials),
        cmocka_unit_test(one_member_is_replaced_by_another_in_one_step),
        cmocka_unit_test(a_leader_that_is_to_go_hands_over_first),
        cmocka_unit_test(a_leader_removes_itself_and_another_one_leads),
        cmocka_unit_test(a_member_that_was_removed_while_it_was_away_is_told_and_disturbs_nobody),
        cmocka_unit_test(a_refusal_from_before_its_own_time_tells_a_member_nothing),
        cmocka_unit_test(whoever_waits_for_a_node_that_is_removed_is_told_at_once),
        cmocka_unit_test(a_member_that_lost_its_data_is_not_taken_by_who_replays_how_it_was_added),
        cmocka_unit_test(who_is_back_within_a_snapshot_serves_again),
        cmocka_unit_test(who_is_still_joining_is_not_told_of_a_removal),
        cmocka_unit_test(an_id_that_was_removed_may_come_back_with_a_new_directory),
        cmocka_unit_test(a_node_alone_begins_to_listen_and_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
