/* Counts of ranges: a census against a walk, whatever comes and goes. */
#include "store/snapshot_int.h"
#include "txn_testing.h"

/* ---- what has to be true ---- */

static struct store_census *census_of(struct world *world)
{
    return *store_census_of(store_find_region(world->store, REGION));
}

static uint64_t walk(struct world *world, struct store_range range)
{
    struct store_scan scan;
    uint64_t count = 0;
    store_scan_open(&scan, world->store, range, false);
    while (store_scan_next(&scan) == OK) {
        count++;
    }
    store_scan_close(&scan);
    return count;
}

/* The count, with as many steps as it takes; how many that were. */
static unsigned count_in_steps(struct world *world, struct store_range range, uint64_t *out_count)
{
    unsigned steps = 0;
    err e;
    while ((e = store_count(world->store, REGION, range, 64, out_count)) == ERR_OVERLOADED) {
        steps++;
        assert_true(steps < 100000);
    }
    assert_int_equal(e, OK);
    return steps;
}

static void assert_count(struct world *world, struct store_range range)
{
    uint64_t count;
    (void)count_in_steps(world, range, &count);
    assert_int_equal(count, walk(world, range));
}

/* V1, V2, and the figures. */
static void assert_in_order(struct world *world)
{
    const struct store_stats *stats = store_stats(world->store);
    const char *problem = block_census(world->store, REGION);
    if (problem != NULL) {
        fail_msg("%s", problem);
    }
    const struct store_census *census = census_of(world);
    assert_int_equal(stats->census_blocks, census != NULL ? census->count : 0);
    uint64_t bytes = 0;
    for (size_t i = 0; census != NULL && i < census->count; i++) {
        bytes += census->blocks[i].begin_size;
    }
    bytes += census != NULL ? census->capacity * sizeof(*census->blocks) : 0;
    assert_int_equal(stats->census_bytes, bytes);
}

static void fill(struct world *world, uint64_t first, uint64_t end)
{
    for (uint64_t i = first; i < end; i++) {
        char text[KEY_TEXT_SIZE];
        world_put(world, key_of(text, i), SLICE_LITERAL("v"));
    }
}

/* ---- as it begins ---- */

static void nobody_pays_before_somebody_counts(void **state)
{
    (void)state;
    struct world world = {.options = {.census_block = 16}};
    struct store_range all = {SLICE_LITERAL("k"), SLICE_EMPTY};
    uint64_t count;
    assert_int_equal(STORE_CENSUS_BLOCK, 1024);
    world_make(&world);
    fill(&world, 0, 100);
    assert_int_equal(store_count(world.store, REGION, all, 0, &count), ERR_OVERLOADED);
    assert_null(census_of(&world));
    assert_int_equal(store_stats(world.store)->census_blocks, 0);
    assert_int_equal(store_stats(world.store)->census_bytes, 0);
    world_remove(&world);
}

static void a_large_region_is_cut_step_by_step_while_it_changes(void **state)
{
    (void)state;
    struct world world = {.options = {.census_block = 16}};
    char begin[KEY_TEXT_SIZE];
    char end[KEY_TEXT_SIZE];
    char text[KEY_TEXT_SIZE];
    uint64_t count;
    uint64_t steps = 0;
    world_make(&world);
    for (uint64_t i = 0; i < 6000; i += 2) { /* the even ones */
        world_put(&world, key_of(text, i), SLICE_LITERAL("v"));
    }
    world_checkpoint(&world);
    struct store_range range = {key_of(begin, 2000), key_of(end, 5000)};
    while (store_count(world.store, REGION, range, 64, &count) == ERR_OVERLOADED) {
        /* Before the place that it has come to, and behind it. */
        world_put(&world, key_of(text, 2 * steps + 1), SLICE_LITERAL("v"));
        world_put(&world, key_of(text, 4999 - 2 * steps), SLICE_LITERAL("v"));
        world_delete(&world, key_of(text, 4 * steps));
        world_put(&world, key_of(text, 4000 + 2 * steps), SLICE_LITERAL("of another value"));
        steps++;
        assert_in_order(&world);
    }
    assert_true(steps > 20);
    assert_int_equal(count, walk(&world, range));
    assert_in_order(&world);
    /* From now on at once, within what was cut. */
    for (uint64_t i = 0; i < 2500; i += 100) {
        range = (struct store_range){key_of(begin, i), key_of(end, 4900 - i / 2)};
        assert_int_equal(store_count(world.store, REGION, range, 0, &count), OK);
        assert_int_equal(count, walk(&world, range));
    }
    world_remove(&world);
}

