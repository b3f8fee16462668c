/* What an operator asks, of whole nodes: of any of them, whoever leads. */
#include "damage_testing.h"
#include "node/node_int.h"
#include "node_testing.h"

struct asking {
    struct node_admin request;
    err e;
    int answers;
    char text[256];
    struct admin_figures figures; /* of a list */
};

static void asked(struct node_admin *request, err e, struct slice text)
{
    struct asking *asking = CONTAINER_OF(request, struct asking, request);
    asking->e = e;
    asking->answers++;
    if (e == OK && request->spec.op == ADMIN_LIST) {
        asking->figures = *request->figures;
    }
    snprintf(asking->text, sizeof(asking->text), "%.*s", (int)text.size, (const char *)text.data);
}

static bool is_answered(void *ctx)
{
    return ((struct asking *)ctx)->answers > 0;
}

static void begin(struct cluster *cluster, uint32_t i, struct asking *asking,
                  const struct admin_spec *spec, uint64_t timeout_ms)
{
    *asking = (struct asking){.answers = 0};
    asking->request.spec = *spec;
    asking->request.deadline_ms = env_now_ms(cluster->env) + timeout_ms;
    asking->request.done = asked;
    node_admin(cluster->nodes[i], &asking->request);
}

static err ask(struct cluster *cluster, uint32_t i, struct asking *asking,
               const struct admin_spec *spec)
{
    begin(cluster, i, asking, spec, 15000);
    assert_true(turn_until(cluster, is_answered, asking));
    assert_int_equal(asking->answers, 1);
    return asking->e;
}

static struct admin_spec add_of(struct cluster *cluster, uint32_t i)
{
    struct admin_spec spec = {.op = ADMIN_ADD};
    snprintf(spec.address, sizeof(spec.address), "%s", cluster->members[i].peer_address);
    return spec;
}

struct voter {
    struct cluster *cluster;
    uint32_t node;
};

static bool is_voter(void *ctx)
{
    const struct voter *voter = ctx;
    struct node_status status;
    node_status(voter->cluster->nodes[voter->node], &status);
    return status.role == NODE_FOLLOWER && !status.is_joining;
}

static void any_node_takes_it_and_the_leader_may_remove_itself(void **state)
{
    (void)state;
    struct cluster cluster;
    struct asking asking;
    cluster_init(&cluster, 3);
    put_at_least_once(&cluster, 0, "a", "1");
    learn_cluster_id(&cluster);
    uint32_t leader = leader_of(&cluster);
    uint32_t follower = (leader + 1) % 3;
    struct admin_spec spec = add_of(&cluster, 3);
    assert_int_equal(ask(&cluster, follower, &asking, &spec), OK);
    assert_int_equal(asking.request.id, 4);
    assert_int_equal(ask(&cluster, leader, &asking, &spec), OK); /* it never came: it may ask */
    assert_int_equal(asking.request.id, 4);
    start_joining(&cluster, 3);
    struct voter fourth = {&cluster, 3};
    assert_true(turn_until(&cluster, is_voter, &fourth));
    spec = (struct admin_spec){.op = ADMIN_REMOVE, .id = 9};
    assert_int_equal(ask(&cluster, follower, &asking, &spec), ERR_NOT_FOUND);
    assert_string_equal(asking.text, "there is no member 9");
    /* By way of the leader itself, which has to hand over first. */
    leader = leader_of(&cluster);
    spec.id = leader + 1;
    assert_int_equal(ask(&cluster, leader, &asking, &spec), OK);
    assert_true(leader_of(&cluster) != leader);
    put_at_least_once(&cluster, (leader + 1) % 3, "b", "2");
    cluster_deinit(&cluster);
}

