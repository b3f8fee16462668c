#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "node/writes.h"

/* A write that counts its answers: N2 says one each. */
struct probe {
    struct node_write write;
    struct command_result result;
    int answers;
};

static void on_done(struct node_write *write, const struct command_result *result)
{
    struct probe *probe = CONTAINER_OF(write, struct probe, write);
    probe->result = *result;
    probe->answers++;
}

static void probe_add(struct writes *writes, struct probe *probe, uint64_t deadline_ms)
{
    *probe = (struct probe){.answers = 0};
    probe->write.command = buf_copy(SLICE_LITERAL("command"));
    probe->write.deadline_ms = deadline_ms;
    probe->write.done = on_done;
    writes_add(writes, &probe->write, 1);
}

static void propose(struct writes *writes, uint64_t term, uint64_t index)
{
    struct node_write *write = writes_next(writes);
    assert_non_null(write);
    writes_proposed(writes, write, (struct raft_pos){.term = term, .index = index});
}

static void a_write_is_answered_when_its_entry_is_applied(void **state)
{
    (void)state;
    struct writes writes;
    struct probe probe;
    struct command_result result = {.e = OK, .revision = 7};
    writes_init(&writes, 1);
    probe_add(&writes, &probe, 100);
    propose(&writes, 2, 10);
    writes_applied(&writes, (struct raft_pos){.term = 2, .index = 9}, NULL);
    assert_int_equal(probe.answers, 0);
    writes_applied(&writes, (struct raft_pos){.term = 2, .index = 10}, &result);
    assert_int_equal(probe.answers, 1);
    assert_int_equal(probe.result.revision, 7);
    assert_int_equal(writes.count, 0);
    assert_int_equal(writes.bytes, 0);
}

static void a_write_says_what_its_time_went_into(void **state)
{
    (void)state;
    struct writes writes;
    struct probe probes[3];
    struct command_result result = {.e = OK};
    writes_init(&writes, 1);
    for (uint64_t i = 0; i < 3; i++) {
        probe_add(&writes, &probes[i], 100);
        probes[i].write.received_ns = i == 1 ? 0 : 1000000;
        writes_set_clock(&writes, 1500000);
        propose(&writes, 2, 10 + i);
    }
    writes_set_clock(&writes, 3500000);
    writes_synced(&writes, 10); /* and not the others */
    writes_set_clock(&writes, 4500000);
    writes_committed(&writes, 12);
    writes_set_clock(&writes, 4750000);
    for (uint64_t i = 0; i < 3; i++) {
        writes_applied(&writes, (struct raft_pos){.term = 2, .index = 10 + i}, &result);
    }
    const struct write_times *times = &probes[0].write.times;
    assert_int_equal(times->queue_us, 500);
    assert_int_equal(times->fsync_us, 2000);
    assert_int_equal(times->replicate_us, 3000);
    assert_int_equal(times->apply_us, 250);
    assert_int_equal(probes[1].write.times.replicate_us, 0); /* nobody says when it came */
    assert_int_equal(probes[2].write.times.fsync_us, 0);     /* others were a quorum before */
    assert_int_equal(probes[2].write.times.replicate_us, 3000);
    assert_int_equal(writes.queue_us.count, 2);
    assert_int_equal(writes.fsync_us.count, 1);
    assert_int_equal(writes.replicate_us.count, 2);
    assert_int_equal(writes.apply_us.count, 2);
}

static void an_overwritten_write_is_tried_again(void **state)
{
    (void)state;
    struct writes writes;
    struct probe probe;
    struct command_result result = {.e = OK};
    writes_init(&writes, 1);
    probe_add(&writes, &probe, 100);
    propose(&writes, 2, 10);
    writes_orphan(&writes);
    /* Another leader's entry was committed at its place: this one can never happen. */
    writes_applied(&writes, (struct raft_pos){.term = 3, .index = 10}, &result);
    assert_int_equal(probe.answers, 0);
    propose(&writes, 4, 12);
    writes_applied(&writes, (struct raft_pos){.term = 4, .index = 12}, &result);
    assert_int_equal(probe.answers, 1);
    assert_int_equal(probe.result.e, OK);
}

