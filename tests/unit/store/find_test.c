/* The walk over all layers of a space, against a model. */
#include "base/prng.h"
#include "system_testing.h"

#define KEYS 200u

/* Which of the numbered keys there are, and the values' numbers. */
struct model {
    bool is_there[KEYS];
    unsigned value[KEYS];
};

static struct slice value_of(char *text, unsigned number)
{
    int size = snprintf(text, KEY_TEXT_SIZE, "value %u", number);
    return (struct slice){(const uint8_t *)text, (size_t)size};
}

static void change(struct world *world, struct model *model, unsigned number, unsigned value)
{
    char key[KEY_TEXT_SIZE];
    char text[KEY_TEXT_SIZE];
    model->is_there[number] = value % 3 > 0;
    if (model->is_there[number]) {
        model->value[number] = value;
        world_put_system(world, key_of(key, number), value_of(text, value));
    } else {
        world_delete_system(world, key_of(key, number));
    }
}

/* The next one from `number` on is what the model says; which that is, KEYS: none. */
static unsigned assert_next(struct world *world, const struct model *model, unsigned number)
{
    char text[KEY_TEXT_SIZE];
    char value[KEY_TEXT_SIZE];
    uint8_t target[STORE_SYSTEM_KEY_SIZE_MAX];
    struct slice key;
    struct store_record record;
    struct slice from = number > 0 ? key_of(text, number) : SLICE_EMPTY;
    unsigned expected = number;
    while (expected < KEYS && !model->is_there[expected]) {
        expected++;
    }
    err e = store_find_next(world->store, STORE_SPACE_SYSTEM, from, target, &key, &record);
    assert_int_equal(e, expected < KEYS ? OK : ERR_NOT_FOUND);
    if (e == OK) {
        assert_true(slice_equal(key, key_of(text, expected)));
        assert_ptr_equal(key.data, target);
        assert_true(slice_equal(record.value, value_of(value, model->value[expected])));
        assert_int_equal(store_record_verify(&record, key), OK);
    }
    return expected;
}

static void assert_all(struct world *world, const struct model *model)
{
    for (unsigned number = 0; number < KEYS; number++) {
        (void)assert_next(world, model, number);
    }
    unsigned steps = 0; /* and as a walk */
    for (unsigned number = 0; number < KEYS; number++) {
        number = assert_next(world, model, number);
        steps++;
    }
    assert_true(steps <= KEYS);
}

static void draw_changes(struct world *world, struct model *model, struct prng *prng)
{
    for (uint64_t i = prng_below(prng, KEYS); i > 0; i--) {
        change(world, model, (unsigned)prng_below(prng, KEYS), (unsigned)prng_next(prng));
    }
}

/* In LMDB, in a frozen tail that is being written, in the active one. */
static void it_finds_what_the_model_has_in_any_three_layers(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 20; seed++) {
        struct world world = {0};
        struct model model = {{0}, {0}};
        struct prng prng;
        prng_init(&prng, seed);
        world_make(&world);
        draw_changes(&world, &model, &prng);
        assert_all(&world, &model);
        world_checkpoint(&world);
        assert_all(&world, &model);
        draw_changes(&world, &model, &prng);
        assert_all(&world, &model);
        store_apply_nothing(world.store, REGION, world_next(&world));
        store_checkpoint(world.store);
        assert_true(store_tails_are_there(&world.store->frozen));
        assert_all(&world, &model);
        draw_changes(&world, &model, &prng);
        assert_all(&world, &model);
        while (store_tails_are_there(&world.store->frozen)) {
            env_uv_run_once(world.place.env, true);
        }
        assert_all(&world, &model);
        world_checkpoint(&world);
        world_reopen(&world);
        assert_all(&world, &model);
        world_remove(&world);
    }
}

