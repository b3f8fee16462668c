#include "txn_testing.h"

static const struct txn_op put_a = {
    .type = TXN_PUT, .key = SLICE_INIT("a"), .value = SLICE_INIT("1")};
static const struct txn_op put_b = {
    .type = TXN_PUT, .key = SLICE_INIT("b"), .value = SLICE_INIT("2")};

static struct answered try_check(struct world *world, const struct txn_check *check,
                                 const struct txn_op *op)
{
    struct txn_builder builder = {0};
    txn_add_check(&builder, check);
    txn_add_op(&builder, op, false);
    struct answered answered = world_txn(world, &builder, 0);
    txn_builder_deinit(&builder);
    return answered;
}

static err check_error(struct world *world, const struct txn_check *check)
{
    struct answered answered = try_check(world, check, &put_b);
    err e = answered.result.e;
    answered_drop(&answered);
    return e;
}

/* ---- checks ---- */

static void a_check_compares_with_what_is_there(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    world_put(&world, SLICE_LITERAL("a"), SLICE_LITERAL("x"));
    world_put(&world, SLICE_LITERAL("a"), SLICE_LITERAL("m")); /* mod 2, create 1, version 2 */
    static const struct {
        enum txn_target target;
        uint64_t number;
    } of_a[] = {{TXN_MOD_REVISION, 2}, {TXN_CREATE_REVISION, 1}, {TXN_VERSION, 2}, {TXN_LEASE, 0}};
    static const bool holds[][3] = {
        /* for a number below, equal, above */
        [TXN_EQUAL] = {false, true, false},   [TXN_NOT_EQUAL] = {true, false, true},
        [TXN_LESS] = {false, false, true},    [TXN_LESS_OR_EQUAL] = {false, true, true},
        [TXN_GREATER] = {true, false, false}, [TXN_GREATER_OR_EQUAL] = {true, true, false}};
    for (size_t i = 0; i < ARRAY_COUNT(of_a); i++) {
        for (unsigned relation = TXN_EQUAL; relation <= TXN_RELATIONS; relation++) {
            for (int delta = of_a[i].number > 0 ? -1 : 0; delta <= 1; delta++) {
                const struct txn_check check = {.target = of_a[i].target,
                                                .relation = (enum txn_relation)relation,
                                                .key = SLICE_LITERAL("a"),
                                                .number = of_a[i].number + (uint64_t)delta};
                assert_int_equal(check_error(&world, &check) == OK, holds[relation][delta + 1]);
            }
        }
    }
    static const char *const values[] = {"a", "m", "mm"};
    for (unsigned relation = TXN_EQUAL; relation <= TXN_RELATIONS; relation++) {
        for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
            const struct txn_check check = {.target = TXN_VALUE,
                                            .relation = (enum txn_relation)relation,
                                            .key = SLICE_LITERAL("a"),
                                            .value = slice_from_text(values[i])};
            assert_int_equal(check_error(&world, &check) == OK, holds[relation][i]);
        }
    }
    world_remove(&world);
}

static void a_key_that_is_not_there_is_at_zero_and_has_no_value(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    struct txn_check check = {
        .target = TXN_MOD_REVISION, .relation = TXN_EQUAL, .key = SLICE_LITERAL("none")};
    assert_int_equal(check_error(&world, &check), OK);
    check.relation = TXN_NOT_EQUAL;
    assert_int_equal(check_error(&world, &check), ERR_PRECONDITION_FAILED);
    check.target = TXN_VALUE;
    for (unsigned relation = TXN_EQUAL; relation <= TXN_RELATIONS; relation++) {
        check.relation = (enum txn_relation)relation;
        assert_int_equal(check_error(&world, &check), ERR_PRECONDITION_FAILED);
    }
    world_remove(&world);
}

