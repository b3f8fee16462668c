#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "node/outbox.h"

struct failures {
    int count;
    node_id peers[8];
};

static void on_failed(void *ctx, node_id peer, region_id region)
{
    struct failures *failures = ctx;
    assert_int_equal(region, 1);
    failures->peers[failures->count] = peer;
    failures->count++;
}

static void one_batch_a_peer_and_each_failure_is_told(void **state)
{
    (void)state;
    struct outbox outbox = {.count = 0};
    struct failures failures = {.count = 0};
    struct message message = {.type = MSG_HEARTBEAT, .from = 1, .term = 1};
    const node_id receivers[] = {2, 3, 2, 2, 3};
    for (size_t i = 0; i < ARRAY_COUNT(receivers); i++) {
        message.to = receivers[i];
        outbox_add(&outbox, 1, &message);
    }
    assert_int_equal(outbox.count, 2);
    struct reader reader = reader_of(writer_slice(&outbox.batches[0].messages));
    for (int i = 0; i < 3; i++) {
        struct owned_message owned;
        assert_int_equal(message_decode(&reader, &owned), OK);
        assert_int_equal(owned.message.to, 2);
        message_deinit(&owned);
    }
    assert_int_equal(reader_finish(&reader), OK);
    /* Without connections nothing goes out, and both peers are named. */
    outbox_flush(&outbox, NULL, on_failed, &failures);
    assert_int_equal(failures.count, 2);
    assert_int_equal(failures.peers[0], 2);
    assert_int_equal(failures.peers[1], 3);
    assert_int_equal(outbox.count, 0);
    outbox_flush(&outbox, NULL, on_failed, &failures);
    assert_int_equal(failures.count, 2);
    outbox_deinit(&outbox);
}

/* Simulator, membership 6004: a follower passes on that the leader should hand over to itself. */
static void the_leader_may_be_asked_to_stay(void **state)
{
    (void)state;
    struct outbox outbox = {.count = 0};
    struct message message = {.type = MSG_TRANSFER_LEADER, .from = 2, .to = 2, .term = 1};
    outbox_add(&outbox, 1, &message);
    assert_int_equal(outbox.count, 1);
    outbox_deinit(&outbox);
}

static void a_full_batch_is_followed_by_another(void **state)
{
    (void)state;
    struct outbox outbox = {.count = 0};
    struct failures failures = {.count = 0};
    struct entry entry = {
        .pos = {.term = 1, .index = 1},
        .type = ENTRY_NORMAL,
        .data = buf_new(1u << 20),
    };
    memset(entry.data->data, 7, entry.data->size);
    struct message message = {
        .type = MSG_APP,
        .from = 1,
        .to = 2,
        .term = 1,
        .entries = &entry,
        .entry_count = 1,
    };
    outbox_add(&outbox, 1, &message);
    outbox_add(&outbox, 1, &message);
    assert_int_equal(outbox.count, 2);
    outbox_flush(&outbox, NULL, on_failed, &failures);
    assert_int_equal(failures.count, 2);
    buf_unref(entry.data);
    outbox_deinit(&outbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_batch_a_peer_and_each_failure_is_told),
        cmocka_unit_test(the_leader_may_be_asked_to_stay),
        cmocka_unit_test(a_full_batch_is_followed_by_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
