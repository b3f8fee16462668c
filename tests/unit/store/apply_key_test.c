#include "txn_testing.h"

#define KEY SLICE_LITERAL("k")

static void assert_op_value(struct world *world, const struct txn_op *op, uint64_t number,
                            const char *value)
{
    struct answered answered = world_op(world, op, 0);
    assert_int_equal(answered.result.e, OK);
    assert_true(answered.ops[0].number == number);
    answered_drop(&answered);
    assert_value(world, op->key, slice_from_text(value));
}

static void numbers_are_added_up_from_nothing(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    struct txn_op op = {.type = TXN_ADD, .key = KEY, .number = 1};
    assert_op_value(&world, &op, 1, "1");
    op.number = 41;
    assert_op_value(&world, &op, 42, "42");
    world_checkpoint(&world);
    op.number = (uint64_t)-50;
    assert_op_value(&world, &op, (uint64_t)-8, "-8");
    op.number = (uint64_t)INT64_MIN;
    assert_int_equal(world_op_error(&world, &op, 0), ERR_NOT_A_NUMBER); /* the sum is none */
    assert_value(&world, KEY, SLICE_LITERAL("-8"));
    op.number = (uint64_t)(INT64_MIN + 8);
    assert_op_value(&world, &op, (uint64_t)INT64_MIN, "-9223372036854775808");
    world_remove(&world);
}

static void what_is_no_number_is_not_added_to(void **state)
{
    (void)state;
    static const char *const values[] = {
        "", "-", "+1", " 1", "1 ", "1.0", "0x1", "1\n", "9223372036854775808", "1e3"};
    struct world world = {0};
    world_make(&world);
    const struct txn_op op = {.type = TXN_ADD, .key = KEY, .number = 1};
    for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
        world_put(&world, KEY, slice_from_text(values[i]));
        assert_int_equal(world_op_error(&world, &op, 0), ERR_NOT_A_NUMBER);
        assert_value(&world, KEY, slice_from_text(values[i]));
    }
    world_put(&world, KEY, SLICE_LITERAL("-007"));
    assert_op_value(&world, &op, (uint64_t)-6, "-6");
    world_remove(&world);
}

static void what_is_appended_stands_behind(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    struct txn_op op = {.type = TXN_APPEND,
                        .key = KEY,
                        .content_type = SLICE_LITERAL("text/plain"),
                        .value = SLICE_LITERAL("ab")};
    assert_op_value(&world, &op, 2, "ab");
    world_checkpoint(&world);
    op.content_type = SLICE_EMPTY;
    op.value = SLICE_LITERAL("cd");
    assert_op_value(&world, &op, 4, "abcd");
    struct store_record record;
    assert_int_equal(store_get(world.store, KEY, &record), OK);
    assert_true(slice_equal(record.content_type, SLICE_LITERAL("text/plain")));
    assert_int_equal(record.version, 2);
    buf_unref(record.owner);
    op.number = 5; /* the largest that whoever asks lets a value be */
    assert_int_equal(world_op_error(&world, &op, 0), ERR_TOO_LARGE);
    assert_value(&world, KEY, SLICE_LITERAL("abcd"));
    op.number = 6;
    assert_op_value(&world, &op, 6, "abcdcd");
    op.number = 5; /* it is larger already: the limit was another one */
    op.value = SLICE_EMPTY;
    assert_int_equal(world_op_error(&world, &op, 0), ERR_TOO_LARGE);
    world_remove(&world);
}

