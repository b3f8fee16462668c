#include "base/prng.h"
#include "damage_testing.h"
#include "store/scan.h"
#include "store/store_int.h"

/* ---- the model: a sorted array of keys, each with the number that its value has ---- */

#define KEYS_MAX 600u
#define MODEL_KEY_MAX 6u

struct model_entry {
    uint8_t key[MODEL_KEY_MAX];
    size_t size;
    uint32_t number;
};

struct model {
    struct model_entry entries[KEYS_MAX];
    size_t count;
};

static struct slice model_key(const struct model_entry *entry)
{
    return (struct slice){entry->key, entry->size};
}

/* How many are before `key`. */
static size_t model_position(const struct model *model, struct slice key)
{
    size_t position = 0;
    while (position < model->count &&
           slice_compare(model_key(&model->entries[position]), key) < 0) {
        position++;
    }
    return position;
}

static void model_put(struct model *model, struct slice key, uint32_t number)
{
    size_t position = model_position(model, key);
    struct model_entry *entry = &model->entries[position];
    if (position == model->count || !slice_equal(model_key(entry), key)) {
        assert_true(model->count < KEYS_MAX);
        memmove(entry + 1, entry, (model->count - position) * sizeof(*entry));
        memcpy(entry->key, key.data, key.size);
        entry->size = key.size;
        model->count++;
    }
    entry->number = number;
}

static void model_delete(struct model *model, struct slice key)
{
    size_t position = model_position(model, key);
    struct model_entry *entry = &model->entries[position];
    if (position < model->count && slice_equal(model_key(entry), key)) {
        model->count--;
        memmove(entry, entry + 1, (model->count - position) * sizeof(*entry));
    }
}

/* Few bytes, so that keys meet and begin with each other; the ends of what a byte can be too. */
static struct slice random_key(struct prng *prng, uint8_t *target)
{
    static const uint8_t bytes[] = {0x00, 0x01, 'a', 'b', '/', 0xfe, 0xff};
    size_t size = 1 + prng_below(prng, MODEL_KEY_MAX - 1);
    for (size_t i = 0; i < size; i++) {
        target[i] = bytes[prng_below(prng, sizeof(bytes))];
    }
    return (struct slice){target, size};
}

/* Its place is what the model has next; whose value is the number. */
static void assert_at(struct store_scan *scan, const struct model_entry *entry)
{
    struct store_record record;
    char number[12];
    assert_int_equal(store_scan_next(scan), OK);
    assert_true(slice_equal(scan->key, model_key(entry)));
    assert_int_equal(store_scan_read(scan, &record), OK);
    (void)snprintf(number, sizeof(number), "%u", entry->number);
    assert_true(slice_equal(record.value, slice_from_text(number)));
}

/* A walk over a random range, in a random direction, with leaps. */
static void compare_walk(struct world *world, const struct model *model, struct prng *prng)
{
    uint8_t begin_bytes[MODEL_KEY_MAX];
    uint8_t end_bytes[MODEL_KEY_MAX];
    uint8_t leap_bytes[64][MODEL_KEY_MAX];
    size_t leaps = 0;
    struct store_range range = {random_key(prng, begin_bytes), random_key(prng, end_bytes)};
    if (prng_below(prng, 3) == 0) {
        range.begin = SLICE_EMPTY;
    }
    if (prng_below(prng, 3) == 0) {
        range.end = SLICE_EMPTY;
    }
    bool is_reverse = prng_below(prng, 2) == 0;
    size_t low = model_position(model, range.begin);
    size_t high = range.end.size > 0 ? model_position(model, range.end) : model->count;
    struct store_scan scan;
    store_scan_open(&scan, world->store, range, is_reverse);
    while (low < high) {
        assert_at(&scan, &model->entries[is_reverse ? high - 1 : low]);
        low += !is_reverse;
        high -= is_reverse;
        if (leaps < ARRAY_COUNT(leap_bytes) && prng_below(prng, 8) == 0) {
            struct slice leap = random_key(prng, leap_bytes[leaps]);
            size_t position = model_position(model, leap);
            if (is_reverse ? position <= high && position >= low : position >= low) {
                leaps++;
                store_scan_skip(&scan, leap);
                low = is_reverse ? low : position;
                high = is_reverse ? position : high;
            }
        }
    }
    assert_int_equal(store_scan_next(&scan), ERR_NOT_FOUND);
    assert_int_equal(store_scan_next(&scan), ERR_NOT_FOUND);
    store_scan_close(&scan);
}

static void change(struct world *world, struct model *model, struct prng *prng, uint32_t number)
{
    uint8_t bytes[MODEL_KEY_MAX];
    struct slice key = random_key(prng, bytes);
    if (prng_below(prng, 3) == 0) {
        world_delete(world, key);
        model_delete(model, key);
    } else if (model->count < KEYS_MAX - 1) {
        char text[12];
        (void)snprintf(text, sizeof(text), "%u", number);
        world_put(world, key, slice_from_text(text));
        model_put(model, key, number);
    }
}