static void a_check_of_a_range_is_of_every_key_in_it(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    world_put(&world, SLICE_LITERAL("p/1"), SLICE_LITERAL("x"));
    world_put(&world, SLICE_LITERAL("p/2"), SLICE_LITERAL("x"));
    world_checkpoint(&world);
    world_put(&world, SLICE_LITERAL("p0"), SLICE_LITERAL("y"));
    struct txn_check check = {.target = TXN_VALUE,
                              .relation = TXN_EQUAL,
                              .key = SLICE_LITERAL("p/"),
                              .end = SLICE_LITERAL("p0"),
                              .value = SLICE_LITERAL("x")};
    assert_int_equal(check_error(&world, &check), OK);
    check.end = SLICE_LITERAL("p1");
    assert_int_equal(check_error(&world, &check), ERR_PRECONDITION_FAILED);
    check.key = SLICE_LITERAL("q"); /* of none: it holds */
    check.end = SLICE_LITERAL("r");
    assert_int_equal(check_error(&world, &check), OK);
    world_remove(&world);
}

static void one_of_several_is_enough_where_that_is_said(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    world_put(&world, SLICE_LITERAL("a"), SLICE_LITERAL("x"));
    for (uint64_t first = 1; first <= 2; first++) {
        for (uint64_t second = 1; second <= 2; second++) {
            struct txn_builder builder = {0};
            struct txn_check check = {.target = TXN_MOD_REVISION,
                                      .relation = TXN_EQUAL,
                                      .key = SLICE_LITERAL("a"),
                                      .number = first};
            txn_add_check(&builder, &check);
            check.number = second;
            check.is_or = true;
            txn_add_check(&builder, &check);
            const struct txn_check none = {
                .target = TXN_VERSION, .relation = TXN_EQUAL, .key = SLICE_LITERAL("none")};
            txn_add_check(&builder, &none);
            txn_add_op(&builder, &put_b, false);
            struct answered answered = world_txn(&world, &builder, 0);
            assert_int_equal(answered.result.e == OK, first == 1 || second == 1);
            assert_int_equal(answered.result.failed, 0);
            answered_drop(&answered);
            txn_builder_deinit(&builder);
        }
    }
    world_remove(&world);
}

static void a_failed_check_changes_nothing_and_shows_the_key(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    world_put(&world, SLICE_LITERAL("a"), SLICE_LITERAL("x"));
    struct store_region before = *world_region(&world);
    const struct txn_check check = {
        .target = TXN_VERSION, .relation = TXN_GREATER, .key = SLICE_LITERAL("a"), .number = 1};
    struct answered answered = try_check(&world, &check, &put_a);
    assert_int_equal(answered.result.e, ERR_PRECONDITION_FAILED);
    assert_true(answered.result.has_failed && answered.result.existed);
    assert_int_equal(answered.result.mod_revision, 1);
    assert_int_equal(answered.result.revision, 1);
    assert_int_equal(answered.count, 0);
    answered_drop(&answered);
    const struct store_region *after = world_region(&world);
    assert_int_equal(after->revision, before.revision);
    assert_true(hash128_equal(after->state_hash, before.state_hash));
    assert_value(&world, SLICE_LITERAL("a"), SLICE_LITERAL("x"));
    world_remove(&world);
}

/* ---- operations ---- */

static void all_operations_share_one_revision_and_see_each_other(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    struct txn_builder builder = {0};
    const struct txn_op get = {.type = TXN_GET, .key = SLICE_LITERAL("a")};
    const struct txn_op drop = {.type = TXN_DELETE, .key = SLICE_LITERAL("a")};
    txn_add_op(&builder, &put_a, false);
    txn_add_op(&builder, &get, false);
    txn_add_op(&builder, &put_b, false);
    txn_add_op(&builder, &drop, false);
    txn_add_op(&builder, &get, false);
    struct answered answered = world_txn(&world, &builder, 0);
    assert_int_equal(answered.result.e, OK);
    assert_int_equal(answered.result.revision, 1);
    assert_int_equal(answered.count, 5);
    assert_true(answered.ops[1].existed);
    assert_true(slice_equal(answered.ops[1].value, SLICE_LITERAL("1")));
    assert_int_equal(answered.ops[2].mod_revision, 1);
    assert_true(answered.ops[3].existed);
    assert_false(answered.ops[4].existed);
    answered_drop(&answered);
    txn_builder_deinit(&builder);
    assert_no_value(&world, SLICE_LITERAL("a"), ERR_NOT_FOUND);
    assert_value(&world, SLICE_LITERAL("b"), SLICE_LITERAL("2"));
    assert_int_equal(world_region(&world)->keys, 1);
    world_remove(&world);
}

