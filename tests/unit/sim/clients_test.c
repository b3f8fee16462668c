#include "lincheck/lincheck.h"
#include "node_testing.h"

static struct writer value_of(uint64_t request, size_t size)
{
    struct writer value = {0};
    clients_encode_value(&value, request, size);
    return value;
}

static void a_value_carries_its_request(void **state)
{
    (void)state;
    static const uint64_t requests[] = {1, 2, 255, 256, UINT64_C(1) << 40};
    for (size_t i = 0; i < ARRAY_COUNT(requests); i++) {
        for (size_t size = 0; size < 40; size += 13) {
            struct writer value = value_of(requests[i], size);
            assert_int_equal(clients_request_of(writer_slice(&value)), requests[i]);
            assert_true(clients_is_whole(writer_slice(&value)));
            writer_deinit(&value);
        }
    }
}

static void no_byte_of_a_value_can_change_unseen(void **state)
{
    (void)state;
    struct writer value = value_of(4711, 100);
    for (size_t at = 0; at < value.size; at++) {
        value.data[at] ^= 0x10;
        assert_false(clients_is_whole(writer_slice(&value)));
        value.data[at] ^= 0x10;
    }
    assert_true(clients_is_whole(writer_slice(&value)));
    writer_deinit(&value);
}

static void what_is_too_short_or_not_ours_carries_no_request(void **state)
{
    (void)state;
    struct writer value = value_of(4711, 0);
    assert_int_equal(clients_request_of((struct slice){value.data, value.size - 1}), 0);
    assert_false(clients_is_whole((struct slice){value.data, value.size - 1}));
    assert_int_equal(clients_request_of(SLICE_LITERAL("a value of somebody else")), 0);
    assert_int_equal(clients_request_of(SLICE_EMPTY), 0);
    writer_deinit(&value);
}

/* A longer value's beginning with another one's end. */
static void a_mixture_of_two_values_is_not_whole(void **state)
{
    (void)state;
    struct writer one = value_of(10, 700);
    struct writer other = value_of(11, 700);
    memcpy(one.data + 512, other.data + 512, one.size - 512);
    assert_false(clients_is_whole(writer_slice(&one)));
    writer_deinit(&one);
    writer_deinit(&other);
}

static void a_value_is_found_in_a_file_where_it_can_be_spoilt(void **state)
{
    (void)state;
    struct disk *disk = disk_new();
    struct inode *inode = disk_create(disk, "file", false);
    struct prng prng;
    prng_init(&prng, 1);
    uint64_t offset = 0;
    static const uint64_t requests[] = {9, 10};
    assert_false(clients_find_value(inode, requests, 2, &prng, &offset));
    struct writer value = value_of(10, 60);
    inode_write(inode, 1000, writer_slice(&value), false);
    inode_write(inode, 3000, writer_slice(&value), false);
    assert_false(clients_find_value(inode, requests, 1, &prng, &offset)); /* another one's */
    bool has_first = false;
    bool has_second = false;
    for (int i = 0; i < 100; i++) {
        assert_true(clients_find_value(inode, requests, 2, &prng, &offset));
        bool is_first = offset >= 1000 && offset < 1000 + value.size;
        bool is_second = offset >= 3000 && offset < 3000 + value.size;
        assert_true(is_first || is_second);
        has_first = has_first || is_first;
        has_second = has_second || is_second;
    }
    assert_true(has_first && has_second);
    writer_deinit(&value);
    disk_free(disk);
}

/* ---- DELETEs (K7) ---- */

/* The entry at `index` deletes key 0; revision 100 and more. */
static void deletes(struct sim *sim, uint64_t index, bool existed)
{
    struct command command = {.type = COMMAND_DELETE, .key = SLICE_LITERAL("key-0")};
    struct buf *data = command_encode(&command);
    struct command_result result = {.revision = 100 + index, .existed = existed};
    checker_applied(sim->checker, sim->hosts[1], (struct raft_pos){1, index}, data, &result);
    buf_unref(data);
}