static void the_spaces_know_nothing_of_each_other(void **state)
{
    (void)state;
    struct world world = {0};
    uint8_t target[STORE_SYSTEM_KEY_SIZE_MAX];
    struct slice key;
    struct store_record record;
    world_make(&world);
    world_put(&world, SLICE_LITERAL("b"), SLICE_LITERAL("the user's"));
    world_put_system(&world, SLICE_LITERAL("c"), SLICE_LITERAL("the system's"));
    for (unsigned i = 0; i < 2; i++) {
        err e = store_find_next(world.store, STORE_SPACE_USER, SLICE_EMPTY, target, &key, &record);
        assert_int_equal(e, OK);
        assert_true(slice_equal(key, SLICE_LITERAL("b")));
        e = store_find_next(world.store, STORE_SPACE_USER, SLICE_LITERAL("c"), target, &key,
                            &record);
        assert_int_equal(e, ERR_NOT_FOUND);
        e = store_find_next(world.store, STORE_SPACE_SYSTEM, SLICE_LITERAL("a"), target, &key,
                            &record);
        assert_int_equal(e, OK);
        assert_true(slice_equal(key, SLICE_LITERAL("c")));
        world_checkpoint(&world);
        store_apply_nothing(world.store, REGION, world_next(&world));
    }
    world_remove(&world);
}

static void a_walk_goes_on_from_the_key_that_it_has_found(void **state)
{
    (void)state;
    struct world world = {0};
    uint8_t target[STORE_SYSTEM_KEY_SIZE_MAX];
    struct slice key = SLICE_EMPTY;
    struct store_record record;
    unsigned count = 0;
    world_make(&world);
    fill_system(&world, 50);
    world_checkpoint(&world);
    while (store_find_next(world.store, STORE_SPACE_SYSTEM, key, target, &key, &record) == OK) {
        count++;
        world_delete_system(&world, key);
        target[key.size] = 0; /* right behind it; `from` lies in the target */
        key.size++;
    }
    assert_int_equal(count, 50);
    assert_int_equal(world_region(&world)->system_keys, 0);
    world_remove(&world);
}

static void the_longest_key_has_room(void **state)
{
    (void)state;
    struct world world = {0};
    uint8_t bytes[STORE_SYSTEM_KEY_SIZE_MAX];
    uint8_t target[STORE_SYSTEM_KEY_SIZE_MAX];
    struct slice longest = {bytes, sizeof(bytes)};
    struct slice key;
    struct store_record record;
    memset(bytes, 0xff, sizeof(bytes));
    world_make(&world);
    world_put_system(&world, longest, SLICE_LITERAL("value"));
    for (unsigned i = 0; i < 2; i++) {
        err e = store_find_next(world.store, STORE_SPACE_SYSTEM, longest, target, &key, &record);
        assert_int_equal(e, OK);
        assert_true(slice_equal(key, longest));
        assert_system_value(&world, longest, SLICE_LITERAL("value"));
        world_checkpoint(&world);
        store_apply_nothing(world.store, REGION, world_next(&world));
    }
    world_remove(&world);
}

/* Each call passes a tombstone once, and the second one none of those before its place. */
static void many_tombstones_are_walked_over_in_one_go(void **state)
{
    (void)state;
    struct world world = {0};
    uint8_t target[STORE_SYSTEM_KEY_SIZE_MAX];
    struct slice key;
    struct store_record record;
    char text[KEY_TEXT_SIZE];
    world_make(&world);
    fill_system(&world, 20000);
    world_checkpoint(&world);
    for (unsigned i = 0; i < 19999; i++) {
        world_delete_system(&world, key_of(text, i));
    }
    err e = store_find_next(world.store, STORE_SPACE_SYSTEM, SLICE_EMPTY, target, &key, &record);
    assert_int_equal(e, OK);
    assert_true(slice_equal(key, key_of(text, 19999)));
    world_remove(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_finds_what_the_model_has_in_any_three_layers),
        cmocka_unit_test(the_spaces_know_nothing_of_each_other),
        cmocka_unit_test(a_walk_goes_on_from_the_key_that_it_has_found),
        cmocka_unit_test(the_longest_key_has_room),
        cmocka_unit_test(many_tombstones_are_walked_over_in_one_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