static void what_is_refused_in_the_middle_leaves_nothing_behind(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    world_put(&world, SLICE_LITERAL("n"), SLICE_LITERAL("no number"));
    struct store_region before = *world_region(&world);
    struct txn_builder builder = {0};
    const struct txn_op add = {.type = TXN_ADD, .key = SLICE_LITERAL("n"), .number = 1};
    const struct txn_op lock = {.type = TXN_LOCK, .key = SLICE_LITERAL("lx"), .number = 1};
    txn_add_op(&builder, &put_a, false);
    txn_add_op(&builder, &lock, false);
    txn_add_op(&builder, &add, false);
    struct answered answered = world_txn(&world, &builder, 0);
    assert_int_equal(answered.result.e, ERR_NOT_A_NUMBER);
    assert_int_equal(answered.result.failed, 2);
    assert_int_equal(answered.count, 0);
    answered_drop(&answered);
    txn_builder_deinit(&builder);
    const struct store_region *after = world_region(&world);
    assert_true(hash128_equal(after->state_hash, before.state_hash));
    assert_int_equal(after->revision, before.revision);
    assert_int_equal(after->last_token, before.last_token);
    assert_no_value(&world, SLICE_LITERAL("a"), ERR_NOT_FOUND);
    world_remove(&world);
}

static void without_the_checks_the_else_branch_is_done(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    struct txn_builder builder = {0};
    const struct txn_check check = {
        .target = TXN_VERSION, .relation = TXN_GREATER, .key = SLICE_LITERAL("b")};
    txn_add_check(&builder, &check);
    txn_add_op(&builder, &put_a, false);
    txn_add_op(&builder, &put_b, true);
    for (unsigned i = 0; i < 2; i++) {
        struct answered answered = world_txn(&world, &builder, 0);
        assert_int_equal(answered.result.e, OK);
        assert_int_equal(answered.result.has_failed, i == 0);
        assert_int_equal(answered.result.revision, i + 1);
        answered_drop(&answered);
    }
    assert_value(&world, SLICE_LITERAL("a"), SLICE_LITERAL("1"));
    assert_value(&world, SLICE_LITERAL("b"), SLICE_LITERAL("2"));
    txn_builder_deinit(&builder);
    world_remove(&world);
}

static void a_quota_is_of_the_whole(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    world_put(&world, SLICE_LITERAL("old"), SLICE_LITERAL("0123456789"));
    uint64_t used = store_region_used(world_region(&world));
    for (unsigned is_enough = 0; is_enough < 2; is_enough++) {
        struct txn_builder builder = {0};
        const struct txn_op drop = {.type = TXN_DELETE, .key = SLICE_LITERAL("old")};
        txn_add_op(&builder, &put_a, false);
        txn_add_op(&builder, &put_b, false);
        if (is_enough) {
            txn_add_op(&builder, &drop, false);
        }
        struct txn txn = txn_builder_result(&builder);
        uint64_t need = 2 * (STORE_RECORD_COST + 2) - (STORE_RECORD_COST + 13);
        const struct command command = {.type = COMMAND_TXN,
                                        .key = SLICE_LITERAL("k"),
                                        .quota_bytes = used + need,
                                        .txn = &txn};
        struct command_result result = world_apply(&world, &command);
        assert_int_equal(result.e, is_enough ? OK : ERR_QUOTA);
        txn_builder_deinit(&builder);
    }
    world_remove(&world);
}