static void leadership_goes_to_whom_it_is_given(void **state)
{
    (void)state;
    struct cluster cluster;
    struct asking asking;
    cluster_init(&cluster, 3);
    put_at_least_once(&cluster, 0, "a", "1");
    uint32_t leader = leader_of(&cluster);
    uint32_t follower = (leader + 1) % 3;
    uint32_t third = (leader + 2) % 3;
    struct admin_spec spec = {.op = ADMIN_TRANSFER, .id = third + 1};
    assert_int_equal(ask(&cluster, follower, &asking, &spec), OK);
    assert_int_equal(asking.request.id, third + 1);
    leader = leader_of(&cluster);
    spec.id = 0; /* to anybody */
    assert_int_equal(ask(&cluster, leader, &asking, &spec), OK);
    assert_int_not_equal(asking.request.id, leader + 1);
    spec.id = 7;
    assert_int_equal(ask(&cluster, leader, &asking, &spec), ERR_NOT_FOUND);
    cluster_deinit(&cluster);
}

static bool is_missed(void *ctx)
{
    const struct voter *voter = ctx;
    const struct cluster *cluster = voter->cluster;
    uint32_t leader = find_leader(cluster);
    return leader < NODES_MAX &&
           contact_is_lost(&cluster->nodes[leader]->replica->contact, voter->node + 1,
                           env_now_ms(cluster->env), ELECTION_TIMEOUT_MS);
}

static bool is_down(void *ctx)
{
    const struct voter *voter = ctx;
    const struct cluster *cluster = voter->cluster;
    return !net_is_up(cluster->nodes[leader_of(voter->cluster)]->net, voter->node + 1);
}

static bool is_known_to_drain(void *ctx)
{
    const struct voter *voter = ctx;
    return condition_is(voter->cluster->nodes[leader_of(voter->cluster)]->replica, voter->node + 1,
                        CONDITION_DRAINING);
}

static bool is_known_to_serve(void *ctx)
{
    return !is_known_to_drain(ctx);
}

/* A5: by the leader itself, and by way of a follower. */
static void leadership_is_not_offered_to_who_is_away(void **state)
{
    (void)state;
    struct cluster cluster;
    struct asking asking;
    cluster_init(&cluster, 3);
    put_at_least_once(&cluster, 0, "a", "1");
    uint32_t leader = leader_of(&cluster);
    uint32_t follower = (leader + 1) % 3;
    struct voter third = {&cluster, (leader + 2) % 3};
    stop_node(&cluster, third.node);
    assert_true(turn_until(&cluster, is_down, &third));
    struct admin_spec spec = {.op = ADMIN_TRANSFER, .id = third.node + 1};
    uint32_t asked_nodes[] = {leader, follower};
    for (size_t i = 0; i < ARRAY_COUNT(asked_nodes); i++) {
        char who[64];
        snprintf(who, sizeof(who), "member %u is not reached by the leader", third.node + 1);
        assert_int_equal(ask(&cluster, asked_nodes[i], &asking, &spec), ERR_CONFLICT);
        assert_non_null(strstr(asking.text, who));
        assert_int_equal(leader_of(&cluster), leader);
    }
    spec.id = leader + 1; /* it leads */
    assert_int_equal(ask(&cluster, follower, &asking, &spec), OK);
    start_node(&cluster, third.node);
    struct drained drained;
    drain(cluster.nodes[follower], &drained);
    spec.id = follower + 1;
    struct voter drains = {&cluster, follower};
    assert_true(turn_until(&cluster, is_known_to_drain, &drains));
    assert_int_equal(ask(&cluster, third.node, &asking, &spec), ERR_CONFLICT);
    assert_non_null(strstr(asking.text, "is being drained"));
    assert_int_equal(node_undrain(cluster.nodes[follower]), OK);
    assert_true(turn_until(&cluster, is_known_to_serve, &drains));
    assert_int_equal(ask(&cluster, follower, &asking, &spec), OK);
    assert_int_equal(leader_of(&cluster), follower);
    cluster_deinit(&cluster);
}

