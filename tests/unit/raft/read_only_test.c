#include "fixture.h"
#include "raft/read_only.h"

static void a_context_is_node_and_sequence(void **state)
{
    (void)state;
    struct raft_read_queue queue = {0};
    struct raft_read_request request = {.ctx = {.node = 1, .sequence = 5}};
    assert_true(raft_read_queue_push(&queue, &request));
    assert_false(raft_read_queue_push(&queue, &request));
    request.ctx.node = 2; /* another node counts for itself */
    assert_true(raft_read_queue_push(&queue, &request));
    raft_read_queue_drop_front(&queue, 1);
    assert_int_equal(queue.count, 1);
    assert_int_equal(queue.items[0].ctx.node, 2);
    raft_read_queue_deinit(&queue);
}

static void a_full_queue_refuses(void **state)
{
    (void)state;
    struct raft_read_queue queue = {0};
    for (uint64_t i = 1; i <= RAFT_READS_PENDING_MAX; i++) {
        struct raft_read_request request = {.ctx = {.node = 1, .sequence = i}};
        assert_true(raft_read_queue_push(&queue, &request));
    }
    struct raft_read_request more = {.ctx = {.node = 2, .sequence = 1}};
    assert_false(raft_read_queue_push(&queue, &more));
    raft_read_queue_deinit(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_context_is_node_and_sequence),
        cmocka_unit_test(a_full_queue_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
