#include "node_testing.h"

/* ---- K1 ---- */

static void two_leaders_of_one_term(struct sim *sim)
{
    leads(sim, 1, 4);
    leads(sim, 2, 4);
}

static void two_leaders_of_one_term_are_found(void **state)
{
    (void)state;
    assert_fails(three_nodes(), two_leaders_of_one_term,
                 "election safety: nodes 1 and 2 both lead term 4");
}

static void one_leader_a_term_passes_also_in_another_life(void **state)
{
    (void)state;
    struct sim *sim = three_nodes();
    leads(sim, 1, 4);
    leads(sim, 1, 4);
    leads(sim, 2, 5);
    leads(sim, 1, 6);
    new_life(sim, 1);
    leads(sim, 1, 7);
    assert_int_equal(sim->counts[SIM_ELECTION], 4);
    assert_ptr_equal(checker_leader(sim->checker), sim->hosts[1]);
}

static void is_elected_again(struct sim *sim)
{
    leads(sim, 1, 4);
    follows(sim, 1, 4);
    leads(sim, 1, 4);
}

static void is_elected_again_in_another_life(struct sim *sim)
{
    leads(sim, 1, 4);
    new_life(sim, 1);
    leads(sim, 1, 4);
}

static void a_term_won_twice_is_found_also_in_another_life(void **state)
{
    (void)state;
    assert_fails(three_nodes(), is_elected_again,
                 "election safety: node 1 is elected twice in term 4");
    assert_fails(three_nodes(), is_elected_again_in_another_life,
                 "election safety: node 1 is elected twice in term 4");
}

/* ---- K2 ---- */

static void two_votes_in_two_lives(struct sim *sim)
{
    checker_voted(sim->checker, sim->hosts[2], 9, 1);
    new_life(sim, 2);
    checker_voted(sim->checker, sim->hosts[2], 9, 3);
}

static void a_second_vote_is_found_also_in_another_life(void **state)
{
    (void)state;
    assert_fails(three_nodes(), two_votes_in_two_lives,
                 "one vote a term: node 2 votes for 3 in term 9 after it voted for 1");
}

static void a_vote_said_again_and_one_of_each_term_pass(void **state)
{
    (void)state;
    struct sim *sim = three_nodes();
    checker_voted(sim->checker, sim->hosts[2], 9, 1);
    checker_voted(sim->checker, sim->hosts[2], 9, 1);
    checker_voted(sim->checker, sim->hosts[3], 9, 3);
    checker_voted(sim->checker, sim->hosts[2], 10, 3);
    checker_voted(sim->checker, sim->hosts[2], 300, 2);
}

/* ---- K3 ---- */

static struct buf *text_buf(const char *text)
{
    return buf_copy(slice_from_text(text));
}

static void logs(struct sim *sim, uint32_t number, struct raft_pos pos, const char *text)
{
    struct entry entry = {.pos = pos, .data = text_buf(text)};
    struct wal_append append = {.region = REGION_FIRST, .entries = &entry, .entry_count = 1};
    checker_logged(sim->checker, sim->hosts[number], &append);
    buf_unref(entry.data);
}

static void two_entries_at_one_place(struct sim *sim)
{
    logs(sim, 1, (struct raft_pos){2, 4}, "one");
    logs(sim, 2, (struct raft_pos){2, 4}, "other");
}

static void two_entries_at_one_place_are_found(void **state)
{
    (void)state;
    assert_fails(three_nodes(), two_entries_at_one_place,
                 "log matching: node 2 logs another entry at index 4, term 2");
}

static void two_terms_before_one_entry(struct sim *sim)
{
    logs(sim, 1, (struct raft_pos){5, 4}, "one");
    node_of(sim, 2)->terms[3] = 2;
    logs(sim, 2, (struct raft_pos){5, 4}, "one");
}

static void two_terms_before_one_entry_are_found(void **state)
{
    (void)state;
    assert_fails(three_nodes(), two_terms_before_one_entry,
                 "log matching: node 2 has term 2 before entry 4 of term 5, another has 1");
}