/* ---- the quota, of what is no user's key ---- */

static err under_quota(struct world *world, const struct txn_op *op, const char *idempotency_key,
                       uint64_t quota_bytes)
{
    struct txn_builder builder = {0};
    txn_add_op(&builder, op, false);
    builder.txn.idempotency_key = slice_from_text(idempotency_key);
    struct txn txn = txn_builder_result(&builder);
    const struct command command = {
        .type = COMMAND_TXN,
        .key = SLICE_LITERAL("k"),
        .quota_bytes = quota_bytes,
        .clock = {.elapsed_ms = 1, .idempotency_age_ms = 1000, .idempotency_count = 3},
        .txn = &txn,
    };
    err e = world_apply(world, &command).e;
    txn_builder_deinit(&builder);
    world_check(world);
    return e;
}

static uint64_t used(const struct world *world)
{
    return store_region_used(world_region(world));
}

static char large[2000]; /* more than what frees may be remembered with */

static void what_is_remembered_counts(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    world_put(&world, SLICE_LITERAL("a"), (struct slice){(const uint8_t *)large, sizeof(large)});
    const struct txn_op get = {.type = TXN_GET, .key = SLICE_LITERAL("a")};
    uint64_t quota = used(&world) + 2 * sizeof(large);
    assert_int_equal(under_quota(&world, &get, "i1", quota), OK);
    struct store_region before = *world_region(&world);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(under_quota(&world, &get, "i2", quota), ERR_QUOTA); /* not remembered */
    }
    assert_true(hash128_equal(before.state_hash, world_region(&world)->state_hash));
    assert_int_equal(world_region(&world)->idempotency_keys, 1);
    assert_int_equal(under_quota(&world, &get, "", quota), OK);
    assert_int_equal(under_quota(&world, &get, "i1", quota), OK); /* told again */
    assert_true(used(&world) <= quota);
    world_remove(&world);
}

static void what_frees_goes_on_past_the_quota_and_is_remembered(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    world_put(&world, SLICE_LITERAL("a"), (struct slice){(const uint8_t *)large, sizeof(large)});
    world_put(&world, SLICE_LITERAL("b"), SLICE_EMPTY);
    const struct txn_op drop_a = {
        .type = TXN_DELETE, .key = SLICE_LITERAL("a"), .flags = TXN_RETURN_OLD};
    const struct txn_op drop_b = {.type = TXN_DELETE, .key = SLICE_LITERAL("b")};
    const struct txn_op wrong = {.type = TXN_ADD, .key = SLICE_LITERAL("a"), .number = 1};
    char longest[TXN_IDEMPOTENCY_KEY_SIZE_MAX + 1] = "";
    memset(longest, 'i', sizeof(longest) - 1);
    assert_int_equal(under_quota(&world, &put_b, "i0", 1), ERR_QUOTA);
    assert_int_equal(under_quota(&world, &wrong, "i1", 1), ERR_NOT_A_NUMBER);
    assert_int_equal(under_quota(&world, &drop_b, longest, 1), OK);
    assert_int_equal(under_quota(&world, &drop_a, "i2", 1), OK);
    assert_int_equal(world_region(&world)->keys, 0);
    assert_int_equal(world_region(&world)->idempotency_keys, 3);
    world_remove(&world);
}

/* A refusal leaves those that would have made way where they are found. */
static void what_is_forgotten_for_it_counts_too(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    static const char *const keys[] = {"i1", "i2", "i3"};
    assert_int_equal(under_quota(&world, &put_a, "", 0), OK);
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        assert_int_equal(under_quota(&world, &put_a, keys[i], 0), OK);
    }
    assert_int_equal(under_quota(&world, &put_b, "i4", used(&world)), ERR_QUOTA);
    assert_int_equal(world_region(&world)->idempotency_keys, 3);
    assert_int_equal(world.store->due.age_floor_ms, 0);
    assert_int_equal(under_quota(&world, &put_a, "i5", used(&world)), OK); /* instead of "i1" */
    assert_int_equal(world_region(&world)->idempotency_keys, 3);
    world_remove(&world);
}