static bool is_fourth_gone(void *ctx)
{
    const struct voter *voter = ctx;
    const struct replica *replica = voter->cluster->nodes[voter->node]->replica;
    return contact_is_lost(&replica->contact, 4, env_now_ms(voter->cluster->env), 1000000);
}

static void one_member_takes_the_place_of_another(void **state)
{
    (void)state;
    struct cluster cluster;
    struct asking asking;
    cluster_init(&cluster, 3);
    put_at_least_once(&cluster, 0, "a", "1");
    learn_cluster_id(&cluster);
    uint32_t leader = leader_of(&cluster);
    uint32_t dead = (leader + 1) % 3;
    struct admin_spec spec = add_of(&cluster, 3);
    spec.op = ADMIN_REPLACE;
    spec.old = dead + 1;
    assert_int_equal(ask(&cluster, leader, &asking, &spec), ERR_CONFLICT);
    assert_non_null(strstr(asking.text, "is there"));
    stop_node(&cluster, dead);
    struct voter gone = {&cluster, dead};
    assert_true(turn_until(&cluster, is_missed, &gone));
    begin(&cluster, leader, &asking, &spec, 15000);
    start_joining(&cluster, 3);
    assert_true(turn_until(&cluster, is_answered, &asking));
    assert_int_equal(asking.e, OK);
    assert_int_equal(asking.request.id, 4);
    struct voter fourth = {&cluster, 3};
    assert_true(turn_until(&cluster, is_voter, &fourth));
    /* Two are left with it; another one cannot go while one of them is away. */
    stop_node(&cluster, 3);
    struct voter witness = {&cluster, leader};
    assert_true(turn_until(&cluster, is_fourth_gone, &witness));
    spec = (struct admin_spec){.op = ADMIN_REMOVE, .id = (leader + 2) % 3 + 1};
    assert_int_equal(ask(&cluster, leader, &asking, &spec), ERR_CONFLICT);
    assert_non_null(strstr(asking.text, "no majority"));
    cluster_deinit(&cluster);
}

/* A3: it has hardly been elected, and nobody else may have had the time to answer it. */
static void a_new_leader_refuses_nothing_for_want_of_who_may_be_there(void **state)
{
    (void)state;
    struct cluster cluster;
    struct asking asking;
    cluster_init(&cluster, 3);
    put_at_least_once(&cluster, 0, "a", "1");
    uint32_t stopped = leader_of(&cluster);
    stop_node(&cluster, stopped);
    assert_true(turn_until(&cluster, has_leader, &cluster));
    uint32_t leader = find_leader(&cluster);
    struct admin_spec spec = {.op = ADMIN_REMOVE, .id = 3 - leader - stopped + 1};
    begin(&cluster, leader, &asking, &spec, 15000);
    assert_int_equal(asking.answers, 0);
    assert_true(turn_until(&cluster, is_answered, &asking));
    assert_int_equal(asking.e, ERR_CONFLICT);
    assert_non_null(strstr(asking.text, "is not heard"));
    cluster_deinit(&cluster);
}

struct mending {
    struct cluster *cluster;
    uint32_t node;
};

/* By what it says itself. */
static bool is_known_to_mend(void *ctx)
{
    const struct mending *mending = ctx;
    uint32_t leader = find_leader(mending->cluster);
    return leader < NODES_MAX &&
           contact_is_mending(&mending->cluster->nodes[leader]->replica->contact,
                              mending->node + 1);
}

static bool has_met_everybody(void *ctx)
{
    const struct mending *mending = ctx;
    return mending->cluster->nodes[mending->node]->identity.peer_count == 4;
}

static bool has_mended(void *ctx)
{
    const struct mending *mending = ctx;
    return mending->cluster->nodes[mending->node]->replica->raft != NULL;
}

/* One that runs, votes, and does not lead. */
static uint32_t follower_but_for(struct cluster *cluster, uint32_t a, uint32_t b)
{
    uint32_t leader = leader_of(cluster);
    uint32_t i = 0;
    while (i == leader || i == a || i == b) {
        i++;
    }
    return i;
}

