#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "node/mends.h"
#include "node/reads.h"

/* Stands in for the store: reads_serve needs nothing else of it. Every key holds its own name. */
err store_get(struct store *store, struct slice key, struct store_record *out_record)
{
    (void)store;
    if (slice_equal(key, SLICE_LITERAL("missing"))) {
        return ERR_NOT_FOUND;
    }
    *out_record = (struct store_record){.owner = buf_copy(key)};
    out_record->value = buf_slice(out_record->owner);
    return OK;
}

void store_prefetch(const struct store *store, const struct slice *keys, uint32_t count)
{
    (void)store;
    (void)keys;
    assert_in_range(count, 2, STORE_PREFETCH_MAX);
}

/* Nor is there anybody who could mend a record. */
bool mends_wait(struct replica *replica, struct node_read *read)
{
    (void)replica;
    (void)read;
    return false;
}

bool mends_doubt(struct replica *replica, struct node_read *read)
{
    return mends_wait(replica, read);
}

struct probe {
    struct node_read read;
    err e;
    int answers;
};

static void on_done(struct node_read *read, err e, struct store_record *record)
{
    struct probe *probe = CONTAINER_OF(read, struct probe, read);
    probe->e = e;
    probe->answers++;
    if (e == OK) {
        assert_true(slice_equal(record->value, read->key));
        buf_unref(record->owner);
    }
}

static void on_scan_done(struct node_read *read, err e, struct store_record *record)
{
    struct probe *probe = CONTAINER_OF(read, struct probe, read);
    probe->e = e;
    probe->answers++;
    assert_null(record);
}

static void probe_add(struct reads *reads, struct probe *probe, struct slice key)
{
    *probe = (struct probe){.answers = 0};
    probe->read.key = key;
    probe->read.deadline_ms = 100;
    probe->read.done = on_done;
    reads_add(reads, &probe->read);
}

/* In a turn that has room for all of them. */
static void serve(struct reads *reads, uint64_t applied)
{
    struct read_budget budget = {UINT32_MAX, UINT64_MAX};
    assert_true(reads_serve(reads, (struct read_point){applied, 0}, NULL, &budget));
}

static void a_read_is_served_once_its_index_is_applied(void **state)
{
    (void)state;
    struct reads reads;
    struct probe found;
    struct probe missing;
    reads_init(&reads, 9);
    probe_add(&reads, &found, SLICE_LITERAL("key"));
    probe_add(&reads, &missing, SLICE_LITERAL("missing"));
    found.read.received_ns = 1000000;
    assert_int_equal(reads_ask(&reads, 1), 9);
    serve(&reads, 100);
    assert_int_equal(found.answers, 0); /* not confirmed yet */
    reads_confirm(&reads, 9, 50, 1250000);
    assert_int_equal(found.read.index_us, 250);
    assert_int_equal(missing.read.index_us, 0); /* nobody says when it came */
    assert_int_equal(reads.index_us.count, 1);
    serve(&reads, 49);
    assert_int_equal(found.answers, 0);
    serve(&reads, 50);
    assert_int_equal(found.answers, 1);
    assert_int_equal(found.e, OK);
    assert_int_equal(missing.e, ERR_NOT_FOUND);
    assert_int_equal(reads.count, 0);
}

/* It stands among others, whose keys are looked for together. */
static void a_scan_is_told_when_it_may_read_and_given_no_record(void **state)
{
    (void)state;
    struct reads reads;
    struct probe probes[5];
    struct probe scan = {.answers = 0};
    struct read_budget budget = {UINT32_MAX, READS_SCAN_COST};
    reads_init(&reads, 1);
    for (size_t i = 0; i < 2; i++) {
        probe_add(&reads, &probes[i], SLICE_LITERAL("a"));
    }
    scan.read = (struct node_read){.is_scan = true, .deadline_ms = 100, .done = on_scan_done};
    reads_add(&reads, &scan.read);
    for (size_t i = 2; i < ARRAY_COUNT(probes); i++) {
        probe_add(&reads, &probes[i], SLICE_LITERAL("a"));
    }
    reads_confirm(&reads, reads_ask(&reads, 1), 10, 0);
    serve(&reads, 9);
    assert_int_equal(scan.answers, 0);
    assert_false(reads_serve(&reads, (struct read_point){10, 0}, NULL,
                             &budget)); /* it counts as a large record does */
    assert_int_equal(scan.answers, 1);
    assert_int_equal(scan.e, OK);
    assert_int_equal(probes[2].answers, 0);
    serve(&reads, 10);
    assert_int_equal(probes[4].answers, 1);
    assert_int_equal(reads.count, 0);
}