static void times_leases_and_locks_count(void **state)
{
    (void)state;
    const struct txn_op timed = {.type = TXN_TOUCH, .key = SLICE_LITERAL("a"), .ttl_ms = 9};
    const struct txn_op grant = {.type = TXN_LEASE_GRANT, .lease = 7, .ttl_ms = 10};
    const struct txn_op keep = {.type = TXN_LEASE_KEEP, .lease = 7, .ttl_ms = 20};
    const struct txn_op lock = {.type = TXN_LOCK,
                                .key = SLICE_LITERAL("lx"),
                                .number = 1,
                                .lease = 8,
                                .ttl_ms = 10,
                                .value = {(const uint8_t *)large, sizeof(large)}};
    struct world world = {0};
    world_make(&world);
    world_put(&world, SLICE_LITERAL("a"), SLICE_LITERAL("1"));
    const struct txn_op *const grows[] = {&timed, &grant, &lock};
    for (size_t i = 0; i < ARRAY_COUNT(grows); i++) {
        uint64_t before = used(&world);
        assert_int_equal(under_quota(&world, grows[i], "", 0), OK);
        uint64_t need = used(&world);
        assert_true(need > before);
        world_remove(&world);
        world = (struct world){0};
        world_make(&world);
        world_put(&world, SLICE_LITERAL("a"), SLICE_LITERAL("1"));
        for (size_t j = 0; j < i; j++) {
            assert_int_equal(under_quota(&world, grows[j], "", 0), OK);
        }
        assert_int_equal(under_quota(&world, grows[i], "", need - 1), ERR_QUOTA);
        assert_int_equal(used(&world), before);
        assert_int_equal(under_quota(&world, grows[i], "", need), OK);
    }
    const struct txn_op renew = {
        .type = TXN_LOCK_RENEW, .key = lock.key, .number = world_region(&world)->last_token};
    assert_int_equal(under_quota(&world, &keep, "", 1), OK);
    assert_int_equal(under_quota(&world, &renew, "", 1), OK);
    assert_int_equal(under_quota(&world, &timed, "", 1), OK);
    world_remove(&world);
}

/* Who comes to hold the lock has a lease then: some bytes more, which nobody is refused for. */
static void a_lock_goes_to_the_next_past_the_quota(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    struct txn_op lock = {.type = TXN_LOCK, .key = SLICE_LITERAL("lx"), .number = 1};
    assert_int_equal(under_quota(&world, &lock, "", 0), OK);
    const struct txn_op unlock = {
        .type = TXN_UNLOCK, .key = lock.key, .number = world_region(&world)->last_token};
    lock.lease = 9;
    lock.ttl_ms = 10;
    lock.wait_ms = 100;
    assert_int_equal(under_quota(&world, &lock, "", 0), OK);
    uint64_t before = used(&world);
    assert_int_equal(under_quota(&world, &unlock, "", 1), OK);
    assert_true(used(&world) > before);
    const struct txn_op expire = {.type = TXN_EXPIRE, .number = 10};
    assert_int_equal(world_op_error(&world, &expire, 1000), OK);
    assert_int_equal(used(&world), 0);
    world_remove(&world);
}

/* ---- a key's time ---- */

