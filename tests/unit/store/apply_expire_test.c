/* What is due: how much of it goes, in which order, and when the next of it is. */
#include "damage_testing.h"
#include "store/distrust.h"
#include "txn_testing.h"

#define KEYS 200u

/* When each key is due; 0: it is not there, or has no end. */
struct model {
    uint64_t due_ms[KEYS];
    uint64_t there;
};

static void put(struct world *world, struct model *model, uint64_t key, uint64_t ttl_ms,
                uint64_t elapsed_ms)
{
    char text[KEY_TEXT_SIZE];
    const struct txn_op op = {.type = TXN_PUT, .key = key_of(text, key), .ttl_ms = ttl_ms};
    assert_int_equal(world_op_error(world, &op, elapsed_ms), OK);
    model->there += model->due_ms[key] == 0 ? 1 : 0;
    model->due_ms[key] = elapsed_ms + ttl_ms;
}

/* Removes the first that are due; as many as there were, at most `count_max`. */
static uint64_t model_expire(struct model *model, uint64_t elapsed_ms, uint64_t count_max)
{
    uint64_t count = 0;
    while (count < count_max) {
        uint64_t first = KEYS;
        for (uint64_t i = 0; i < KEYS; i++) {
            bool is_due = model->due_ms[i] != 0 && model->due_ms[i] <= elapsed_ms;
            if (is_due && (first == KEYS || model->due_ms[i] < model->due_ms[first])) {
                first = i;
            }
        }
        if (first == KEYS) {
            break;
        }
        model->due_ms[first] = 0;
        count++;
    }
    model->there -= count;
    return count;
}

static void compare(struct world *world, const struct model *model)
{
    uint64_t next_ms = UINT64_MAX;
    uint64_t found_ms;
    for (uint64_t i = 0; i < KEYS; i++) {
        char text[KEY_TEXT_SIZE];
        struct store_record record;
        err e = store_find_record(world->store, STORE_SPACE_USER, key_of(text, i), &record);
        assert_int_equal(e, model->due_ms[i] != 0 ? OK : ERR_NOT_FOUND);
        next_ms = model->due_ms[i] != 0 && model->due_ms[i] < next_ms ? model->due_ms[i] : next_ms;
    }
    bool is_any = store_next_due(world->store, REGION, &found_ms);
    assert_int_equal(is_any, model->there > 0);
    assert_true(!is_any || found_ms == next_ms);
    assert_int_equal(world_region(world)->keys, model->there);
}

static void what_is_due_goes_the_oldest_first(void **state)
{
    (void)state;
    struct prng chance;
    struct world world = {0};
    struct model model = {0};
    uint64_t elapsed_ms = 1;
    prng_init(&chance, 3);
    world_make(&world);
    for (unsigned i = 0; i < 1500; i++) {
        elapsed_ms += prng_below(&chance, 4);
        if (prng_below(&chance, 4) > 0) {
            put(&world, &model, prng_below(&chance, KEYS), 1 + prng_below(&chance, 300),
                elapsed_ms);
        } else {
            const struct txn_op op = {.type = TXN_EXPIRE, .number = 1 + prng_below(&chance, 12)};
            uint64_t revision = world_region(&world)->revision;
            uint64_t count = model_expire(&model, elapsed_ms, op.number);
            struct answered answered = world_op(&world, &op, elapsed_ms);
            assert_int_equal(answered.ops[0].number, count);
            assert_int_equal(world_region(&world)->revision, revision + (count > 0 ? 1 : 0));
            answered_drop(&answered);
        }
        compare(&world, &model);
        if (prng_below(&chance, 100) == 0) {
            world_checkpoint(&world); /* the floors of what is due outlive it */
        }
    }
    world_check(&world);
    world_remove(&world);
}

/* Nothing goes by what a command says of a time that the state is past already, or not yet at. */
static void only_the_states_own_time_counts(void **state)
{
    (void)state;
    struct world world = {0};
    struct model model = {0};
    const struct txn_op expire = {.type = TXN_EXPIRE, .number = 10};
    world_make(&world);
    put(&world, &model, 1, 10, 100);
    assert_int_equal(world_op_error(&world, &expire, 109), OK);
    assert_int_equal(world_region(&world)->keys, 1);
    assert_int_equal(world_op_error(&world, &expire, 5), OK);
    assert_int_equal(world_region(&world)->elapsed_ms, 109);
    assert_int_equal(world_region(&world)->keys, 1);
    assert_int_equal(world_op_error(&world, &expire, 110), OK);
    assert_int_equal(world_region(&world)->keys, 0);
    assert_int_equal(world_op_error(&world, &expire, 0), OK);
    assert_int_equal(world_region(&world)->elapsed_ms, 110);
    world_remove(&world);
}

static void a_key_that_is_put_again_or_deleted_is_due_no_more(void **state)
{
    (void)state;
    struct world world = {0};
    struct model model = {0};
    const struct txn_op expire = {.type = TXN_EXPIRE, .number = 10};
    char text[KEY_TEXT_SIZE];
    uint64_t due_ms;
    world_make(&world);
    put(&world, &model, 1, 10, 100);
    world_put(&world, key_of(text, 1), SLICE_LITERAL("plain"));
    assert_false(store_next_due(world.store, REGION, &due_ms));
    assert_int_equal(world_op_error(&world, &expire, 1000), OK);
    assert_int_equal(world_region(&world)->keys, 1);
    put(&world, &model, 2, 10, 1000);
    world_delete(&world, key_of(text, 2));
    assert_int_equal(world_op_error(&world, &expire, 2000), OK);
    assert_int_equal(world_region(&world)->keys, 1);
    world_check(&world);
    world_remove(&world);
}

/* Its exit is a failure's, with the mark; 0: it goes on. */
static void ask_for_what_is_due(void *ctx)
{
    struct world *world = ctx;
    struct err_note note = {.text = ""};
    uint64_t due_ms;
    world->place.env = env_uv_open();
    EXPECT(store_open(&world->store, &world->options, &note) == OK);
    (void)store_next_due(world->store, REGION, &due_ms);
}

/* Taken for nothing, it would keep what is due where it is. */
static void a_damaged_time_ends_the_process(void **state)
{
    (void)state;
    struct world world = {0};
    struct model model = {0};
    struct system_key entry;
    char text[KEY_TEXT_SIZE];
    world_make(&world);
    put(&world, &model, 1, 10, 100);
    put(&world, &model, 2, 10, 200);
    world_checkpoint(&world);
    struct slice first = system_key_expiry(&entry, 110, SYSTEM_OF_KEY, key_of(text, 1));
    assert_true(spoil(&world, first, first.size + 8, 0x10) > 0); /* in the record's head */
    store_close(world.store);
    int status = status_of(ask_for_what_is_due, &world);
    assert_true(exited_with(status, EXIT_FAILURE));
    struct err_note note = {.text = ""};
    assert_int_equal(store_check_trust(world.place.env, world.place.store_directory, &note),
                     ERR_DAMAGED);
    place_remove(&world.place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_damaged_time_ends_the_process),
        cmocka_unit_test(what_is_due_goes_the_oldest_first),
        cmocka_unit_test(only_the_states_own_time_counts),
        cmocka_unit_test(a_key_that_is_put_again_or_deleted_is_due_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
