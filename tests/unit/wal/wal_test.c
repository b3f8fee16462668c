#include "wal/wal.h"
#include "wal_testing.h"

#define SEGMENT_SIZE 8192u

static int setup(void **state)
{
    struct fixture *fixture = mem_alloc(sizeof(*fixture));
    fixture_init(fixture, SEGMENT_SIZE);
    fixture_open(fixture);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_deinit(*state);
    mem_free(*state);
    return 0;
}

static void a_new_log_knows_no_region(void **state)
{
    struct fixture *fixture = *state;
    expect_bounds(fixture, 1, 0, 0);
    assert_int_equal(wal_hard_state(fixture->wal, 1).term, 0);
    struct entry entry;
    uint32_t count;
    assert_int_equal(wal_read(fixture->wal, &(struct wal_range){1, 1, 2, 0}, &entry, 1, &count),
                     ERR_UNAVAILABLE);
    uint64_t term = 9;
    assert_int_equal(wal_term(fixture->wal, 1, 0, &term), OK);
    assert_int_equal(term, 0);
    assert_int_equal(wal_term(fixture->wal, 1, 1, &term), ERR_UNAVAILABLE);
}

static void what_is_appended_can_be_read_before_it_is_durable(void **state)
{
    struct fixture *fixture = *state;
    uint64_t ticket = append(fixture, 1, (struct raft_pos){1, 1}, 3, 100);
    expect_bounds(fixture, 1, 0, 3);
    expect_entries(fixture, 1, (struct raft_pos){1, 1}, 3, 100);
    assert_true(fixture->persisted < ticket);
}

static void entries_and_hard_state_survive_a_restart(void **state)
{
    struct fixture *fixture = *state;
    append_wait(fixture, 1, (struct raft_pos){1, 1}, 5, 100);
    append_wait(fixture, 1, (struct raft_pos){2, 6}, 1, 0);
    vote_wait(fixture, 1, 2, 3);
    fixture_reopen(fixture);
    expect_bounds(fixture, 1, 0, 6);
    expect_entries(fixture, 1, (struct raft_pos){1, 1}, 5, 100);
    expect_entry(fixture, 1, (struct raft_pos){2, 6}, 0);
    struct hard_state hard_state = wal_hard_state(fixture->wal, 1);
    assert_int_equal(hard_state.term, 2);
    assert_int_equal(hard_state.vote, 3);
    assert_int_equal(hard_state.commit, 4);
}

static void close_makes_durable_what_was_never_flushed(void **state)
{
    struct fixture *fixture = *state;
    (void)append(fixture, 1, (struct raft_pos){1, 1}, 5, 100);
    wal_flush(fixture->wal);
    uint64_t last = append(fixture, 1, (struct raft_pos){1, 6}, 5, 100);
    wal_close(fixture->wal);
    fixture->wal = NULL;
    assert_int_equal(fixture->persisted, last);
    fixture_open(fixture);
    expect_bounds(fixture, 1, 0, 10);
    expect_entries(fixture, 1, (struct raft_pos){1, 1}, 10, 100);
}

static void it_tells_which_batch_is_with_the_disk(void **state)
{
    struct fixture *fixture = *state;
    uint64_t ticket = append(fixture, 1, (struct raft_pos){1, 1}, 1, 10);
    assert_int_equal(wal_writing(fixture->wal), 0); /* not handed to it yet */
    wal_flush(fixture->wal);
    uint64_t first = wal_writing(fixture->wal);
    assert_true(first > 0);
    fixture_wait(fixture, ticket);
    assert_int_equal(wal_writing(fixture->wal), 0);
    ticket = append(fixture, 1, (struct raft_pos){1, 2}, 1, 10);
    wal_flush(fixture->wal);
    assert_int_equal(wal_writing(fixture->wal), first + 1);
    fixture_wait(fixture, ticket);
}