static void a_read_that_came_after_the_question_waits_for_the_next(void **state)
{
    (void)state;
    struct reads reads;
    struct probe early;
    struct probe late;
    reads_init(&reads, 1);
    probe_add(&reads, &early, SLICE_LITERAL("a"));
    uint64_t first = reads_ask(&reads, 1);
    probe_add(&reads, &late, SLICE_LITERAL("b"));
    reads_confirm(&reads, first, 10, 0);
    serve(&reads, 10);
    assert_int_equal(early.answers, 1);
    assert_int_equal(late.answers, 0); /* R1 */
    uint64_t second = reads_ask(&reads, 1);
    assert_int_not_equal(second, first);
    reads_confirm(&reads, second, 10, 0);
    serve(&reads, 10);
    assert_int_equal(late.answers, 1);
}

static void a_lost_question_is_asked_again_and_whichever_answer_comes_will_do(void **state)
{
    (void)state;
    struct reads reads;
    struct probe probe;
    reads_init(&reads, 1);
    probe_add(&reads, &probe, SLICE_LITERAL("a"));
    uint64_t sequence = reads_ask(&reads, 10);
    assert_int_equal(reads_overdue(&reads, 20, 10), 0); /* asked at 10, not before */
    assert_int_equal(reads_overdue(&reads, 21, 11), sequence);
    assert_int_equal(reads_overdue(&reads, 21, 11), 0); /* counts as asked at 21 */
    reads_lost(&reads);
    assert_int_equal(reads_overdue(&reads, 22, 1), sequence);
    reads_confirm(&reads, sequence, 5, 0);
    reads_confirm(&reads, sequence, 6, 0); /* the second answer finds nobody */
    serve(&reads, 5);
    assert_int_equal(probe.answers, 1);
}

static void a_question_that_nobody_waits_for_is_forgotten(void **state)
{
    (void)state;
    struct reads reads;
    struct probe probe;
    reads_init(&reads, 1);
    probe_add(&reads, &probe, SLICE_LITERAL("a"));
    assert_int_not_equal(reads_ask(&reads, 10), 0);
    reads_tick(&reads, 100);
    assert_int_equal(probe.e, ERR_NO_LEADER);
    assert_int_equal(reads_overdue(&reads, 200, 150), 0);
    assert_int_equal(reads.batches[0].sequence, 0);
}

static void no_more_batches_than_the_bound_are_under_way(void **state)
{
    (void)state;
    struct reads reads;
    struct probe probes[READ_BATCHES_MAX + 1];
    reads_init(&reads, 1);
    for (uint32_t i = 0; i < READ_BATCHES_MAX; i++) {
        probe_add(&reads, &probes[i], SLICE_LITERAL("a"));
        assert_int_not_equal(reads_ask(&reads, 1), 0);
        assert_int_equal(reads_asked(&reads), i + 1);
    }
    probe_add(&reads, &probes[READ_BATCHES_MAX], SLICE_LITERAL("a"));
    assert_int_equal(reads_ask(&reads, 1), 0); /* R3 */
    reads_close(&reads, ERR_DRAINING);
    for (uint32_t i = 0; i <= READ_BATCHES_MAX; i++) {
        assert_int_equal(probes[i].answers, 1);
        assert_int_equal(probes[i].e, ERR_DRAINING);
    }
}