static void two_terms_within_an_append(struct sim *sim)
{
    struct entry entries[2] = {{.pos = {2, 4}}, {.pos = {3, 5}}};
    struct wal_append append = {.region = REGION_FIRST, .entries = entries, .entry_count = 2};
    checker_logged(sim->checker, sim->hosts[1], &append);
    entries[0].pos.term = 3;
    checker_logged(sim->checker, sim->hosts[2], &append);
}

static void two_terms_within_an_append_are_found(void **state)
{
    (void)state;
    assert_fails(three_nodes(), two_terms_within_an_append,
                 "log matching: node 2 has term 3 before entry 5 of term 3, another has 2");
}

static void the_same_entry_everywhere_and_another_of_another_term_pass(void **state)
{
    (void)state;
    struct sim *sim = three_nodes();
    logs(sim, 1, (struct raft_pos){2, 4}, "one");
    logs(sim, 2, (struct raft_pos){2, 4}, "one");
    logs(sim, 2, (struct raft_pos){3, 4}, "other");
    logs(sim, 1, (struct raft_pos){3, 4}, "other");
}

/* ---- K4 ---- */

static void two_committed_entries_of_an_index(struct sim *sim)
{
    commits(sim, 1, 3);
    node_of(sim, 2)->terms[3] = 2;
    follows(sim, 2, 2);
    commits(sim, 2, 3);
}

static void two_committed_entries_of_an_index_are_found(void **state)
{
    (void)state;
    assert_fails(three_nodes(), two_committed_entries_of_an_index,
                 "state-machine safety: node 2 has committed an entry of term 2 at index 3, where "
                 "one of term 1 was committed");
}

static void a_commit_that_goes_back(struct sim *sim)
{
    commits(sim, 1, 3);
    commits(sim, 1, 2);
}

static void a_term_that_goes_back(struct sim *sim)
{
    follows(sim, 1, 3);
    follows(sim, 1, 2);
}

static void a_commit_or_a_term_that_goes_back_is_found(void **state)
{
    (void)state;
    assert_fails(three_nodes(), a_commit_that_goes_back,
                 "node 1 goes back: term 1 to 1, commit 3 to 2");
    assert_fails(three_nodes(), a_term_that_goes_back,
                 "node 1 goes back: term 3 to 2, commit 0 to 0");
}

static void a_new_life_may_know_of_fewer_commits(void **state)
{
    (void)state;
    struct sim *sim = three_nodes();
    commits(sim, 1, 3);
    new_life(sim, 1);
    commits(sim, 1, 1);
    commits(sim, 1, 3);
    assert_int_equal(checker_committed(sim->checker), 3);
}

/* ---- K5 ---- */

static void a_leader_without_a_committed_entry(struct sim *sim)
{
    commits(sim, 1, 3);
    node_of(sim, 2)->terms[3] = 0;
    raft_unstable_init(&node_of(sim, 2)->raft.log.unstable, 2);
    leads(sim, 2, 5);
}

static void a_leader_with_another_entry(struct sim *sim)
{
    commits(sim, 1, 3);
    node_of(sim, 2)->terms[3] = 2;
    leads(sim, 2, 5);
}

static void a_leader_without_a_committed_entry_is_found(void **state)
{
    (void)state;
    assert_fails(three_nodes(), a_leader_without_a_committed_entry,
                 "leader completeness: node 2 leads term 5 without the committed entry 3 (its "
                 "term there: 0)");
    assert_fails(three_nodes(), a_leader_with_another_entry,
                 "leader completeness: node 2 leads term 5 without the committed entry 3 (its "
                 "term there: 2)");
}

static void who_is_elected_late_need_not_have_what_was_committed_since(void **state)
{
    (void)state;
    struct sim *sim = three_nodes();
    commits(sim, 1, 2);
    leads(sim, 1, 6);
    node_of(sim, 1)->terms[4] = 6;
    raft_unstable_init(&node_of(sim, 1)->raft.log.unstable, 4);
    commits(sim, 1, 4);
    /* The votes of term 5 arrive at last; they were given before term 6 began. */
    node_of(sim, 2)->terms[4] = 5;
    raft_unstable_init(&node_of(sim, 2)->raft.log.unstable, 4);
    leads(sim, 2, 5);
    assert_int_equal(sim->counts[SIM_ELECTION], 2);
}