static void a_plain_write_takes_a_keys_time_away(void **state)
{
    (void)state;
    const struct txn_op timed = {.type = TXN_PUT, .key = SLICE_LITERAL("a"), .ttl_ms = 10};
    const struct txn_op lease = {.type = TXN_LEASE_GRANT, .lease = 7, .ttl_ms = 10};
    const struct txn_op leased = {.type = TXN_PUT, .key = SLICE_LITERAL("b"), .lease = 7};
    const struct txn_op expire = {.type = TXN_EXPIRE, .number = 10};
    struct world world = {0};
    world_make(&world);
    assert_int_equal(world_op_error(&world, &lease, 1), OK);
    for (unsigned is_put = 0; is_put < 2; is_put++) {
        assert_int_equal(world_op_error(&world, &timed, 1), OK);
        assert_int_equal(world_op_error(&world, &leased, 1), OK);
        world_check(&world);
        for (size_t i = 0; i < 2; i++) {
            struct slice key = i == 0 ? timed.key : leased.key;
            struct command_result result =
                is_put ? world_put(&world, key, SLICE_LITERAL("p")) : world_delete(&world, key);
            assert_true(result.existed);
            world_check(&world);
        }
    }
    assert_int_equal(world_op_error(&world, &expire, 100), OK);
    assert_value(&world, timed.key, SLICE_LITERAL("p"));
    assert_value(&world, leased.key, SLICE_LITERAL("p"));
    world_check(&world);
    world_remove(&world);
}

/* ---- told ---- */

struct told {
    char text[512];
};

static void on_changed(void *ctx, region_id region, const struct store_change *change)
{
    struct told *told = ((struct world *)ctx)->told;
    static const char *const kinds[] = {"put", "delete", "expire"};
    assert_int_equal(region, REGION);
    size_t size = strlen(told->text);
    (void)snprintf(told->text + size, sizeof(told->text) - size, "%s %.*s @%d; ",
                   kinds[change->kind], (int)change->key.size, (const char *)change->key.data,
                   (int)change->revision);
}

static void on_revised(void *ctx, region_id region, uint64_t revision)
{
    struct told *told = ((struct world *)ctx)->told;
    assert_int_equal(region, REGION);
    size_t size = strlen(told->text);
    (void)snprintf(told->text + size, sizeof(told->text) - size, "| ");
    assert_true(revision > 0);
}

static void each_change_is_told_in_the_order_of_the_keys(void **state)
{
    (void)state;
    struct told told = {""};
    struct world world = {.options = {.changed = on_changed, .revised = on_revised}, .told = &told};
    world_make(&world);
    struct txn_builder builder = {0};
    const struct txn_op timed = {.type = TXN_PUT, .key = SLICE_LITERAL("c"), .ttl_ms = 10};
    const struct txn_op touch = {.type = TXN_TOUCH, .key = SLICE_LITERAL("b"), .ttl_ms = 20};
    const struct txn_op gone = {.type = TXN_DELETE, .key = SLICE_LITERAL("never")};
    const struct txn_op expire = {.type = TXN_EXPIRE, .number = 10};
    txn_add_op(&builder, &timed, false);
    txn_add_op(&builder, &put_b, false);
    txn_add_op(&builder, &gone, false);
    struct answered answered = world_txn(&world, &builder, 1);
    answered_drop(&answered);
    txn_builder_deinit(&builder);
    assert_int_equal(world_op_error(&world, &touch, 2), OK); /* no change of the key */
    assert_int_equal(world_op_error(&world, &expire, 11), OK);
    assert_int_equal(world_op_error(&world, &expire, 11), OK); /* nothing is due */
    assert_string_equal(told.text, "put b @1; put c @1; | expire c @2; | ");
    world_check(&world);
    world_remove(&world);
}

/* ---- anything, twice ---- */

static struct slice random_key(struct prng *chance, char *text)
{
    return key_of(text, prng_below(chance, 12));
}

static const struct slice locks[] = {SLICE_INIT("lx"), SLICE_INIT("lxy"), SLICE_INIT("ex")};