static void asks_delete(struct lincheck_history *history, uint64_t key,
                        enum lincheck_outcome outcome, uint64_t revision)
{
    uint64_t number = history->count + 1;
    struct lincheck_op op = {
        .client = 1,
        .key = key + 1,
        .request_id = number,
        .invoked = 2 * number,
        .returned = outcome == LINCHECK_UNKNOWN ? LINCHECK_NEVER : 2 * number + 1,
        .revision = revision,
        .kind = LINCHECK_DELETE,
        .outcome = outcome,
        .existed = outcome == LINCHECK_ANSWERED ? LINCHECK_EXISTED_YES : LINCHECK_EXISTED_UNKNOWN,
    };
    (void)lincheck_history_add(history, &op);
}

static void deletes_what_was_refused(struct sim *sim)
{
    struct lincheck_history history = {0};
    asks_delete(&history, 0, LINCHECK_REFUSED, LINCHECK_REVISION_UNKNOWN);
    deletes(sim, 1, false);
    clients_settle(sim, &history);
}

static void deletes_by_an_answer_for_another_key(struct sim *sim)
{
    struct lincheck_history history = {0};
    asks_delete(&history, 0, LINCHECK_REFUSED, LINCHECK_REVISION_UNKNOWN);
    asks_delete(&history, 1, LINCHECK_ANSWERED, 101);
    deletes(sim, 1, true);
    clients_settle(sim, &history);
}

static void deletes_more_often_than_was_asked(struct sim *sim)
{
    struct lincheck_history history = {0};
    asks_delete(&history, 0, LINCHECK_ANSWERED, 101);
    deletes(sim, 1, true);
    deletes(sim, 2, false);
    clients_settle(sim, &history);
}

static void a_deletion_that_nobody_can_have_asked_for_is_found(void **state)
{
    (void)state;
    assert_fails(three_nodes(), deletes_what_was_refused, "key 0 was deleted at revision 101 by");
    assert_fails(three_nodes(), deletes_by_an_answer_for_another_key,
                 "key 0 was deleted at revision 101 by");
    assert_fails(three_nodes(), deletes_more_often_than_was_asked,
                 "key 0 was deleted at revision 102 by");
}

static void a_deletion_is_the_answered_ones_or_the_oldest_unknown_ones(void **state)
{
    (void)state;
    struct sim *sim = three_nodes();
    struct lincheck_history history = {0};
    asks_delete(&history, 0, LINCHECK_UNKNOWN, LINCHECK_REVISION_UNKNOWN);
    asks_delete(&history, 0, LINCHECK_UNKNOWN, LINCHECK_REVISION_UNKNOWN);
    asks_delete(&history, 0, LINCHECK_ANSWERED, 101);
    deletes(sim, 1, true);
    applies(sim, 1, 2, checker_request(sim->checker), 77);
    deletes(sim, 3, true);
    clients_settle(sim, &history);
    assert_int_equal(history.ops[0].outcome, LINCHECK_APPLIED);
    assert_int_equal(history.ops[0].revision, 103);
    assert_int_equal(history.ops[1].outcome, LINCHECK_UNKNOWN);
    assert_int_equal(history.applied_count, 3);
    assert_int_equal(history.applied[1].revision, 102); /* in the order of the log */
    lincheck_history_deinit(&history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_carries_its_request),
        cmocka_unit_test(no_byte_of_a_value_can_change_unseen),
        cmocka_unit_test(what_is_too_short_or_not_ours_carries_no_request),
        cmocka_unit_test(a_mixture_of_two_values_is_not_whole),
        cmocka_unit_test(a_value_is_found_in_a_file_where_it_can_be_spoilt),
        cmocka_unit_test(a_deletion_that_nobody_can_have_asked_for_is_found),
        cmocka_unit_test(a_deletion_is_the_answered_ones_or_the_oldest_unknown_ones),
    };
    testing_exit(cmocka_run_group_tests(tests, NULL, NULL));
}