static void while_one_batch_syncs_the_next_one_gathers(void **state)
{
    struct fixture *fixture = *state;
    uint64_t syncs = wal_stats(fixture->wal)->syncs;
    (void)append(fixture, 1, (struct raft_pos){1, 1}, 1, 10);
    wal_flush(fixture->wal);
    uint64_t ticket = 0;
    for (uint64_t i = 2; i <= 40; i++) {
        ticket = append(fixture, 1, (struct raft_pos){1, i}, 1, 10);
        wal_flush(fixture->wal);
    }
    fixture_wait(fixture, ticket);
    assert_int_equal(wal_stats(fixture->wal)->syncs - syncs, 2);
    assert_int_equal(wal_stats(fixture->wal)->durable_ticket, ticket);
}

/* What a replica does when it hears of durability: it appends again at once. */
static void append_again(void *ctx, uint64_t ticket)
{
    struct fixture *fixture = ctx;
    fixture->persisted = ticket;
    if (ticket < 50) {
        (void)append(fixture, 1, (struct raft_pos){1, ticket + 1}, 1, 200);
        wal_flush(fixture->wal);
    }
}

static void a_report_may_append_and_flush(void **state)
{
    struct fixture *fixture = *state;
    fixture_close(fixture);
    fixture->options.persisted = append_again;
    fixture_open(fixture);
    fixture_wait(fixture, append(fixture, 1, (struct raft_pos){1, 1}, 1, 200));
    AWAIT(fixture, fixture->persisted == 20);
    fixture_close(fixture); /* reports, and so appends, while it closes */
    assert_int_equal(fixture->persisted, 50);
    fixture_open(fixture);
    expect_bounds(fixture, 1, 0, 50);
    expect_entries(fixture, 1, (struct raft_pos){1, 1}, 50, 200);
}

static void an_append_below_the_end_replaces_what_was_there(void **state)
{
    struct fixture *fixture = *state;
    append_wait(fixture, 1, (struct raft_pos){1, 1}, 9, 50);
    append_wait(fixture, 1, (struct raft_pos){2, 4}, 2, 60);
    for (int restart = 0; restart < 2; restart++) {
        expect_bounds(fixture, 1, 0, 5);
        expect_entries(fixture, 1, (struct raft_pos){1, 1}, 3, 50);
        expect_entries(fixture, 1, (struct raft_pos){2, 4}, 2, 60);
        fixture_reopen(fixture);
    }
}

static void several_replacements_may_be_in_one_batch(void **state)
{
    struct fixture *fixture = *state;
    (void)append(fixture, 1, (struct raft_pos){1, 1}, 9, 50);
    (void)append(fixture, 1, (struct raft_pos){2, 4}, 4, 60);
    fixture_wait(fixture, append(fixture, 1, (struct raft_pos){3, 5}, 1, 70));
    for (int restart = 0; restart < 2; restart++) {
        expect_bounds(fixture, 1, 0, 5);
        expect_entries(fixture, 1, (struct raft_pos){1, 1}, 3, 50);
        expect_entry(fixture, 1, (struct raft_pos){2, 4}, 60);
        expect_entry(fixture, 1, (struct raft_pos){3, 5}, 70);
        fixture_reopen(fixture);
    }
    assert_int_equal(wal_stats(fixture->wal)->live_bytes, 3 * WAL_ENTRY_RECORD_SIZE(50) +
                                                              WAL_ENTRY_RECORD_SIZE(60) +
                                                              WAL_ENTRY_RECORD_SIZE(70));
}

struct region_list {
    region_id ids[8];
    size_t count;
};

static void on_region(void *ctx, region_id region)
{
    struct region_list *list = ctx;
    list->ids[list->count] = region;
    list->count++;
}