/* A3. Of five one is stopped, and one waits for it to mend its own data: three serve. */
static void a_member_in_repair_is_not_counted_on(void **state)
{
    (void)state;
    struct cluster cluster;
    struct asking asking;
    cluster_init(&cluster, 5);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    put_at_least_once(&cluster, 0, "a", "1");
    uint32_t stopped = (leader_of(&cluster) + 1) % 5;
    struct mending mending = {&cluster, (stopped + 1) % 5};
    assert_true(turn_until(&cluster, has_met_everybody, &mending));
    stop_node(&cluster, mending.node);
    stop_node(&cluster, stopped);
    spoil_log(&cluster, mending.node, true, 100); /* with its vote */
    start_node(&cluster, mending.node);
    assert_true(turn_until(&cluster, is_known_to_mend, &mending));
    uint32_t follower = follower_but_for(&cluster, mending.node, stopped);
    struct admin_spec spec = {.op = ADMIN_REMOVE, .id = follower + 1};
    assert_int_equal(ask(&cluster, follower, &asking, &spec), ERR_CONFLICT);
    char who[64];
    snprintf(who, sizeof(who), "member %u is mending its data", mending.node + 1);
    assert_non_null(strstr(asking.text, "only 2 can vote now: "));
    assert_non_null(strstr(asking.text, who));
    start_node(&cluster, stopped);
    assert_true(turn_until(&cluster, has_mended, &mending));
    assert_int_equal(ask(&cluster, follower, &asking, &spec), OK);
    put_at_least_once(&cluster, mending.node, "b", "2");
    cluster_deinit(&cluster);
}

static bool is_unheard(void *ctx)
{
    const struct voter *voter = ctx;
    return !net_is_heard(voter->cluster->nodes[voter->node]->net, leader_of(voter->cluster) + 1);
}

struct carried_out {
    const struct replica *replica;
    uint64_t until_ms;
};

static bool is_carried_out_or_late(void *ctx)
{
    const struct carried_out *wait = ctx;
    return membership_find(&wait->replica->membership, 4) != NULL ||
           env_now_ms(wait->replica->node->env) >= wait->until_ms;
}

/* It would be carried out, and nobody be told. */
static void nothing_is_passed_on_to_a_leader_that_is_not_heard(void **state)
{
    (void)state;
    struct cluster cluster;
    struct asking asking;
    cluster_init(&cluster, 3);
    put_at_least_once(&cluster, 0, "a", "1");
    learn_cluster_id(&cluster);
    uint32_t leader = leader_of(&cluster);
    uint32_t follower = (leader + 1) % 3;
    struct net *net = cluster.nodes[leader]->net;
    struct voter voter = {&cluster, follower};
    assert_int_equal(net_peer_set(net, follower + 1, "127.0.0.1:1"), OK);
    assert_true(turn_until(&cluster, is_unheard, &voter));
    struct admin_spec spec = add_of(&cluster, 3);
    begin(&cluster, follower, &asking, &spec, 10 * (uint64_t)PATIENCE_MS);
    struct carried_out wait = {cluster.nodes[leader]->replica, env_now_ms(cluster.env) + 300};
    assert_true(turn_until(&cluster, is_carried_out_or_late, &wait));
    assert_null(membership_find(&wait.replica->membership, 4));
    const char *address = cluster.members[follower].peer_address;
    assert_int_equal(net_peer_set(net, follower + 1, address), OK);
    assert_true(turn_until(&cluster, is_answered, &asking));
    assert_int_equal(asking.e, OK);
    cluster_deinit(&cluster);
}