static void bounds_of_all_kinds(void **state)
{
    (void)state;
    struct world world = {.options = {.census_block = 2}};
    uint8_t longest[STORE_BOUND_SIZE_MAX];
    memset(longest, 0xff, sizeof(longest));
    longest[KEY_SIZE_MAX] = 0;
    struct slice bounds[] = {
        SLICE_EMPTY,           SLICE_LITERAL("\0"),     SLICE_LITERAL("a"),
        SLICE_LITERAL("b"),    SLICE_LITERAL("b\0"),    SLICE_LITERAL("ba"),
        SLICE_LITERAL("\xff"), {longest, KEY_SIZE_MAX}, {longest, STORE_BOUND_SIZE_MAX},
    };
    world_make(&world);
    for (int round = 0; round < 2; round++) { /* without a key, and with all of them */
        for (size_t i = 0; i < ARRAY_COUNT(bounds); i++) {
            for (size_t j = 0; j < ARRAY_COUNT(bounds); j++) {
                bool is_none = bounds[j].size > 0 && slice_compare(bounds[i], bounds[j]) >= 0;
                struct store_range range = {bounds[i], bounds[j]};
                uint64_t count;
                (void)count_in_steps(&world, range, &count);
                assert_int_equal(count, is_none ? 0 : walk(&world, range));
            }
        }
        for (size_t i = 1; i < ARRAY_COUNT(bounds) - 1; i++) {
            world_put(&world, bounds[i], SLICE_LITERAL("v"));
            assert_in_order(&world);
        }
    }
    assert_true(census_of(&world)->count > 2);
    world_remove(&world);
}

/* ---- as it goes on ---- */

static void what_grows_is_cut_and_what_shrinks_is_joined(void **state)
{
    (void)state;
    struct world world = {.options = {.census_block = 16}};
    struct store_range range = {SLICE_LITERAL("key-0"), SLICE_EMPTY};
    char text[KEY_TEXT_SIZE];
    uint64_t count;
    world_make(&world);
    fill(&world, 0, 1);
    assert_count(&world, range);
    assert_int_equal(census_of(&world)->count, 1);
    fill(&world, 1, 3000); /* nobody counts meanwhile */
    assert_in_order(&world);
    assert_in_range(census_of(&world)->count, 3000 / 32, 2 * 3000 / 16 + 1);
    assert_int_equal(store_count(world.store, REGION, range, 0, &count), OK);
    assert_int_equal(count, 3000);
    size_t blocks = census_of(&world)->count;
    uint64_t bytes = store_stats(world.store)->census_bytes;
    fill(&world, 0, 3000); /* written over: nothing of it changes */
    assert_int_equal(census_of(&world)->count, blocks);
    assert_int_equal(store_stats(world.store)->census_bytes, bytes);
    for (uint64_t i = 0; i < 3000; i++) { /* in no order */
        world_delete(&world, key_of(text, i * 1009 % 3000));
        world_delete(&world, key_of(text, i * 1009 % 3000)); /* it is not there any more */
        if (i % 64 == 0) {
            assert_in_order(&world);
        }
    }
    assert_in_order(&world);
    assert_int_equal(census_of(&world)->count, 1);
    assert_true(store_stats(world.store)->census_bytes < 200);
    world_remove(&world);
}

/* One entry that creates far more than a block has. */
static void a_large_transaction_cuts_what_it_fills(void **state)
{
    (void)state;
    struct world world = {.options = {.census_block = 16}};
    struct store_range range = {SLICE_LITERAL("key-0"), SLICE_EMPTY};
    struct txn_builder builder = {0};
    world_make(&world);
    fill(&world, 5000, 5001);
    assert_count(&world, range);
    for (uint64_t i = 0; i < 2000; i++) {
        char text[KEY_TEXT_SIZE];
        const struct txn_op op = {
            .type = TXN_PUT, .key = key_of(text, i), .value = SLICE_LITERAL("v")};
        txn_add_op(&builder, &op, false);
    }
    struct txn txn = txn_builder_result(&builder);
    struct buf *owner = txn_command(&txn, 1);
    struct command command;
    struct command_result result;
    assert_int_equal(command_decode(buf_slice(owner), &command), OK);
    store_apply(world.store, REGION, world_next(&world), &command, owner, &result);
    assert_int_equal(result.e, OK);
    buf_unref(owner);
    txn_builder_deinit(&builder);
    assert_in_order(&world);
    assert_in_range(census_of(&world)->count, 2000 / 32, 2 * 2000 / 16 + 1);
    assert_count(&world, range);
    const struct txn_op all = {.type = TXN_DELETE_RANGE, .key = SLICE_LITERAL("key-0")};
    assert_int_equal(world_op_error(&world, &all, 2), OK);
    assert_in_order(&world);
    assert_int_equal(census_of(&world)->count, 1);
    assert_int_equal(census_of(&world)->blocks[0].keys, 0);
    world_remove(&world);
}

