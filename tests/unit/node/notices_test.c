#include "node/node_int.h"
#include "store/system.h"
#include "txn_testing.h"

struct listener {
    struct node_notice notice;
    struct node *node;
    struct listener *stops; /* NULL: nobody */
    unsigned told;
};

static void changed(struct node_notice *notice)
{
    struct listener *listener = CONTAINER_OF(notice, struct listener, notice);
    listener->told++;
    if (listener->stops != NULL) {
        node_notice_stop(listener->node, &listener->stops->notice);
    }
}

static void listen_to(struct node *node, struct listener *listener, const char *key)
{
    *listener = (struct listener){.node = node, .notice.changed = changed};
    node_notice_start(node, &listener->notice, slice_from_text(key));
}

static void who_listens_is_told_once_a_turn(void **state)
{
    (void)state;
    struct node *node = mem_calloc(1, sizeof(*node));
    struct listener first;
    struct listener same;
    struct listener other;
    notices_init(&node->notices);
    notices_note(&node->notices, SLICE_LITERAL("a"));
    listen_to(node, &first, "a");
    listen_to(node, &same, "a");
    listen_to(node, &other, "b");
    notices_turn(&node->notices);
    assert_int_equal(first.told, 0);
    notices_note(&node->notices, SLICE_LITERAL("a"));
    notices_note(&node->notices, SLICE_LITERAL("a"));
    assert_int_equal(first.told, 0);
    notices_turn(&node->notices);
    notices_turn(&node->notices);
    assert_int_equal(first.told, 1);
    assert_int_equal(same.told, 1);
    assert_int_equal(other.told, 0);
    notices_note_all(&node->notices);
    notices_turn(&node->notices);
    assert_int_equal(other.told, 1);
    node_notice_stop(node, &same.notice);
    node_notice_stop(node, &same.notice);
    notices_note(&node->notices, SLICE_LITERAL("a"));
    node_notice_stop(node, &first.notice); /* and it was due */
    notices_turn(&node->notices);
    assert_int_equal(first.told, 2);
    assert_int_equal(same.told, 2);
    node_notice_stop(node, &other.notice);
    assert_int_equal(node->notices.count, 0);
    mem_free(node);
}

static void one_may_stop_any_of_them_when_it_is_told(void **state)
{
    (void)state;
    struct node *node = mem_calloc(1, sizeof(*node));
    struct listener listeners[3];
    notices_init(&node->notices);
    for (size_t i = 0; i < ARRAY_COUNT(listeners); i++) {
        listen_to(node, &listeners[i], "a");
    }
    listeners[0].stops = &listeners[1];
    listeners[2].stops = &listeners[2];
    notices_note(&node->notices, SLICE_LITERAL("a"));
    notices_turn(&node->notices);
    assert_int_equal(listeners[0].told, 1);
    assert_int_equal(listeners[1].told, 0);
    assert_int_equal(listeners[2].told, 1);
    assert_int_equal(node->notices.count, 1);
    node_notice_stop(node, &listeners[0].notice);
    mem_free(node);
}

/* ---- whole nodes ---- */

static bool is_told(void *ctx)
{
    return ((struct listener *)ctx)->told > 0;
}

static void grant(struct cluster *cluster, uint32_t i, uint64_t lease)
{
    const struct txn_op op = {.type = TXN_LEASE_GRANT, .lease = lease, .ttl_ms = 60000};
    assert_int_equal(apply_op(cluster, i, &op).e, OK);
}

/* Leader and follower alike: whatever is applied. */
static void every_node_hears_of_what_it_applies(void **state)
{
    (void)state;
    struct cluster cluster;
    struct listener listeners[3];
    struct system_key key;
    cluster_init(&cluster, 3);
    uint32_t leader = leader_of(&cluster);
    for (uint32_t i = 0; i < 3; i++) {
        listeners[i] = (struct listener){.node = cluster.nodes[i], .notice.changed = changed};
        node_notice_start(cluster.nodes[i], &listeners[i].notice, system_key_lease(&key, 7));
    }
    grant(&cluster, (leader + 1) % 3, 8);
    grant(&cluster, (leader + 1) % 3, 7);
    for (uint32_t i = 0; i < 3; i++) {
        struct node_state look;
        assert_true(turn_until(&cluster, is_told, &listeners[i]));
        assert_int_equal(listeners[i].told, 1);
        assert_int_equal(node_state_look(cluster.nodes[i], &look), OK);
        node_notice_stop(cluster.nodes[i], &listeners[i].notice);
    }
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_listens_is_told_once_a_turn),
        cmocka_unit_test(one_may_stop_any_of_them_when_it_is_told),
        cmocka_unit_test(every_node_hears_of_what_it_applies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