static void what_was_there_and_what_is_can_be_told(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    world_put(&world, KEY, SLICE_LITERAL("old"));
    struct txn_op op = {.type = TXN_PUT, .key = KEY, .value = SLICE_LITERAL("new")};
    op.flags = TXN_RETURN_OLD;
    struct answered answered = world_op(&world, &op, 0);
    assert_true(slice_equal(answered.ops[0].value, SLICE_LITERAL("old")));
    assert_int_equal(answered.ops[0].mod_revision, 2);
    answered_drop(&answered);
    op.flags = TXN_RETURN_NEW;
    answered = world_op(&world, &op, 0);
    assert_true(slice_equal(answered.ops[0].value, SLICE_LITERAL("new")));
    answered_drop(&answered);
    world_checkpoint(&world);
    op = (struct txn_op){.type = TXN_DELETE, .key = KEY, .flags = TXN_RETURN_OLD};
    answered = world_op(&world, &op, 0);
    assert_true(answered.ops[0].has_record && answered.ops[0].existed);
    assert_true(slice_equal(answered.ops[0].value, SLICE_LITERAL("new")));
    answered_drop(&answered);
    answered = world_op(&world, &op, 0);
    assert_false(answered.ops[0].has_record || answered.ops[0].existed);
    assert_int_equal(answered.result.revision, 4);
    answered_drop(&answered);
    world_remove(&world);
}

/* ---- time ---- */

static void expire(struct world *world, uint64_t elapsed_ms)
{
    const struct txn_op op = {.type = TXN_EXPIRE, .number = 100};
    assert_int_equal(world_op_error(world, &op, elapsed_ms), OK);
    world_check(world);
}

static void put_for(struct world *world, uint64_t ttl_ms, uint64_t elapsed_ms)
{
    const struct txn_op op = {
        .type = TXN_PUT, .key = KEY, .value = SLICE_LITERAL("1"), .ttl_ms = ttl_ms};
    assert_int_equal(world_op_error(world, &op, elapsed_ms), OK);
    world_check(world);
}

static void a_key_goes_when_its_time_is_over_and_not_before(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    put_for(&world, 100, 1000);
    world_checkpoint(&world);
    expire(&world, 1099);
    assert_value(&world, KEY, SLICE_LITERAL("1"));
    expire(&world, 1100);
    assert_no_value(&world, KEY, ERR_NOT_FOUND);
    assert_int_equal(world_region(&world)->system_keys, 0);
    world_remove(&world);
}

/* What writes the key again, and whether it is still there after 100 ms. */
static void whatever_writes_the_key_decides_on_its_time(void **state)
{
    (void)state;
    static const struct {
        struct txn_op op;
        bool is_plain;
        bool is_gone;
    } cases[] = {
        {.op = {.type = TXN_PUT, .key = SLICE_INIT("k"), .value = SLICE_INIT("5")}},
        {.op = {.type = TXN_PUT,
                .key = SLICE_INIT("k"),
                .value = SLICE_INIT("5"),
                .flags = TXN_KEEP_TTL},
         .is_gone = true},
        {.op = {.type = TXN_PUT, .key = SLICE_INIT("k"), .ttl_ms = 200}},
        {.op = {.type = TXN_ADD, .key = SLICE_INIT("k"), .number = 4, .flags = TXN_KEEP_TTL},
         .is_gone = true},
        {.op = {.type = TXN_TOUCH, .key = SLICE_INIT("k"), .ttl_ms = 200}},
        {.op = {.type = TXN_TOUCH, .key = SLICE_INIT("k")}},
        {.op = {.type = TXN_TOUCH, .key = SLICE_INIT("k"), .ttl_ms = 50}, .is_gone = true},
        {.is_plain = true},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct world world = {0};
        world_make(&world);
        put_for(&world, 100, 0);
        if (i % 2 == 0) {
            world_checkpoint(&world);
        }
        if (cases[i].is_plain) {
            world_put(&world, KEY, SLICE_LITERAL("5"));
        } else {
            assert_int_equal(world_op_error(&world, &cases[i].op, 10), OK);
        }
        world_check(&world);
        expire(&world, 100);
        struct store_record record;
        bool is_there = store_find_record(world.store, STORE_SPACE_USER, KEY, &record) == OK;
        assert_int_equal(is_there, !cases[i].is_gone);
        world_remove(&world);
    }
}