static void regions_share_the_log_and_do_not_mix(void **state)
{
    struct fixture *fixture = *state;
    (void)append(fixture, 7, (struct raft_pos){1, 1}, 3, 40);
    (void)append(fixture, 2, (struct raft_pos){5, 1}, 4, 30);
    append_wait(fixture, 7, (struct raft_pos){1, 4}, 1, 40);
    vote_wait(fixture, 9, 4, 1);
    for (int restart = 0; restart < 2; restart++) {
        struct region_list list = {.count = 0};
        wal_regions(fixture->wal, on_region, &list);
        assert_int_equal(list.count, 3);
        assert_int_equal(list.ids[0], 2);
        assert_int_equal(list.ids[1], 7);
        assert_int_equal(list.ids[2], 9);
        expect_bounds(fixture, 7, 0, 4);
        expect_bounds(fixture, 2, 0, 4);
        expect_bounds(fixture, 9, 0, 0);
        expect_entries(fixture, 7, (struct raft_pos){1, 1}, 4, 40);
        expect_entries(fixture, 2, (struct raft_pos){5, 1}, 4, 30);
        assert_int_equal(wal_hard_state(fixture->wal, 9).term, 4);
        assert_int_equal(wal_hard_state(fixture->wal, 7).term, 0);
        fixture_reopen(fixture);
    }
}

static void the_log_goes_on_over_many_segments(void **state)
{
    struct fixture *fixture = *state;
    vote_wait(fixture, 1, 6, 2);
    for (uint64_t i = 1; i <= 100; i++) {
        append_wait(fixture, 1, (struct raft_pos){6, i}, 1, 300);
    }
    assert_true(wal_stats(fixture->wal)->segments >= 6);
    fixture_reopen(fixture);
    expect_bounds(fixture, 1, 0, 100);
    expect_entries(fixture, 1, (struct raft_pos){6, 1}, 100, 300);
    append_wait(fixture, 1, (struct raft_pos){6, 101}, 1, 300);
    fixture_reopen(fixture);
    expect_entries(fixture, 1, (struct raft_pos){6, 1}, 101, 300);
}

static void a_batch_larger_than_a_segment_gets_a_larger_one(void **state)
{
    struct fixture *fixture = *state;
    append_wait(fixture, 1, (struct raft_pos){1, 1}, 2, 100);
    append_wait(fixture, 1, (struct raft_pos){1, 3}, 2, 5 * SEGMENT_SIZE);
    append_wait(fixture, 1, (struct raft_pos){1, 5}, 2, 100);
    fixture_reopen(fixture);
    expect_entries(fixture, 1, (struct raft_pos){1, 1}, 2, 100);
    expect_entries(fixture, 1, (struct raft_pos){1, 3}, 2, 5 * SEGMENT_SIZE);
    expect_entries(fixture, 1, (struct raft_pos){1, 5}, 2, 100);
}

static void compacted_entries_are_gone_and_the_mark_stays(void **state)
{
    struct fixture *fixture = *state;
    append_wait(fixture, 1, (struct raft_pos){3, 1}, 10, 100);
    wal_compact(fixture->wal, 1, (struct raft_pos){3, 6});
    for (int restart = 0; restart < 2; restart++) {
        expect_bounds(fixture, 1, 6, 10);
        uint64_t term;
        assert_int_equal(wal_term(fixture->wal, 1, 5, &term), ERR_COMPACTED);
        assert_int_equal(wal_term(fixture->wal, 1, 6, &term), OK);
        assert_int_equal(term, 3);
        struct entry entry;
        uint32_t count;
        assert_int_equal(wal_read(fixture->wal, &(struct wal_range){1, 6, 8, 0}, &entry, 1, &count),
                         ERR_COMPACTED);
        expect_entries(fixture, 1, (struct raft_pos){3, 7}, 4, 100);
        fixture_reopen(fixture);
    }
}