static void late_and_without_what_was_committed_before(struct sim *sim)
{
    commits(sim, 1, 3);
    leads(sim, 1, 6);
    node_of(sim, 1)->terms[4] = 6;
    raft_unstable_init(&node_of(sim, 1)->raft.log.unstable, 4);
    commits(sim, 1, 4);
    node_of(sim, 2)->terms[3] = 2;
    leads(sim, 2, 5);
}

static void who_is_elected_late_needs_what_was_committed_before(void **state)
{
    (void)state;
    assert_fails(three_nodes(), late_and_without_what_was_committed_before,
                 "leader completeness: node 2 leads term 5 without the committed entry 3");
}

/* ---- K6, K7 ---- */

static void applies_with_another_state(struct sim *sim)
{
    uint64_t request = checker_request(sim->checker);
    applies(sim, 1, 2, request, 77);
    applies(sim, 2, 2, request, 78);
}

static void another_state_at_one_index_is_found(void **state)
{
    (void)state;
    assert_fails(three_nodes(), applies_with_another_state,
                 "determinism: node 2 has another state after applying index 2");
}

static void applies_with_another_region_revision(struct sim *sim)
{
    uint64_t request = checker_request(sim->checker);
    node_of(sim, 2)->region.revision = 1;
    applies(sim, 1, 2, request, 77);
    applies(sim, 2, 2, request, 77);
}

static void applies_with_another_clock(struct sim *sim)
{
    uint64_t request = checker_request(sim->checker);
    node_of(sim, 2)->region.clock_ms = 1;
    applies(sim, 1, 2, request, 77);
    applies(sim, 2, 2, request, 77);
}

static void applies_with_another_membership(struct sim *sim)
{
    uint64_t request = checker_request(sim->checker);
    node_of(sim, 2)->region.membership.members[0].id = 4;
    node_of(sim, 2)->region.membership.member_count = 1;
    applies(sim, 1, 2, request, 77);
    applies(sim, 2, 2, request, 77);
}

static void another_revision_clock_or_membership_at_one_index_is_found(void **state)
{
    (void)state;
    const char *text = "determinism: node 2 has another state after applying index 2";
    assert_fails(three_nodes(), applies_with_another_region_revision, text);
    assert_fails(three_nodes(), applies_with_another_clock, text);
    assert_fails(three_nodes(), applies_with_another_membership, text);
}

/* Node `number` has the state at `index` without having applied what leads there. */
static void installs(struct sim *sim, uint32_t number, uint64_t index, uint64_t clock_ms)
{
    struct store_region *region = &node_of(sim, number)->region;
    region->applied = (struct raft_pos){1, index};
    region->clock_ms = clock_ms;
    checker_after_turn(sim->checker, sim->hosts[number]);
}

/* Node 1 applies entry 2, and has the clock 5 then. */
static void apply_two(struct sim *sim)
{
    struct a_node *node = node_of(sim, 1);
    node->region.applied = (struct raft_pos){1, 2};
    node->region.clock_ms = 5;
    applies(sim, 1, 2, checker_request(sim->checker), 0);
}

static void installs_another_state(struct sim *sim)
{
    apply_two(sim);
    installs(sim, 2, 2, 6);
}

static void installs_what_nobody_applied(struct sim *sim)
{
    commits(sim, 1, 3);
    installs(sim, 2, 3, 0);
}

static void a_state_that_nobody_reached_by_applying_is_found(void **state)
{
    (void)state;
    assert_fails(three_nodes(), installs_another_state,
                 "determinism: node 2 has a state at index 2, term 1 that nobody reached");
    assert_fails(three_nodes(), installs_what_nobody_applied,
                 "determinism: node 2 has a state at index 3, term 1 that nobody reached");
}

static void a_state_that_somebody_reached_by_applying_passes(void **state)
{
    (void)state;
    struct sim *sim = three_nodes();
    apply_two(sim);
    installs(sim, 2, 2, 5);
}

static void applies_with_another_revision(struct sim *sim)
{
    uint64_t request = checker_request(sim->checker);
    struct command_result result = {.revision = 5};
    applies(sim, 1, 2, request, 77);
    checker_applied(sim->checker, sim->hosts[2], (struct raft_pos){1, 2}, put_of(request), &result);
}