/* ---- anything, in any order ---- */

#define SPACE 400u /* of keys */

static struct slice any_key(struct prng *chance, char *text)
{
    return key_of(text, prng_below(chance, SPACE));
}

static struct txn_op any_op(struct prng *chance, char *key, char *end)
{
    struct txn_op op = {.type = TXN_PUT, .key = any_key(chance, key), .value = SLICE_LITERAL("7")};
    switch (prng_below(chance, 8)) {
    case 0:
        op.type = TXN_DELETE;
        break;
    case 1:
        op.type = TXN_ADD; /* of what is no number it is refused, with all before it */
        op.number = 1;
        break;
    case 2:
        op.type = TXN_APPEND;
        op.value = SLICE_LITERAL("x");
        break;
    case 3:
        op.ttl_ms = 1 + prng_below(chance, 200);
        break;
    case 4:
        op.lease = 9;
        break;
    case 5:
        op.type = TXN_DELETE_RANGE;
        op.end = key_of(end, prng_below(chance, SPACE));
        if (slice_compare(op.end, op.key) <= 0 || prng_below(chance, 4) > 0) {
            op.type = TXN_DELETE;
            op.end = SLICE_EMPTY;
        }
        break;
    default:
        break;
    }
    if (op.type != TXN_PUT && op.type != TXN_APPEND) {
        op.value = SLICE_EMPTY;
    }
    return op;
}

/* Whether it was refused after operations that would have changed something. */
static bool any_txn(struct world *world, struct prng *chance, uint64_t elapsed_ms)
{
    struct txn_builder builder = {0};
    uint64_t count = 1 + prng_below(chance, 12);
    for (uint64_t i = 0; i < count; i++) {
        char key[KEY_TEXT_SIZE];
        char end[KEY_TEXT_SIZE];
        const struct txn_op op = any_op(chance, key, end);
        txn_add_op(&builder, &op, false);
    }
    struct answered answered = world_txn(world, &builder, elapsed_ms);
    bool is_refused = answered.result.e != OK && answered.result.failed > 0;
    answered_drop(&answered);
    txn_builder_deinit(&builder);
    return is_refused;
}

/* What time, or a lease, takes away. */
static void any_end(struct world *world, struct prng *chance, uint64_t elapsed_ms)
{
    const struct txn_op revoke = {.type = TXN_LEASE_REVOKE, .lease = 9};
    const struct txn_op grant = {.type = TXN_LEASE_GRANT, .lease = 9, .ttl_ms = 100000};
    const struct txn_op expire = {.type = TXN_EXPIRE, .number = 1 + prng_below(chance, 30)};
    if (prng_below(chance, 4) == 0) {
        (void)world_op_error(world, &revoke, elapsed_ms);
        assert_int_equal(world_op_error(world, &grant, elapsed_ms), OK);
    } else {
        assert_int_equal(world_op_error(world, &expire, elapsed_ms), OK);
    }
}

static void any_entry(struct world *world, struct prng *chance, uint64_t elapsed_ms,
                      unsigned *refused)
{
    char text[KEY_TEXT_SIZE];
    switch (prng_below(chance, 6)) {
    case 0:
    case 1:
        world_put(world, any_key(chance, text), SLICE_LITERAL("v"));
        break;
    case 2:
        world_delete(world, any_key(chance, text));
        break;
    case 3:
    case 4:
        *refused += any_txn(world, chance, elapsed_ms) ? 1 : 0;
        break;
    default:
        any_end(world, chance, elapsed_ms);
        break;
    }
}