static void answers_that_overtake_each_other_are_served_by_index(void **state)
{
    (void)state;
    struct reads reads;
    struct probe high;
    struct probe low;
    reads_init(&reads, 1);
    probe_add(&reads, &low, SLICE_LITERAL("a"));
    uint64_t first = reads_ask(&reads, 1);
    probe_add(&reads, &high, SLICE_LITERAL("b"));
    uint64_t second = reads_ask(&reads, 1);
    reads_confirm(&reads, second, 20, 0);
    reads_confirm(&reads, first, 10, 0);
    serve(&reads, 10);
    assert_int_equal(low.answers, 1);
    assert_int_equal(high.answers, 0);
    serve(&reads, 20);
    assert_int_equal(high.answers, 1);
}

static void a_deadline_ends_a_read_in_whatever_stage(void **state)
{
    (void)state;
    struct reads reads;
    struct probe confirmed;
    struct probe asked;
    struct probe waiting;
    reads_init(&reads, 1);
    probe_add(&reads, &confirmed, SLICE_LITERAL("a"));
    reads_confirm(&reads, reads_ask(&reads, 1), 10, 0);
    probe_add(&reads, &asked, SLICE_LITERAL("b"));
    uint64_t sequence = reads_ask(&reads, 1);
    probe_add(&reads, &waiting, SLICE_LITERAL("c"));
    reads_tick(&reads, 100);
    assert_int_equal(confirmed.e, ERR_OVERLOADED); /* this node did not come so far in time */
    assert_int_equal(asked.e, ERR_NO_LEADER);
    assert_int_equal(waiting.e, ERR_NO_LEADER);
    reads_confirm(&reads, sequence, 1, 0);
    serve(&reads, 10);
    assert_int_equal(asked.answers, 1);
    assert_int_equal(reads.count, 0);
}

static void a_question_that_was_not_taken_goes_back_in_order(void **state)
{
    (void)state;
    struct reads reads;
    struct probe first;
    struct probe second;
    reads_init(&reads, 1);
    probe_add(&reads, &first, SLICE_LITERAL("a"));
    uint64_t sequence = reads_ask(&reads, 1);
    probe_add(&reads, &second, SLICE_LITERAL("b"));
    reads_unasked(&reads, sequence);
    assert_ptr_equal(reads.waiting.next, &first.read.link);
    assert_ptr_equal(reads.waiting.prev, &second.read.link);
    reads_close(&reads, ERR_NO_LEADER);
}

static void a_turn_serves_as_much_as_its_budget_has(void **state)
{
    (void)state;
    struct reads reads;
    struct probe probes[5];
    reads_init(&reads, 1);
    for (int i = 0; i < 5; i++) {
        probe_add(&reads, &probes[i], SLICE_LITERAL("four"));
    }
    reads_confirm(&reads, reads_ask(&reads, 1), 10, 0);
    struct read_budget count = {2, UINT64_MAX};
    assert_false(reads_serve(&reads, (struct read_point){10, 0}, NULL, &count));
    assert_int_equal(reads.count, 3);
    struct read_budget bytes = {UINT32_MAX, 5}; /* one and a half: the second exceeds it */
    assert_false(reads_serve(&reads, (struct read_point){10, 0}, NULL, &bytes));
    assert_int_equal(reads.count, 1);
    assert_int_equal(bytes.bytes, 0);
    serve(&reads, 10);
    assert_int_equal(reads.count, 0);
}

/* In a turn that has room for all of them, of a node at `revision`. */
static void serve_at(struct reads *reads, uint64_t applied, uint64_t revision)
{
    struct read_budget budget = {UINT32_MAX, UINT64_MAX};
    assert_true(reads_serve(reads, (struct read_point){applied, revision}, NULL, &budget));
}