static void compacting_past_the_end_lets_the_log_go_on_after_it(void **state)
{
    struct fixture *fixture = *state;
    append_wait(fixture, 1, (struct raft_pos){3, 1}, 10, 100);
    wal_compact(fixture->wal, 1, (struct raft_pos){5, 50});
    expect_bounds(fixture, 1, 50, 50);
    append_wait(fixture, 1, (struct raft_pos){5, 51}, 2, 100);
    fixture_reopen(fixture);
    expect_bounds(fixture, 1, 50, 52);
    expect_entries(fixture, 1, (struct raft_pos){5, 51}, 2, 100);
}

static void a_snapshot_of_another_history_drops_what_follows_it(void **state)
{
    struct fixture *fixture = *state;
    append_wait(fixture, 1, (struct raft_pos){3, 1}, 10, 100);
    wal_compact(fixture->wal, 1, (struct raft_pos){4, 6}); /* ours has term 3 there */
    expect_bounds(fixture, 1, 6, 6);
    fixture_reopen(fixture);
    expect_bounds(fixture, 1, 6, 6);
    uint64_t term;
    assert_int_equal(wal_term(fixture->wal, 1, 6, &term), OK);
    assert_int_equal(term, 4);
}

static void a_log_of_another_node_or_cluster_is_refused(void **state)
{
    struct fixture *fixture = *state;
    fixture_close(fixture);
    fixture->options.node = NODE + 1;
    assert_int_equal(fixture_try_open(fixture), ERR_IDENTITY);
    assert_non_null(strstr(fixture->note.text, "belongs to node 3"));
    fixture->options.node = NODE;
    fixture->options.cluster_id = CLUSTER + 1;
    assert_int_equal(fixture_try_open(fixture), ERR_IDENTITY);
    fixture->options.cluster_id = CLUSTER;
    fixture_open(fixture);
}

static void a_log_may_be_started_later_and_again(void **state)
{
    struct fixture *fixture = *state;
    append_wait(fixture, 1, (struct raft_pos){1, 1}, 5, 100);
    fixture_close(fixture);
    fixture->wal = wal_new(&fixture->options);
    expect_bounds(fixture, 1, 0, 0);
    wal_flush(fixture->wal);
    wal_close(fixture->wal); /* it was not started */
    fixture->options.node = NODE + 1;
    fixture->wal = wal_new(&fixture->options);
    fixture->options.node = NODE;
    assert_int_equal(wal_start(fixture->wal, &fixture->note), ERR_IDENTITY);
    assert_int_equal(wal_start(fixture->wal, &fixture->note), ERR_IDENTITY);
    wal_close(fixture->wal);
    fixture->wal = wal_new(&fixture->options);
    const struct wal_stats *stats = wal_stats(fixture->wal);
    assert_int_equal(wal_start(fixture->wal, &fixture->note), OK);
    expect_bounds(fixture, 1, 0, 5);
    fixture->persisted = 0;
    append_wait(fixture, 1, (struct raft_pos){1, 6}, 1, 100);
    assert_ptr_equal(wal_stats(fixture->wal), stats);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_log_knows_no_region, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_appended_can_be_read_before_it_is_durable, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(entries_and_hard_state_survive_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(close_makes_durable_what_was_never_flushed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(it_tells_which_batch_is_with_the_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(while_one_batch_syncs_the_next_one_gathers, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_report_may_append_and_flush, setup, teardown),
        cmocka_unit_test_setup_teardown(an_append_below_the_end_replaces_what_was_there, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(several_replacements_may_be_in_one_batch, setup, teardown),
        cmocka_unit_test_setup_teardown(regions_share_the_log_and_do_not_mix, setup, teardown),
        cmocka_unit_test_setup_teardown(the_log_goes_on_over_many_segments, setup, teardown),
        cmocka_unit_test_setup_teardown(a_batch_larger_than_a_segment_gets_a_larger_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(compacted_entries_are_gone_and_the_mark_stays, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(compacting_past_the_end_lets_the_log_go_on_after_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_snapshot_of_another_history_drops_what_follows_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_log_may_be_started_later_and_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_log_of_another_node_or_cluster_is_refused, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