static void it_counts_what_a_walk_finds_whatever_is_applied(void **state)
{
    (void)state;
    unsigned refused = 0;
    size_t most = 0;
    for (unsigned run = 0; run < 6; run++) {
        struct world world = {.options = {.census_block = 1 + run}};
        struct prng chance;
        uint64_t elapsed_ms = 1;
        prng_init(&chance, 40 + run);
        world_make(&world);
        for (unsigned i = 0; i < 1500; i++) {
            elapsed_ms += prng_below(&chance, 8);
            any_entry(&world, &chance, elapsed_ms, &refused);
            if (prng_below(&chance, 50) == 0) {
                store_checkpoint(world.store); /* not waited for: there is a frozen tail */
            }
            if (prng_below(&chance, 100) == 0) {
                world_checkpoint(&world);
            }
            if (prng_below(&chance, 20) == 0) {
                env_uv_run_once(world.place.env, false);
            }
            char begin[KEY_TEXT_SIZE];
            char end[KEY_TEXT_SIZE];
            struct store_range range = {any_key(&chance, begin), any_key(&chance, end)};
            if (prng_below(&chance, 4) == 0) {
                range.end = SLICE_EMPTY;
            }
            if (i > 300 && prng_below(&chance, 3) == 0 &&
                (range.end.size == 0 || slice_compare(range.begin, range.end) < 0)) {
                assert_count(&world, range);
                most = census_of(&world)->count > most ? census_of(&world)->count : most;
            }
            assert_in_order(&world);
        }
        world_check(&world);
        assert_true(store_stats(world.store)->checkpoints > 5);
        world_remove(&world);
    }
    assert_true(refused > 50);
    assert_true(most > 50);
}

/* ---- as it ends ---- */

static void on_installed(void *ctx, err e)
{
    bool *is_done = ctx;
    assert_int_equal(e, OK);
    *is_done = true;
}

static void another_state_has_another_census(void **state)
{
    (void)state;
    struct world origin = {0};
    struct world world = {.options = {.census_block = 16}};
    struct store_range range = {SLICE_LITERAL("key-0"), SLICE_EMPTY};
    uint64_t count;
    bool is_done = false;
    world_make(&origin);
    fill(&origin, 100, 400);
    struct chunks chunks = world_export(&origin, 1u << 20);
    world_make(&world);
    fill(&world, 0, 200);
    assert_count(&world, range);
    store_install(world.store, world_stage(&world, &chunks), on_installed, &is_done);
    while (!is_done) {
        store_turn(world.store);
        env_uv_run_once(world.place.env, !is_done);
    }
    assert_null(census_of(&world));
    assert_in_order(&world);
    (void)count_in_steps(&world, range, &count);
    assert_int_equal(count, 300);
    assert_in_order(&world);
    writer_deinit(&chunks.bytes);
    world_remove(&origin);
    world_remove(&world);
}

/* What LMDB has lost, for example: the number is of more keys than there are. */
static void one_that_cannot_be_is_dropped(void **state)
{
    (void)state;
    struct world world = {.options = {.census_block = 16}};
    struct store_range range = {SLICE_LITERAL("key-00000050"), SLICE_EMPTY};
    uint64_t count;
    world_make(&world);
    fill(&world, 0, 2);
    assert_count(&world, range);
    census_of(&world)->blocks[0].keys += 1000;
    assert_int_equal(store_count(world.store, REGION, range, 64, &count), ERR_OVERLOADED);
    assert_null(census_of(&world));
    assert_in_order(&world);
    /* While something is applied, too. */
    assert_count(&world, range);
    census_of(&world)->blocks[0].keys = 31;
    fill(&world, 2, 3);
    assert_null(census_of(&world));
    assert_int_equal(world_region(&world)->keys, 3);
    assert_count(&world, range);
    census_of(&world)->blocks[0].keys = 0;
    world_delete(&world, SLICE_LITERAL("key-00000001"));
    assert_null(census_of(&world));
    assert_in_order(&world);
    world_remove(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_pays_before_somebody_counts),
        cmocka_unit_test(a_large_region_is_cut_step_by_step_while_it_changes),
        cmocka_unit_test(bounds_of_all_kinds),
        cmocka_unit_test(what_grows_is_cut_and_what_shrinks_is_joined),
        cmocka_unit_test(a_large_transaction_cuts_what_it_fills),
        cmocka_unit_test(it_counts_what_a_walk_finds_whatever_is_applied),
        cmocka_unit_test(another_state_has_another_census),
        cmocka_unit_test(one_that_cannot_be_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