static void orphans_of_several_leaderships_are_settled_in_order(void **state)
{
    (void)state;
    const uint64_t indexes[] = {10, 12, 8, 11};
    struct writes writes;
    struct probe probes[4];
    writes_init(&writes, 1);
    for (int i = 0; i < 4; i++) {
        probe_add(&writes, &probes[i], 100);
        propose(&writes, 2 + (uint64_t)i, indexes[i]);
        writes_orphan(&writes);
    }
    struct command_result result = {.e = OK};
    writes_applied(&writes, (struct raft_pos){.term = 4, .index = 8}, &result);
    assert_int_equal(probes[2].answers, 1);
    writes_applied(&writes, (struct raft_pos){.term = 2, .index = 10}, &result);
    assert_int_equal(probes[0].answers, 1);
    writes_applied(&writes, (struct raft_pos){.term = 9, .index = 11}, &result);
    assert_int_equal(probes[3].answers, 0); /* overwritten: in the queue again */
    assert_ptr_equal(writes_next(&writes), &probes[3].write);
    writes_unproposed(&writes, &probes[3].write);
    assert_int_equal(probes[1].answers, 0);
    writes_close(&writes, ERR_DRAINING);
}

static void forwarded_bytes_are_counted_until_the_answer(void **state)
{
    (void)state;
    struct writes writes;
    struct probe probes[3];
    struct command_result result = {.e = OK};
    writes_init(&writes, 1);
    for (int i = 0; i < 3; i++) {
        probe_add(&writes, &probes[i], 100);
        writes_forwarding(&writes, writes_next(&writes), 2);
    }
    assert_int_equal(writes.forwarded_bytes, 3 * probes[0].write.command->size);
    writes_forward_answer(&writes, 2, probes[1].write.forward_id, &result);
    assert_int_equal(writes.forwarded_bytes, 2 * probes[0].write.command->size);
    result.e = ERR_NOT_LEADER;
    writes_forward_answer(&writes, 2, probes[0].write.forward_id, &result);
    writes_peer_lost(&writes, 2);
    assert_int_equal(writes.forwarded_bytes, 0);
    writes_close(&writes, ERR_DRAINING);
}

static void who_is_no_member_any_more_waits_for_forwarded_ones_only(void **state)
{
    (void)state;
    struct writes writes;
    struct probe probes[5];
    static const err expected[] = {ERR_OUTCOME_UNKNOWN, ERR_OUTCOME_UNKNOWN, OK, ERR_NO_LEADER,
                                   ERR_NO_LEADER};
    writes_init(&writes, 1);
    for (int i = 0; i < 5; i++) {
        probe_add(&writes, &probes[i], 100);
    }
    propose(&writes, 2, 10);
    writes_orphan(&writes);
    propose(&writes, 3, 11);
    writes_forwarding(&writes, writes_next(&writes), 2);
    writes_forwarding(&writes, writes_next(&writes), 2);
    struct command_result result = {.e = ERR_NOT_LEADER};
    writes_forward_answer(&writes, 2, probes[3].write.forward_id, &result); /* deferred */
    writes_part(&writes);
    assert_int_equal(probes[2].answers, 0);
    result.e = OK;
    writes_forward_answer(&writes, 2, probes[2].write.forward_id, &result);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(probes[i].answers, 1);
        assert_int_equal(probes[i].result.e, expected[i]);
    }
    writes_close(&writes, ERR_DRAINING);
}

static void an_orphan_that_was_committed_after_all_is_answered(void **state)
{
    (void)state;
    struct writes writes;
    struct probe old;
    struct probe young;
    struct command_result result = {.e = OK, .revision = 5};
    writes_init(&writes, 1);
    probe_add(&writes, &old, 100);
    propose(&writes, 2, 10);
    writes_orphan(&writes);
    /* Leading again, at a lower index: the list of proposals is of one leadership alone (W3). */
    probe_add(&writes, &young, 100);
    propose(&writes, 4, 8);
    writes_applied(&writes, (struct raft_pos){.term = 4, .index = 8}, &result);
    assert_int_equal(young.answers, 1);
    writes_applied(&writes, (struct raft_pos){.term = 2, .index = 10}, &result);
    assert_int_equal(old.answers, 1);
}