static void a_read_waits_for_its_index_and_for_its_revision(void **state)
{
    (void)state;
    struct reads reads;
    struct probe probes[3];
    const uint64_t revisions[] = {30, 20, 0};
    reads_init(&reads, 1);
    for (int i = 0; i < 3; i++) {
        probe_add(&reads, &probes[i], SLICE_LITERAL("a"));
        probes[i].read.revision_min = revisions[i];
    }
    reads_confirm(&reads, reads_ask(&reads, 1), 10, 0);
    serve_at(&reads, 9, 30);
    assert_int_equal(probes[0].answers, 0);
    serve_at(&reads, 10, 19);
    assert_int_equal(probes[0].answers + probes[1].answers, 0);
    assert_int_equal(probes[2].answers, 1); /* it does not wait behind them */
    serve_at(&reads, 11, 20);
    assert_int_equal(probes[0].answers, 0);
    assert_int_equal(probes[1].answers, 1);
    serve_at(&reads, 12, 31);
    assert_int_equal(probes[0].answers, 1);
    assert_int_equal(probes[0].e, OK);
    assert_int_equal(reads.count, 0);
}

static void a_read_without_an_index_waits_for_its_revision_alone(void **state)
{
    (void)state;
    struct reads reads;
    struct probe probe = {.answers = 0};
    probe.read = (struct node_read){
        .key = SLICE_LITERAL("a"), .deadline_ms = 100, .revision_min = 5, .done = on_done};
    reads_init(&reads, 1);
    reads_add_behind(&reads, &probe.read);
    assert_int_equal(reads_ask(&reads, 1), 0); /* nobody is asked for it */
    serve_at(&reads, 3, 4);
    assert_int_equal(probe.answers, 0);
    struct read_budget none = {0, 0};
    assert_false(reads_serve(&reads, (struct read_point){4, 5}, NULL, &none));
    serve_at(&reads, 4, 5);
    assert_int_equal(probe.answers, 1);
}

static void a_revision_that_does_not_come_in_time_is_named_as_the_reason(void **state)
{
    (void)state;
    struct reads reads;
    struct probe probe;
    reads_init(&reads, 1);
    probe_add(&reads, &probe, SLICE_LITERAL("a"));
    probe.read.revision_min = 7;
    reads_confirm(&reads, reads_ask(&reads, 1), 1, 0);
    serve_at(&reads, 1, 6);
    reads_tick(&reads, 100);
    assert_int_equal(probe.e, ERR_BEHIND);
    probe_add(&reads, &probe, SLICE_LITERAL("a"));
    probe.read.revision_min = 7;
    reads_tick(&reads, 100);
    assert_int_equal(probe.e, ERR_NO_LEADER); /* it had not come so far as to wait for that */
    probe_add(&reads, &probe, SLICE_LITERAL("a"));
    probe.read.revision_min = 7;
    reads_confirm(&reads, reads_ask(&reads, 1), 1, 0);
    serve_at(&reads, 1, 6);
    reads_close(&reads, ERR_DIVERGED);
    assert_int_equal(probe.e, ERR_DIVERGED);
    assert_int_equal(reads.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_is_served_once_its_index_is_applied),
        cmocka_unit_test(a_scan_is_told_when_it_may_read_and_given_no_record),
        cmocka_unit_test(a_read_that_came_after_the_question_waits_for_the_next),
        cmocka_unit_test(a_lost_question_is_asked_again_and_whichever_answer_comes_will_do),
        cmocka_unit_test(a_question_that_nobody_waits_for_is_forgotten),
        cmocka_unit_test(no_more_batches_than_the_bound_are_under_way),
        cmocka_unit_test(answers_that_overtake_each_other_are_served_by_index),
        cmocka_unit_test(a_deadline_ends_a_read_in_whatever_stage),
        cmocka_unit_test(a_question_that_was_not_taken_goes_back_in_order),
        cmocka_unit_test(a_turn_serves_as_much_as_its_budget_has),
        cmocka_unit_test(a_read_waits_for_its_index_and_for_its_revision),
        cmocka_unit_test(a_read_without_an_index_waits_for_its_revision_alone),
        cmocka_unit_test(a_revision_that_does_not_come_in_time_is_named_as_the_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