static void it_walks_as_over_a_sorted_array_whatever_is_where(void **state)
{
    (void)state;
    struct world world = {0};
    struct prng prng;
    static struct model model;
    unsigned with_both = 0;
    prng_init(&prng, 6);
    world_make(&world);
    for (uint32_t round = 0; round < 400; round++) {
        uint64_t changes = prng_below(&prng, 30);
        for (uint64_t i = 0; i < changes; i++) {
            change(&world, &model, &prng, round * 100 + (uint32_t)i);
        }
        if (prng_below(&prng, 8) == 0) {
            store_checkpoint(world.store); /* not waited for: there is a frozen tail */
        }
        if (prng_below(&prng, 8) == 0) {
            env_uv_run_once(world.place.env, false);
        }
        with_both += store_tails_are_there(&world.store->frozen) &&
                     store_tails_count(&world.store->active) > 0;
        for (int i = 0; i < 8; i++) {
            compare_walk(&world, &model, &prng);
        }
    }
    assert_true(with_both > 20);
    assert_true(store_stats(world.store)->checkpoints > 5);
    world_remove(&world);
}

static void an_empty_store_has_no_key(void **state)
{
    (void)state;
    struct world world = {0};
    struct store_scan scan;
    world_make(&world);
    for (int is_reverse = 0; is_reverse < 2; is_reverse++) {
        store_scan_open(&scan, world.store, (struct store_range){SLICE_EMPTY, SLICE_EMPTY},
                        is_reverse != 0);
        assert_int_equal(store_scan_next(&scan), ERR_NOT_FOUND);
        store_scan_close(&scan);
    }
    world_remove(&world);
}

static void the_longest_key_and_what_is_right_behind_it(void **state)
{
    (void)state;
    struct world world = {0};
    struct store_scan scan;
    uint8_t longest[STORE_BOUND_SIZE_MAX];
    memset(longest, 0xff, sizeof(longest));
    longest[KEY_SIZE_MAX] = 0;
    struct slice key = {longest, KEY_SIZE_MAX};
    struct slice behind = {longest, STORE_BOUND_SIZE_MAX};
    world_make(&world);
    world_put(&world, key, SLICE_LITERAL("v"));
    for (int i = 0; i < 2; i++) { /* in the tail, then in the checkpoint */
        store_scan_open(&scan, world.store, (struct store_range){behind, SLICE_EMPTY}, false);
        assert_int_equal(store_scan_next(&scan), ERR_NOT_FOUND);
        store_scan_close(&scan);
        store_scan_open(&scan, world.store, (struct store_range){SLICE_EMPTY, behind}, true);
        assert_int_equal(store_scan_next(&scan), OK);
        assert_true(slice_equal(scan.key, key));
        store_scan_close(&scan);
        if (i == 0) {
            world_checkpoint(&world);
        }
    }
    world_remove(&world);
}

static void a_damaged_record_is_not_told_and_the_walk_goes_on(void **state)
{
    (void)state;
    struct world world = {0};
    struct store_scan scan;
    struct store_record record;
    world_make(&world);
    world_put(&world, SLICE_LITERAL("a"), SLICE_LITERAL("first of three"));
    world_put(&world, SLICE_LITERAL("b"), SLICE_LITERAL("second of three"));
    world_put(&world, SLICE_LITERAL("c"), SLICE_LITERAL("third of three"));
    world_checkpoint(&world);
    assert_int_equal(spoil(&world, SLICE_LITERAL("second of three"), 3, 1), 1);
    store_scan_open(&scan, world.store, (struct store_range){SLICE_EMPTY, SLICE_EMPTY}, false);
    assert_int_equal(store_scan_next(&scan), OK);
    assert_int_equal(store_scan_read(&scan, &record), OK);
    assert_int_equal(store_scan_next(&scan), OK);
    assert_int_equal(store_scan_head(&scan, &record), OK); /* the head is whole */
    assert_int_equal(store_scan_read(&scan, &record), ERR_CORRUPT);
    assert_int_equal(store_scan_next(&scan), OK);
    assert_int_equal(store_scan_read(&scan, &record), OK);
    assert_true(slice_equal(record.value, SLICE_LITERAL("third of three")));
    store_scan_close(&scan);
    assert_int_equal(store_stats(world.store)->corrupt_records, 1);
    world_remove(&world);
}

static void the_range_of_a_key_has_none_of_its_neighbours(void **state)
{
    (void)state;
    uint8_t end[STORE_BOUND_SIZE_MAX];
    uint8_t longest[KEY_SIZE_MAX];
    struct store_range range = store_range_of_key(SLICE_LITERAL("a"), end);
    assert_true(slice_equal(range.begin, SLICE_LITERAL("a")));
    assert_true(slice_equal(range.end, SLICE_LITERAL("a\0")));
    assert_true(slice_compare(SLICE_LITERAL("a0"), range.end) > 0);
    memset(longest, 0xff, sizeof(longest));
    range = store_range_of_key((struct slice){longest, sizeof(longest)}, end);
    assert_int_equal(range.end.size, STORE_BOUND_SIZE_MAX);
    assert_int_equal(range.end.data[KEY_SIZE_MAX], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_range_of_a_key_has_none_of_its_neighbours),
        cmocka_unit_test(it_walks_as_over_a_sorted_array_whatever_is_where),
        cmocka_unit_test(an_empty_store_has_no_key),
        cmocka_unit_test(the_longest_key_and_what_is_right_behind_it),
        cmocka_unit_test(a_damaged_record_is_not_told_and_the_walk_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