static void another_revision_of_one_request_is_found(void **state)
{
    (void)state;
    struct sim *sim = three_nodes();
    node_of(sim, 2)->region.state_hash.low = 77;
    assert_fails(sim, applies_with_another_revision,
                 "determinism: node 2 gives request 1 the revision 5, another gave it 102");
}

static void applies_another_entry(struct sim *sim)
{
    struct command_result result = {.revision = 1};
    applies(sim, 1, 2, checker_request(sim->checker), 77);
    checker_applied(sim->checker, sim->hosts[2], (struct raft_pos){2, 2}, NULL, &result);
}

static void another_entry_applied_at_an_index_is_found(void **state)
{
    (void)state;
    assert_fails(three_nodes(), applies_another_entry, "state-machine safety: node 2");
}

static void applies_twice(struct sim *sim)
{
    uint64_t request = checker_request(sim->checker);
    applies(sim, 1, 2, request, 77);
    applies(sim, 1, 3, request, 78);
}

static void applies_what_nobody_asked(struct sim *sim)
{
    applies(sim, 1, 2, 55, 77);
}

static void applies_what_was_refused(struct sim *sim)
{
    uint64_t request = checker_request(sim->checker);
    checker_refused(sim->checker, request, ERR_NO_LEADER);
    applies(sim, 1, 2, request, 77);
}

static void refuses_what_is_applied(struct sim *sim)
{
    uint64_t request = checker_request(sim->checker);
    applies(sim, 1, 2, request, 77);
    checker_refused(sim->checker, request, ERR_NO_LEADER);
}

static void a_request_applied_twice_or_in_spite_of_its_refusal_is_found(void **state)
{
    (void)state;
    assert_fails(three_nodes(), applies_twice, "request 1 is applied twice: at index 2 and at 3");
    assert_fails(three_nodes(), applies_what_nobody_asked,
                 "an entry carries the request number 55, which nobody was given");
    assert_fails(three_nodes(), applies_what_was_refused,
                 "request 1 was refused (ERR_NO_LEADER, not applied) and is applied at index 2");
    assert_fails(three_nodes(), refuses_what_is_applied,
                 "request 1 is refused (ERR_NO_LEADER, not applied) and was applied at index 2");
}

static void acknowledges_what_is_nowhere(struct sim *sim)
{
    checker_acknowledged(sim->checker, checker_request(sim->checker), 9);
}

static void acknowledges_another_revision(struct sim *sim)
{
    uint64_t request = checker_request(sim->checker);
    applies(sim, 1, 2, request, 77);
    checker_acknowledged(sim->checker, request, 103);
}

static void a_false_acknowledgement_is_found(void **state)
{
    (void)state;
    assert_fails(three_nodes(), acknowledges_what_is_nowhere,
                 "request 1 is acknowledged and applied nowhere");
    assert_fails(three_nodes(), acknowledges_another_revision,
                 "request 1 is acknowledged with revision 103, it was applied with 102");
}

static void what_is_applied_alike_everywhere_and_then_acknowledged_passes(void **state)
{
    (void)state;
    struct sim *sim = three_nodes();
    uint64_t first = checker_request(sim->checker);
    uint64_t second = checker_request(sim->checker);
    uint64_t refused = checker_request(sim->checker);
    checker_refused(sim->checker, refused, ERR_OVERLOADED);
    for (uint32_t i = 1; i <= 3; i++) {
        applies(sim, i, 2, first, 77);
        applies(sim, i, 3, second, 78);
    }
    new_life(sim, 1);
    applies(sim, 1, 3, second, 78);
    checker_acknowledged(sim->checker, first, 102);
    checker_acknowledged(sim->checker, second, 103);
    assert_int_equal(checker_revision_of(sim->checker, first), 102);
    assert_int_equal(checker_revision_of(sim->checker, refused), 0);
    assert_int_equal(checker_revision_of(sim->checker, UINT64_MAX), 0);
    assert_int_equal(checker_committed(sim->checker), 3);
}

static void see_write(void *ctx, const struct checker_write *write)
{
    uint64_t *sum = ctx;
    assert_true(write->request != 0 || slice_equal(write->key, SLICE_LITERAL("k")));
    *sum = *sum * 1000 + write->revision + (write->existed ? 500 : 0);
}