static void without_a_leader_it_waits_and_is_then_refused(void **state)
{
    (void)state;
    struct cluster cluster;
    struct asking asking;
    cluster_init(&cluster, 3);
    put_at_least_once(&cluster, 0, "a", "1");
    stop_node(&cluster, 1);
    stop_node(&cluster, 2);
    struct admin_spec spec = add_of(&cluster, 3);
    begin(&cluster, 0, &asking, &spec, 1500);
    assert_true(turn_until(&cluster, is_answered, &asking));
    assert_true(asking.e == ERR_NO_LEADER || asking.e == ERR_OUTCOME_UNKNOWN);
    begin(&cluster, 0, &asking, &spec, 15000);
    start_node(&cluster, 1); /* while it waits */
    assert_true(turn_until(&cluster, is_answered, &asking));
    assert_int_equal(asking.e, OK);
    begin(&cluster, 0, &asking, &spec, 15000);
    stop_node(&cluster, 0);
    assert_int_equal(asking.answers, 1);
    cluster_deinit(&cluster);
}

static const struct admin_spec list = {.op = ADMIN_LIST};

struct listing {
    struct cluster *cluster;
    struct asking asking;
    uint32_t asked;
};

/* Whether all but one (by its id; 0: none) are level, and that one is not reached. Asks again until
 * it is so: what a follower has acknowledged, the leader may not have heard yet. */
static bool are_level_but(struct listing *listing, node_id away)
{
    struct cluster *cluster = listing->cluster;
    const struct admin_figures *figures = &listing->asking.figures;
    if (ask(cluster, listing->asked, &listing->asking, &list) != OK) {
        return false;
    }
    assert_int_equal(figures->count, 3);
    bool is_so = true;
    for (uint32_t i = 0; i < figures->count; i++) {
        const struct admin_figure *row = &figures->rows[i];
        assert_int_equal(row->id, i + 1);
        assert_int_equal(row->progress == ADMIN_PROGRESS_NONE,
                         row->id == listing->asking.request.id);
        is_so = is_so && row->is_reachable == (row->id != away) &&
                (row->match == figures->last_index) == (row->id != away);
    }
    return is_so;
}

static bool are_all_level(void *ctx)
{
    return are_level_but(ctx, 0);
}

static bool is_third_away(void *ctx)
{
    return are_level_but(ctx, 3);
}

static void the_list_has_the_leaders_figures_on_every_node(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 3);
    put_at_least_once(&cluster, 0, "a", "1");
    for (uint32_t i = 0; i < 3; i++) {
        struct listing listing = {.cluster = &cluster, .asked = i};
        assert_true(turn_until(&cluster, are_all_level, &listing));
        assert_int_equal(listing.asking.request.id, leader_of(&cluster) + 1);
    }
    stop_node(&cluster, 2);
    put_at_least_once(&cluster, 0, "a", "2");
    for (uint32_t i = 0; i < 2; i++) {
        struct listing listing = {.cluster = &cluster, .asked = i};
        assert_true(turn_until(&cluster, is_third_away, &listing));
    }
    struct drained drained; /* it is asked all the same */
    drain(cluster.nodes[0], &drained);
    struct listing listing = {.cluster = &cluster, .asked = 0};
    assert_true(turn_until(&cluster, is_third_away, &listing));
    cluster_deinit(&cluster);
}

static bool hears_nobody(void *ctx)
{
    const struct voter *voter = ctx;
    const struct node *node = voter->cluster->nodes[voter->node];
    bool is_heard = false;
    for (uint32_t i = 0; i < 3; i++) {
        is_heard = is_heard || net_is_heard(node->net, i + 1);
    }
    return !is_heard && node->replica->leader != node->identity.node;
}

/* A6: whoever asks then looks for what is wrong. */
static void without_a_leader_the_list_is_refused_at_once(void **state)
{
    (void)state;
    struct cluster cluster;
    struct asking asking;
    cluster_init(&cluster, 3);
    put_at_least_once(&cluster, 0, "a", "1");
    for (uint32_t i = 1; i < 3; i++) {
        assert_int_equal(net_peer_set(cluster.nodes[i]->net, 1, "127.0.0.1:1"), OK);
    }
    struct voter first = {&cluster, 0};
    assert_true(turn_until(&cluster, hears_nobody, &first)); /* whether it knows a leader or not */
    begin(&cluster, 0, &asking, &list, 15000);
    assert_int_equal(asking.answers, 1); /* from within */
    assert_int_equal(asking.e, ERR_NO_LEADER);
    cluster_deinit(&cluster);
}

