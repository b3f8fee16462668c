#include "txn_testing.h"

static struct answered add(struct world *world, const char *key, uint64_t fingerprint,
                           uint64_t elapsed_ms)
{
    struct txn_builder builder = {.txn.idempotency_key = slice_from_text(key),
                                  .txn.fingerprint = {fingerprint, 0}};
    const struct txn_op op = {.type = TXN_ADD, .key = SLICE_LITERAL("n"), .number = 1};
    txn_add_op(&builder, &op, false);
    struct answered answered = world_txn(world, &builder, elapsed_ms);
    txn_builder_deinit(&builder);
    return answered;
}

/* The sum, whether it was told again, and nothing but OK. */
static void assert_added(struct world *world, const char *key, uint64_t elapsed_ms, uint64_t sum,
                         bool is_replayed)
{
    struct answered answered = add(world, key, 1, elapsed_ms);
    assert_int_equal(answered.result.e, OK);
    assert_int_equal(answered.result.is_replayed, is_replayed);
    assert_int_equal(answered.count, 1);
    assert_int_equal(answered.ops[0].number, sum);
    answered_drop(&answered);
    world_check(world);
}

static void the_same_request_is_done_once_and_answered_alike(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    struct answered first = add(&world, "one", 1, 1);
    world_checkpoint(&world);
    world_reopen(&world);
    struct answered again = add(&world, "one", 1, 2);
    assert_true(again.result.is_replayed && !first.result.is_replayed);
    assert_int_equal(again.result.revision, first.result.revision);
    assert_int_equal(again.result.mod_revision, first.result.mod_revision);
    assert_int_equal(again.result.modified_ms, first.result.modified_ms);
    assert_true(slice_equal(again.result.results, first.result.results));
    assert_int_equal(world_region(&world)->revision, 1);
    assert_value(&world, SLICE_LITERAL("n"), SLICE_LITERAL("1"));
    answered_drop(&again);
    answered_drop(&first);
    assert_added(&world, "two", 3, 2, false);
    world_remove(&world);
}

static void another_request_under_the_key_is_refused(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    assert_added(&world, "one", 1, 1, false);
    struct answered other = add(&world, "one", 2, 2);
    assert_int_equal(other.result.e, ERR_IDEMPOTENCY_MISMATCH);
    assert_int_equal(other.count, 0);
    answered_drop(&other);
    assert_value(&world, SLICE_LITERAL("n"), SLICE_LITERAL("1"));
    assert_added(&world, "one", 3, 1, true);
    world_remove(&world);
}

static void a_refusal_is_remembered_but_not_one_that_passes(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    world_put(&world, SLICE_LITERAL("n"), SLICE_LITERAL("x"));
    for (unsigned i = 0; i < 2; i++) {
        struct answered answered = add(&world, "one", 1, i);
        assert_int_equal(answered.result.e, ERR_NOT_A_NUMBER);
        assert_int_equal(answered.result.is_replayed, i == 1);
        answered_drop(&answered);
        world_put(&world, SLICE_LITERAL("n"), SLICE_LITERAL("1")); /* which changes nothing */
    }
    const struct txn_op lock = {.type = TXN_LOCK, .key = SLICE_LITERAL("lx"), .number = 1};
    assert_int_equal(world_op_error(&world, &lock, 3), OK);
    for (unsigned i = 0; i < 2; i++) {
        struct txn_builder builder = {.txn.idempotency_key = SLICE_LITERAL("lock")};
        txn_add_op(&builder, &lock, false);
        struct answered answered = world_txn(&world, &builder, 4);
        assert_int_equal(answered.result.e, ERR_LOCKED);
        assert_false(answered.result.is_replayed);
        assert_int_equal(answered.count, 1); /* who has it */
        answered_drop(&answered);
        txn_builder_deinit(&builder);
    }
    world_check(&world);
    world_remove(&world);
}

/* Of world_txn's bounds: five, for 1000 ms. */
static void the_oldest_are_forgotten(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    static const char *const keys[] = {"1", "2", "3", "4", "5", "6", "7"};
    for (uint64_t i = 0; i < ARRAY_COUNT(keys); i++) {
        assert_added(&world, keys[i], 10 * i, i + 1, false);
        assert_int_equal(world_region(&world)->idempotency_keys, i < 5 ? i + 1 : 5);
    }
    assert_added(&world, "3", 70, 3, true);
    assert_added(&world, "2", 70, 8, false); /* done once more: it was forgotten, and "3" is now */
    const struct txn_op expire = {.type = TXN_EXPIRE, .number = 100};
    assert_int_equal(world_op_error(&world, &expire, 1029), OK);
    assert_int_equal(world_region(&world)->idempotency_keys, 5);
    assert_int_equal(world_op_error(&world, &expire, 1030), OK); /* "4" was at 30 */
    assert_int_equal(world_region(&world)->idempotency_keys, 4);
    uint64_t due_ms;
    assert_true(store_next_due(world.store, REGION, &due_ms));
    assert_int_equal(due_ms, 1040);
    assert_int_equal(world_op_error(&world, &expire, 5000), OK);
    assert_int_equal(world_region(&world)->idempotency_keys, 0);
    assert_false(store_next_due(world.store, REGION, &due_ms));
    world_check(&world);
    world_remove(&world);
}

/* Once there are too many: nobody walks again over what was forgotten since the checkpoint. */
static void the_oldest_is_looked_for_where_the_last_one_was(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    static const char *const keys[] = {"1", "2", "3", "4", "5", "6", "7"};
    for (uint64_t i = 0; i < ARRAY_COUNT(keys); i++) {
        assert_added(&world, keys[i], 10 * i, i + 1, false);
        uint64_t floor_ms = world.store->due.age_floor_ms;
        assert_int_equal(floor_ms, i < 5 ? 0 : 1000 + 10 * (i - 5));
    }
    world_remove(&world);
}

static void whose_time_is_shorter_is_forgotten_sooner(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    static const char *const keys[] = {"1", "2", "3", "4", "5", "6"};
    for (uint64_t i = 0; i < ARRAY_COUNT(keys); i++) { /* "1" is forgotten */
        assert_added(&world, keys[i], 10 * i, i + 1, false);
    }
    const struct txn txn = {.idempotency_key = SLICE_LITERAL("short")};
    const struct command command = {
        .type = COMMAND_TXN,
        .key = SLICE_LITERAL("k"),
        .clock = {.elapsed_ms = 60, .idempotency_age_ms = 100, .idempotency_count = 5},
        .txn = &txn,
    };
    struct buf *bytes = command_encode(&command);
    struct answered answered = world_apply_bytes(&world, bytes); /* instead of "2" */
    assert_int_equal(answered.result.e, OK);
    answered_drop(&answered);
    buf_unref(bytes);
    assert_added(&world, "7", 70, 7, false); /* instead of that */
    for (uint64_t i = 2; i < ARRAY_COUNT(keys); i++) {
        assert_added(&world, keys[i], 70, i + 1, true);
    }
    world_check(&world);
    world_remove(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_request_is_done_once_and_answered_alike),
        cmocka_unit_test(another_request_under_the_key_is_refused),
        cmocka_unit_test(a_refusal_is_remembered_but_not_one_that_passes),
        cmocka_unit_test(the_oldest_are_forgotten),
        cmocka_unit_test(the_oldest_is_looked_for_where_the_last_one_was),
        cmocka_unit_test(whose_time_is_shorter_is_forgotten_sooner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