static void writes_are_listed_once_in_the_order_of_the_log(void **state)
{
    (void)state;
    struct sim *sim = three_nodes();
    struct command command = {.type = COMMAND_DELETE, .key = SLICE_LITERAL("k")};
    struct buf *data = command_encode(&command);
    struct command_result found = {.revision = 7, .existed = true};
    struct command_result empty = {.revision = 7};
    for (uint32_t i = 1; i <= 2; i++) {
        checker_applied(sim->checker, sim->hosts[i], (struct raft_pos){1, 2}, data, &found);
        checker_applied(sim->checker, sim->hosts[i], (struct raft_pos){1, 3}, data, &empty);
    }
    uint64_t sum = 0;
    applies(sim, 1, 4, checker_request(sim->checker), 77);
    checker_each_write(sim->checker, see_write, &sum);
    assert_int_equal(sum, 507007104);
    buf_unref(data);
}

/* ---- K8 ---- */

static void lose_last_entry(struct sim *sim, uint32_t number)
{
    node_of(sim, number)->terms[last_index(node_of(sim, number))] = 0;
}

/* Node 2 appends entries 2 and 3, one by one, and acknowledges up to `index`. */
static void acknowledges(struct sim *sim, uint64_t durable_ticket, uint64_t index)
{
    for (uint64_t i = 2; i <= 3; i++) {
        struct entry entry = {.pos = {.term = 1, .index = i}};
        struct wal_append append = {.region = REGION_FIRST, .entries = &entry, .entry_count = 1};
        checker_appended(sim->checker, sim->hosts[2], i, &append);
    }
    node_of(sim, 2)->wal.stats.durable_ticket = durable_ticket;
    checker_promised(sim->checker, sim->hosts[2], 1, index);
}

static void acknowledges_before_the_disk(struct sim *sim)
{
    acknowledges(sim, 2, 3);
}

static void what_is_acknowledged_before_it_is_durable_is_found(void **state)
{
    (void)state;
    assert_fails(three_nodes(), acknowledges_before_the_disk,
                 "durability: node 2 vouches for entry 3, and its log is not durable from entry 3");
    acknowledges(three_nodes(), 2, 2);
    acknowledges(three_nodes(), 3, 3);
}

static void forgets_what_it_acknowledged(struct sim *sim)
{
    checker_promised(sim->checker, sim->hosts[2], 1, 3);
    lose_last_entry(sim, 2);
    new_life(sim, 2);
    follows(sim, 2, 1);
}

static void forgets_what_it_counted_for_itself(struct sim *sim)
{
    node_of(sim, 1)->raft.tracker.members[0].match = 3;
    leads(sim, 1, 1);
    lose_last_entry(sim, 1);
    new_life(sim, 1);
    follows(sim, 1, 1);
}

static void has_another_entry_than_it_acknowledged(struct sim *sim)
{
    checker_promised(sim->checker, sim->hosts[2], 1, 3);
    node_of(sim, 2)->terms[3] = 2;
    new_life(sim, 2);
    follows(sim, 2, 2);
}

static void forgets_its_term(struct sim *sim)
{
    follows(sim, 2, 6);
    checker_promised(sim->checker, sim->hosts[2], 6, 3);
    node_of(sim, 2)->raft.term = 5;
    new_life(sim, 2);
    follows(sim, 2, 5);
}

static void is_replaced_by_what_nobody_committed(struct sim *sim)
{
    checker_promised(sim->checker, sim->hosts[2], 1, 3);
    checker_replaced(sim->checker, sim->hosts[2], (struct raft_pos){.term = 2, .index = 2});
    lose_last_entry(sim, 2);
    new_life(sim, 2);
    follows(sim, 2, 1);
}

static void what_is_forgotten_after_it_was_vouched_for_is_found(void **state)
{
    (void)state;
    assert_fails(three_nodes(), forgets_what_it_acknowledged,
                 "durability: node 2 has acknowledged entry 3 of term 1, and after a restart it "
                 "has not (its log ends at 2");
    assert_fails(three_nodes(), forgets_what_it_counted_for_itself,
                 "durability: node 1 has acknowledged entry 3 of term 1");
    assert_fails(three_nodes(), has_another_entry_than_it_acknowledged,
                 "durability: node 2 has acknowledged entry 3 of term 1, and after a restart it "
                 "has not (its log ends at 3, its term there: 2)");
    assert_fails(three_nodes(), is_replaced_by_what_nobody_committed,
                 "durability: node 2 has acknowledged entry 3 of term 1");
    assert_fails(three_nodes(), forgets_its_term,
                 "durability: node 2 is in term 5 after a restart, it had told others of term 6");
}