static void deleting_a_key_deletes_its_time(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct world world = {0};
        world_make(&world);
        put_for(&world, 100, 0);
        const struct txn_op one = {.type = TXN_DELETE, .key = KEY};
        const struct txn_op range = {.type = TXN_DELETE_RANGE, .key = KEY};
        if (i == 0) {
            world_delete(&world, KEY);
        } else {
            assert_int_equal(world_op_error(&world, i == 1 ? &one : &range, 0), OK);
        }
        assert_int_equal(world_region(&world)->system_keys, 0);
        assert_int_equal(world_region(&world)->keys, 0);
        world_remove(&world);
    }
}

static void what_is_not_there_cannot_be_touched(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    const struct txn_op touch = {.type = TXN_TOUCH, .key = KEY, .ttl_ms = 5};
    assert_int_equal(world_op_error(&world, &touch, 0), ERR_NOT_FOUND);
    const struct txn_op put = {.type = TXN_PUT, .key = KEY, .lease = 77};
    assert_int_equal(world_op_error(&world, &put, 0), ERR_LEASE_NOT_FOUND);
    assert_int_equal(world_region(&world)->system_keys, 0);
    world_remove(&world);
}

static void a_touched_key_stays_at_its_revision(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    world_put(&world, KEY, SLICE_LITERAL("1"));
    world_checkpoint(&world);
    const struct txn_op touch = {.type = TXN_TOUCH, .key = KEY, .ttl_ms = 500};
    struct answered answered = world_op(&world, &touch, 40);
    assert_int_equal(answered.ops[0].ttl_ms, 500);
    assert_int_equal(answered.result.mod_revision, 1);
    assert_int_equal(answered.result.version, 1);
    assert_int_equal(answered.result.revision, 1);
    answered_drop(&answered);
    assert_value(&world, KEY, SLICE_LITERAL("1"));
    world_check(&world);
    world_remove(&world);
}

/* ---- ranges ---- */

static void a_range_goes_in_one_revision(void **state)
{
    (void)state;
    struct world world = {0};
    char text[KEY_TEXT_SIZE];
    world_make(&world);
    for (unsigned i = 0; i < 100; i++) {
        world_put(&world, key_of(text, i), SLICE_LITERAL("v"));
        if (i == 50) {
            world_checkpoint(&world);
        }
    }
    char end[KEY_TEXT_SIZE];
    const struct txn_op some = {
        .type = TXN_DELETE_RANGE, .key = key_of(text, 10), .end = key_of(end, 90)};
    struct answered answered = world_op(&world, &some, 0);
    assert_int_equal(answered.ops[0].number, 80);
    assert_int_equal(answered.result.revision, 101);
    answered_drop(&answered);
    assert_int_equal(world_region(&world)->keys, 20);
    assert_value(&world, key_of(text, 9), SLICE_LITERAL("v"));
    assert_no_value(&world, key_of(text, 10), ERR_NOT_FOUND);
    assert_value(&world, key_of(text, 90), SLICE_LITERAL("v"));
    const struct txn_op all = {.type = TXN_DELETE_RANGE};
    assert_int_equal(world_op_error(&world, &all, 0), OK);
    assert_int_equal(world_region(&world)->keys, 0);
    world_remove(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_added_up_from_nothing),
        cmocka_unit_test(what_is_no_number_is_not_added_to),
        cmocka_unit_test(what_is_appended_stands_behind),
        cmocka_unit_test(what_was_there_and_what_is_can_be_told),
        cmocka_unit_test(a_key_goes_when_its_time_is_over_and_not_before),
        cmocka_unit_test(whatever_writes_the_key_decides_on_its_time),
        cmocka_unit_test(deleting_a_key_deletes_its_time),
        cmocka_unit_test(what_is_not_there_cannot_be_touched),
        cmocka_unit_test(a_touched_key_stays_at_its_revision),
        cmocka_unit_test(a_range_goes_in_one_revision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