static void what_the_leader_did_not_take_is_tried_at_the_next_tick_or_leader(void **state)
{
    (void)state;
    struct writes writes;
    struct probe probe;
    struct command_result refusal = {.e = ERR_NOT_LEADER};
    writes_init(&writes, 1);
    probe_add(&writes, &probe, 50);
    for (int i = 0; i < 2; i++) {
        struct node_write *write = writes_next(&writes);
        writes_forwarding(&writes, write, 3);
        writes_forward_answer(&writes, 3, write->forward_id, &refusal);
        assert_null(writes_next(&writes)); /* not at once: it would go round and round */
        if (i == 0) {
            writes_tick(&writes, 1, ERR_NO_LEADER);
        } else {
            writes_resume(&writes);
        }
    }
    assert_ptr_equal(writes_next(&writes), &probe.write);
    writes_unproposed(&writes, &probe.write);
    writes_close(&writes, ERR_DRAINING);
    assert_int_equal(probe.answers, 1);
}

static void a_deadline_is_a_refusal_only_while_nothing_was_proposed(void **state)
{
    (void)state;
    struct writes writes;
    struct probe proposed;
    struct probe forwarded;
    struct probe queued;
    struct probe late;
    writes_init(&writes, 1);
    probe_add(&writes, &proposed, 50);
    propose(&writes, 1, 1);
    probe_add(&writes, &forwarded, 50);
    writes_forwarding(&writes, writes_next(&writes), 3);
    probe_add(&writes, &late, 90);
    probe_add(&writes, &queued, 50);
    writes_tick(&writes, 49, ERR_NO_LEADER);
    assert_int_equal(writes.count, 4);
    writes_tick(&writes, 50, ERR_NO_LEADER);
    assert_int_equal(proposed.result.e, ERR_OUTCOME_UNKNOWN);
    assert_int_equal(forwarded.result.e, ERR_OUTCOME_UNKNOWN);
    assert_int_equal(queued.result.e, ERR_NO_LEADER);
    assert_int_equal(late.answers, 0);
    /* What comes later about an answered write finds nobody. */
    struct command_result result = {.e = OK};
    writes_applied(&writes, (struct raft_pos){.term = 1, .index = 1}, &result);
    writes_forward_answer(&writes, 3, forwarded.write.forward_id, &result);
    assert_int_equal(proposed.answers, 1);
    assert_int_equal(forwarded.answers, 1);
    writes_close(&writes, ERR_DRAINING);
    assert_int_equal(late.result.e, ERR_DRAINING);
}

static void a_forwarded_write_is_tried_again_only_if_it_cannot_have_happened(void **state)
{
    (void)state;
    struct writes writes;
    struct probe probe;
    writes_init(&writes, 41);
    probe_add(&writes, &probe, 100);
    writes_forwarding(&writes, writes_next(&writes), 2);
    assert_int_equal(probe.write.forward_id, 41);
    struct command_result refusal = {.e = ERR_NOT_LEADER};
    writes_forward_answer(&writes, 9, 41, &refusal); /* not whom it was sent to */
    assert_null(writes_next(&writes));
    writes_forward_answer(&writes, 2, 41, &refusal);
    assert_null(writes_next(&writes)); /* not before the next tick: no busy loop */
    writes_tick(&writes, 1, ERR_NO_LEADER);
    writes_forwarding(&writes, writes_next(&writes), 3);
    assert_int_equal(probe.write.forward_id, 42);
    writes_peer_lost(&writes, 2);
    assert_int_equal(probe.answers, 0);
    writes_peer_lost(&writes, 3);
    assert_int_equal(probe.answers, 1);
    assert_int_equal(probe.result.e, ERR_OUTCOME_UNKNOWN);
}

static void a_write_that_was_not_taken_keeps_its_place(void **state)
{
    (void)state;
    struct writes writes;
    struct probe first;
    struct probe second;
    writes_init(&writes, 1);
    probe_add(&writes, &first, 100);
    probe_add(&writes, &second, 100);
    struct node_write *write = writes_next(&writes);
    writes_unproposed(&writes, write);
    assert_ptr_equal(writes_next(&writes), &first.write);
    writes_forwarding(&writes, &first.write, 2);
    writes_unforwarded(&writes, &first.write);
    assert_ptr_equal(writes_next(&writes), &first.write);
    writes_unproposed(&writes, &first.write);
    writes_close(&writes, ERR_DRAINING);
    assert_int_equal(first.answers, 1);
    assert_int_equal(second.answers, 1);
}

static void closing_says_unknown_of_what_was_proposed(void **state)
{
    (void)state;
    struct writes writes;
    struct probe proposed;
    struct probe queued;
    writes_init(&writes, 1);
    probe_add(&writes, &proposed, 100);
    propose(&writes, 1, 1);
    probe_add(&writes, &queued, 100);
    writes_close(&writes, ERR_DRAINING);
    assert_int_equal(proposed.result.e, ERR_OUTCOME_UNKNOWN);
    assert_int_equal(queued.result.e, ERR_DRAINING);
}