/* One that does not lead has asked who does, and has no answer yet. */
static bool is_passed_on(void *ctx)
{
    struct listing *listing = ctx;
    uint32_t leader = find_leader(listing->cluster);
    if (leader == NODES_MAX) {
        return false;
    }
    listing->asked = (leader + 1) % 3;
    begin(listing->cluster, listing->asked, &listing->asking, &list, 15000);
    return listing->asking.answers == 0;
}

static void the_list_is_refused_if_the_leader_does_not_answer(void **state)
{
    (void)state;
    struct cluster cluster;
    struct listing listing = {.cluster = &cluster};
    struct asking *asking = &listing.asking;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, is_passed_on, &listing));
    admin_requests_tick(asking->request.replica, asking->request.deadline_ms);
    assert_int_equal(asking->answers, 1);
    assert_int_equal(asking->e, ERR_NO_LEADER);
    assert_true(turn_until(&cluster, is_passed_on, &listing));
    uint32_t leader = (uint32_t)asking->request.asked - 1;
    stop_node(&cluster, leader); /* before it has seen it */
    assert_true(turn_until(&cluster, is_answered, asking));
    assert_int_equal(asking->e, ERR_NO_LEADER);
    start_node(&cluster, leader);
    assert_true(turn_until(&cluster, is_passed_on, &listing));
    stop_node(&cluster, listing.asked);
    assert_int_equal(asking->answers, 1);
    assert_int_equal(asking->e, ERR_DRAINING);
    cluster_deinit(&cluster);
}

static void a_node_alone_takes_in_its_first_peer(void **state)
{
    (void)state;
    struct cluster cluster;
    struct asking asking;
    cluster_init(&cluster, 1);
    put_at_least_once(&cluster, 0, "a", "1");
    learn_cluster_id(&cluster);
    struct admin_spec spec = add_of(&cluster, 1);
    assert_int_equal(ask(&cluster, 0, &asking, &spec), ERR_CONFLICT);
    stop_node(&cluster, 0);
    char address[ADDRESS_SIZE_MAX + 1];
    free_address(address);
    struct node_options options = options_of(&cluster, 0);
    options.peer_default = address;
    open_node(&cluster, 0, &options);
    assert_int_equal(ask(&cluster, 0, &asking, &spec), OK);
    assert_int_equal(asking.request.id, 2);
    snprintf(cluster.members[0].peer_address, sizeof(cluster.members[0].peer_address), "%s",
             address);
    cluster.count = 2;
    start_joining(&cluster, 1);
    struct voter second = {&cluster, 1};
    assert_true(turn_until(&cluster, is_voter, &second));
    assert_value(&cluster, 1, "a", "1");
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_node_takes_it_and_the_leader_may_remove_itself),
        cmocka_unit_test(leadership_goes_to_whom_it_is_given),
        cmocka_unit_test(leadership_is_not_offered_to_who_is_away),
        cmocka_unit_test(one_member_takes_the_place_of_another),
        cmocka_unit_test(a_new_leader_refuses_nothing_for_want_of_who_may_be_there),
        cmocka_unit_test(a_member_in_repair_is_not_counted_on),
        cmocka_unit_test(nothing_is_passed_on_to_a_leader_that_is_not_heard),
        cmocka_unit_test(without_a_leader_it_waits_and_is_then_refused),
        cmocka_unit_test(the_list_has_the_leaders_figures_on_every_node),
        cmocka_unit_test(without_a_leader_the_list_is_refused_at_once),
        cmocka_unit_test(the_list_is_refused_if_the_leader_does_not_answer),
        cmocka_unit_test(a_node_alone_takes_in_its_first_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