static void add_random_op(struct prng *chance, struct txn_builder *builder,
                          const struct store_region *region)
{
    char text[KEY_TEXT_SIZE];
    char end[KEY_TEXT_SIZE];
    static const char values[] = "0123456789012345678901234567890123456789";
    struct txn_op op = {.type = (enum txn_type)(1 + prng_below(chance, TXN_TYPES))};
    uint64_t lease = 1 + prng_below(chance, 4);
    switch (op.type) {
    case TXN_GET:
    case TXN_DELETE:
        op.key = random_key(chance, text);
        op.flags = prng_below(chance, 2) ? TXN_RETURN_OLD : 0;
        break;
    case TXN_PUT:
    case TXN_APPEND:
        op.key = random_key(chance, text);
        op.value = (struct slice){(const uint8_t *)values, prng_below(chance, 20)};
        op.flags = (uint8_t)prng_below(chance, 8);
        op.ttl_ms = prng_below(chance, 3) == 0 ? 1 + prng_below(chance, 50) : 0;
        op.lease = op.ttl_ms == 0 && prng_below(chance, 3) == 0 ? lease : 0;
        break;
    case TXN_ADD:
        op.key = random_key(chance, text);
        op.number = prng_below(chance, 100);
        break;
    case TXN_DELETE_RANGE:
        op.key = random_key(chance, text);
        op.end = prng_below(chance, 4) == 0 ? random_key(chance, end) : op.key;
        break;
    case TXN_TOUCH:
        op.key = random_key(chance, text);
        op.ttl_ms = prng_below(chance, 60);
        break;
    case TXN_LEASE_GRANT:
    case TXN_LEASE_KEEP:
        op.ttl_ms = 1 + prng_below(chance, 80);
        op.lease = lease;
        break;
    case TXN_LEASE_REVOKE:
        op.lease = lease;
        break;
    case TXN_LOCK: {
        size_t which = prng_below(chance, ARRAY_COUNT(locks));
        op.key = locks[which];
        op.number = which == 1 ? 3 : 1;
        op.ttl_ms = prng_below(chance, 2) ? 1 + prng_below(chance, 60) : 0;
        op.lease = op.ttl_ms != 0 ? 1000 + prng_below(chance, 1000000) : 0;
        op.wait_ms = prng_below(chance, 100);
        op.value = SLICE_LITERAL("who");
        break;
    }
    case TXN_LOCK_RENEW:
    case TXN_LOCK_LEAVE:
    case TXN_UNLOCK:
        op.key = locks[prng_below(chance, ARRAY_COUNT(locks))];
        op.number = region->last_token - prng_below(chance, 5);
        op.flags = op.type == TXN_UNLOCK && prng_below(chance, 4) == 0 ? TXN_FORCE : 0;
        break;
    case TXN_EXPIRE:
        op.number = 1 + prng_below(chance, 4);
        break;
    }
    txn_add_op(builder, &op, prng_below(chance, 8) == 0);
}

static void build_random(struct prng *chance, struct txn_builder *builder,
                         const struct store_region *region)
{
    static const char *const keys[] = {"i1", "i2", "i3", "i4", "i5", "i6", "i7", "i8"};
    char text[KEY_TEXT_SIZE];
    if (prng_below(chance, 3) == 0) {
        struct txn_check check = {.target = TXN_VERSION,
                                  .relation = (enum txn_relation)(1 + prng_below(chance, 6)),
                                  .key = random_key(chance, text),
                                  .number = prng_below(chance, 3)};
        txn_add_check(builder, &check);
    }
    uint64_t count = 1 + prng_below(chance, 3);
    for (uint64_t i = 0; i < count; i++) {
        add_random_op(chance, builder, region);
    }
    if (prng_below(chance, 4) == 0) {
        builder->txn.idempotency_key = slice_from_text(keys[prng_below(chance, ARRAY_COUNT(keys))]);
        builder->txn.fingerprint.low = prng_below(chance, 10) == 0;
    }
}

/* The other has checkpoints, and comes back from them, now and then. */
static void disturb(struct prng *chance, struct world *world)
{
    if (prng_below(chance, 20) == 0) {
        world_checkpoint(world);
        if (prng_below(chance, 3) == 0) {
            world_reopen(world);
        }
    }
}