static void answers_to_forwarded_writes_may_come_in_any_order(void **state)
{
    (void)state;
    enum {
        COUNT = 3 * WRITES_FORWARD_BUCKETS
    };
    static struct probe probes[COUNT];
    struct writes writes;
    writes_init(&writes, UINT64_MAX - 5);
    for (int i = 0; i < COUNT; i++) {
        probe_add(&writes, &probes[i], 100);
        writes_forwarding(&writes, writes_next(&writes), 2);
    }
    for (int i = COUNT - 1; i >= 0; i--) {
        struct command_result result = {.e = OK, .revision = (uint64_t)i};
        writes_forward_answer(&writes, 3, probes[i].write.forward_id, &result); /* who is that? */
        assert_int_equal(probes[i].answers, 0);
        writes_forward_answer(&writes, 2, probes[i].write.forward_id, &result);
        assert_int_equal(probes[i].answers, 1);
        assert_int_equal(probes[i].result.revision, i);
    }
    assert_int_equal(writes.count, 0);
}

/* Else a few frames that were not sent would have used up the room for all others. */
static void a_write_whose_frame_was_not_sent_takes_no_room(void **state)
{
    (void)state;
    struct writes writes;
    struct probe probe;
    struct command_result result = {.e = OK};
    writes_init(&writes, 1);
    probe_add(&writes, &probe, 100);
    writes_forwarding(&writes, writes_next(&writes), 2);
    uint64_t forward_id = probe.write.forward_id;
    writes_unforwarded(&writes, &probe.write);
    assert_int_equal(writes.forwarded_bytes, 0);
    writes_forward_answer(&writes, 2, forward_id, &result);
    assert_int_equal(probe.answers, 0);
    assert_ptr_equal(writes_next(&writes), &probe.write);
    writes_unproposed(&writes, &probe.write);
    writes_close(&writes, ERR_DRAINING);
}

static void what_has_waited_for_room_too_long_is_refused_for_sure(void **state)
{
    (void)state;
    struct writes writes;
    struct probe probes[4];
    writes_init(&writes, 1);
    for (int i = 0; i < 4; i++) {
        probe_add(&writes, &probes[i], 1000);
        probes[i].write.queued_ms = 10 * (uint64_t)i;
    }
    propose(&writes, 2, 10);
    writes_shed(&writes, 20);
    assert_int_equal(probes[0].answers, 0); /* W2 */
    assert_int_equal(probes[1].answers, 1);
    assert_int_equal(probes[1].result.e, ERR_OVERLOADED);
    assert_int_equal(probes[2].answers, 0);
    assert_int_equal(writes.overloaded.value, 1);
    writes_tick(&writes, 1000, ERR_OVERLOADED);
    assert_int_equal(probes[0].result.e, ERR_OUTCOME_UNKNOWN);
    assert_int_equal(probes[2].result.e, ERR_OVERLOADED);
    assert_int_equal(writes.overloaded.value, 3);
    assert_int_equal(writes.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_is_answered_when_its_entry_is_applied),
        cmocka_unit_test(a_write_says_what_its_time_went_into),
        cmocka_unit_test(an_overwritten_write_is_tried_again),
        cmocka_unit_test(orphans_of_several_leaderships_are_settled_in_order),
        cmocka_unit_test(forwarded_bytes_are_counted_until_the_answer),
        cmocka_unit_test(who_is_no_member_any_more_waits_for_forwarded_ones_only),
        cmocka_unit_test(an_orphan_that_was_committed_after_all_is_answered),
        cmocka_unit_test(what_the_leader_did_not_take_is_tried_at_the_next_tick_or_leader),
        cmocka_unit_test(a_deadline_is_a_refusal_only_while_nothing_was_proposed),
        cmocka_unit_test(a_forwarded_write_is_tried_again_only_if_it_cannot_have_happened),
        cmocka_unit_test(a_write_that_was_not_taken_keeps_its_place),
        cmocka_unit_test(closing_says_unknown_of_what_was_proposed),
        cmocka_unit_test(answers_to_forwarded_writes_may_come_in_any_order),
        cmocka_unit_test(a_write_whose_frame_was_not_sent_takes_no_room),
        cmocka_unit_test(what_has_waited_for_room_too_long_is_refused_for_sure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