static void what_a_later_leader_replaced_need_not_be_kept(void **state)
{
    (void)state;
    struct sim *sim = three_nodes();
    checker_promised(sim->checker, sim->hosts[2], 1, 3);
    logs(sim, 2, (struct raft_pos){2, 3}, "another");
    lose_last_entry(sim, 2);
    new_life(sim, 2); /* before the other one was durable */
    follows(sim, 2, 1);
}

/* Swarm 3707109823. */
static void what_a_snapshot_replaced_need_not_be_kept(void **state)
{
    (void)state;
    struct sim *sim = three_nodes();
    node_of(sim, 1)->terms[2] = node_of(sim, 1)->terms[3] = 2;
    leads(sim, 1, 2);
    commits(sim, 1, 2);
    checker_promised(sim->checker, sim->hosts[2], 1, 3);
    checker_replaced(sim->checker, sim->hosts[2], (struct raft_pos){.term = 2, .index = 2});
    node_of(sim, 2)->terms[2] = 2;
    node_of(sim, 2)->terms[3] = 0;
    new_life(sim, 2);
    follows(sim, 2, 2);
}

static void what_was_not_vouched_for_may_be_lost(void **state)
{
    (void)state;
    struct sim *sim = three_nodes();
    checker_promised(sim->checker, sim->hosts[2], 1, 2);
    lose_last_entry(sim, 2);
    new_life(sim, 2);
    follows(sim, 2, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_leaders_of_one_term_are_found),
        cmocka_unit_test(a_term_won_twice_is_found_also_in_another_life),
        cmocka_unit_test(one_leader_a_term_passes_also_in_another_life),
        cmocka_unit_test(a_second_vote_is_found_also_in_another_life),
        cmocka_unit_test(a_vote_said_again_and_one_of_each_term_pass),
        cmocka_unit_test(two_entries_at_one_place_are_found),
        cmocka_unit_test(two_terms_before_one_entry_are_found),
        cmocka_unit_test(two_terms_within_an_append_are_found),
        cmocka_unit_test(the_same_entry_everywhere_and_another_of_another_term_pass),
        cmocka_unit_test(two_committed_entries_of_an_index_are_found),
        cmocka_unit_test(a_commit_or_a_term_that_goes_back_is_found),
        cmocka_unit_test(a_new_life_may_know_of_fewer_commits),
        cmocka_unit_test(a_leader_without_a_committed_entry_is_found),
        cmocka_unit_test(who_is_elected_late_need_not_have_what_was_committed_since),
        cmocka_unit_test(who_is_elected_late_needs_what_was_committed_before),
        cmocka_unit_test(another_state_at_one_index_is_found),
        cmocka_unit_test(another_revision_clock_or_membership_at_one_index_is_found),
        cmocka_unit_test(a_state_that_nobody_reached_by_applying_is_found),
        cmocka_unit_test(a_state_that_somebody_reached_by_applying_passes),
        cmocka_unit_test(another_revision_of_one_request_is_found),
        cmocka_unit_test(another_entry_applied_at_an_index_is_found),
        cmocka_unit_test(a_request_applied_twice_or_in_spite_of_its_refusal_is_found),
        cmocka_unit_test(a_false_acknowledgement_is_found),
        cmocka_unit_test(what_is_applied_alike_everywhere_and_then_acknowledged_passes),
        cmocka_unit_test(writes_are_listed_once_in_the_order_of_the_log),
        cmocka_unit_test(what_is_acknowledged_before_it_is_durable_is_found),
        cmocka_unit_test(what_is_forgotten_after_it_was_vouched_for_is_found),
        cmocka_unit_test(what_a_later_leader_replaced_need_not_be_kept),
        cmocka_unit_test(what_a_snapshot_replaced_need_not_be_kept),
        cmocka_unit_test(what_was_not_vouched_for_may_be_lost),
    };
    testing_exit(cmocka_run_group_tests(tests, NULL, NULL));
}