static void assert_alike(const struct world *a, const struct world *b)
{
    const struct store_region *one = world_region(a);
    const struct store_region *other = world_region(b);
    assert_true(hash128_equal(one->state_hash, other->state_hash));
    assert_int_equal(one->revision, other->revision);
    assert_int_equal(one->elapsed_ms, other->elapsed_ms);
    assert_int_equal(one->last_token, other->last_token);
    assert_int_equal(one->idempotency_keys, other->idempotency_keys);
    assert_int_equal(one->keys, other->keys);
    assert_int_equal(one->key_bytes, other->key_bytes);
    assert_int_equal(one->value_bytes, other->value_bytes);
    assert_int_equal(one->system_keys, other->system_keys);
    assert_int_equal(one->system_bytes, other->system_bytes);
}

static void where_records_stand_makes_no_difference(void **state)
{
    (void)state;
    struct prng chance;
    prng_init(&chance, 20261128);
    struct world plain = {0};
    struct world disturbed = {.options = {.map_size_bytes = 1}};
    world_make(&plain);
    world_make(&disturbed);
    uint64_t elapsed_ms = 1;
    uint64_t done = 0;
    uint64_t replayed = 0;
    for (unsigned i = 0; i < 4000; i++) {
        struct txn_builder builder = {0};
        build_random(&chance, &builder, world_region(&plain));
        elapsed_ms += prng_below(&chance, 6);
        struct txn txn = txn_builder_result(&builder);
        struct buf *bytes = txn_command(&txn, elapsed_ms);
        struct buf *copy = buf_copy(buf_slice(bytes));
        struct answered one = world_apply_bytes(&plain, bytes);
        struct answered other = world_apply_bytes(&disturbed, copy);
        assert_int_equal(one.result.e, other.result.e);
        assert_int_equal(one.result.revision, other.result.revision);
        assert_int_equal(one.result.failed, other.result.failed);
        assert_true(slice_equal(one.result.results, other.result.results));
        assert_alike(&plain, &disturbed);
        done += one.result.e == OK;
        replayed += one.result.is_replayed;
        if (i % 50 == 0) {
            world_check(&plain);
            world_check(&disturbed);
        }
        answered_drop(&one);
        answered_drop(&other);
        buf_unref(copy);
        buf_unref(bytes);
        txn_builder_deinit(&builder);
        disturb(&chance, &disturbed);
    }
    assert_true(done > 1500 && replayed > 20); /* else this test has become one of refusals */
    world_remove(&disturbed);
    world_remove(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_check_compares_with_what_is_there),
        cmocka_unit_test(a_key_that_is_not_there_is_at_zero_and_has_no_value),
        cmocka_unit_test(a_check_of_a_range_is_of_every_key_in_it),
        cmocka_unit_test(one_of_several_is_enough_where_that_is_said),
        cmocka_unit_test(a_failed_check_changes_nothing_and_shows_the_key),
        cmocka_unit_test(all_operations_share_one_revision_and_see_each_other),
        cmocka_unit_test(what_is_refused_in_the_middle_leaves_nothing_behind),
        cmocka_unit_test(without_the_checks_the_else_branch_is_done),
        cmocka_unit_test(a_quota_is_of_the_whole),
        cmocka_unit_test(what_is_remembered_counts),
        cmocka_unit_test(what_frees_goes_on_past_the_quota_and_is_remembered),
        cmocka_unit_test(what_is_forgotten_for_it_counts_too),
        cmocka_unit_test(times_leases_and_locks_count),
        cmocka_unit_test(a_lock_goes_to_the_next_past_the_quota),
        cmocka_unit_test(a_plain_write_takes_a_keys_time_away),
        cmocka_unit_test(each_change_is_told_in_the_order_of_the_keys),
        cmocka_unit_test(where_records_stand_makes_no_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
