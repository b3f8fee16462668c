#include "base/prng.h"
#include "store/tail.h"
#include "store_testing.h"

/* The model: a sorted array of keys with what stands under them. */
struct model_entry {
    struct buf *key;
    struct buf *owner; /* NULL: a tombstone */
};

struct model {
    struct model_entry *entries;
    size_t count;
};

static struct slice entry_key(const struct store_tail_entry *entry)
{
    return (struct slice){entry->key, entry->key_size};
}

static size_t model_position(const struct model *model, struct slice key)
{
    size_t position = 0;
    while (position < model->count &&
           slice_compare(buf_slice(model->entries[position].key), key) < 0) {
        position++;
    }
    return position;
}

/* Takes `owner`. */
static void model_set(struct model *model, struct slice key, struct buf *owner)
{
    size_t position = model_position(model, key);
    if (position == model->count || !slice_equal(buf_slice(model->entries[position].key), key)) {
        model->entries = mem_realloc(model->entries, model->count + 1, sizeof(*model->entries));
        memmove(model->entries + position + 1, model->entries + position,
                (model->count - position) * sizeof(*model->entries));
        model->entries[position] = (struct model_entry){.key = buf_copy(key)};
        model->count++;
    }
    buf_unref(model->entries[position].owner);
    model->entries[position].owner = owner;
}

static void model_deinit(struct model *model)
{
    for (size_t i = 0; i < model->count; i++) {
        buf_unref(model->entries[i].key);
        if (model->entries[i].owner != NULL) {
            assert_int_equal(model->entries[i].owner->ref_count,
                             1); /* the tail gave its own back */
        }
        buf_unref(model->entries[i].owner);
    }
    mem_free(model->entries);
}

static void assert_entry_is(const struct store_tail_entry *entry, const struct model_entry *model)
{
    assert_non_null(entry);
    assert_true(slice_equal(entry_key(entry), buf_slice(model->key)));
    assert_int_equal(entry->is_tombstone, model->owner == NULL);
    assert_ptr_equal(entry->record.owner, model->owner);
}

static void assert_tail_is(const struct store_tail *tail, const struct model *model)
{
    assert_int_equal(store_tail_count(tail), model->count);
    struct store_tail_cursor cursor = store_tail_seek(tail, SLICE_EMPTY);
    for (size_t i = 0; i < model->count; i++) {
        assert_entry_is(store_tail_next(&cursor), &model->entries[i]);
    }
    assert_null(store_tail_next(&cursor));
    assert_null(store_tail_next(&cursor));
}

static void put(struct store_tail *tail, struct slice key, struct buf *owner)
{
    struct store_record record = {.owner = owner, .value = buf_slice(owner)};
    store_tail_put(tail, key, &record);
}

/* Keys that share beginnings of every length, are each other's beginnings, and contain NULs. */
static struct slice random_key(struct prng *prng, uint8_t *bytes)
{
    const struct slice beginnings[] = {SLICE_LITERAL("app"), SLICE_LITERAL("app/users/"),
                                       SLICE_LITERAL("app/users/profile/"),
                                       SLICE_LITERAL("\0\0\0\0\0\0\0\0\0")};
    struct slice beginning = beginnings[prng_below(prng, ARRAY_COUNT(beginnings))];
    size_t size = 1 + prng_below(prng, beginning.size); /* a shorter one, too */
    memcpy(bytes, beginning.data, size);
    size_t more = prng_below(prng, prng_below(prng, 50) == 0 ? KEY_SIZE_MAX - 17 : 4);
    for (size_t i = 0; i < more; i++) {
        bytes[size++] = (uint8_t) "\0\1a\xff/bc"[prng_below(prng, 7)];
    }
    return (struct slice){bytes, size};
}

static void it_behaves_as_a_sorted_array_does(void **state)
{
    (void)state;
    struct store_tail *tail = store_tail_new();
    struct model model = {0};
    struct prng prng;
    prng_init(&prng, 42);
    uint8_t bytes[KEY_SIZE_MAX];
    for (int i = 0; i < 12000; i++) {
        struct slice key = random_key(&prng, bytes);
        if (prng_below(&prng, 4) == 0) {
            store_tail_delete(tail, key);
            model_set(&model, key, NULL);
        } else {
            struct buf *owner = buf_new(prng_below(&prng, 30));
            memset(owner->data, 1, owner->size);
            put(tail, key, owner);
            model_set(&model, key, owner);
        }
        struct slice probe = random_key(&prng, bytes);
        size_t position = model_position(&model, probe);
        store_tail_prefetch(tail, &probe, 1); /* changes nothing */
        const struct store_tail_entry *found = store_tail_get(tail, probe);
        struct store_tail_cursor cursor = store_tail_seek(tail, probe);
        const struct store_tail_entry *next = store_tail_next(&cursor);
        if (position == model.count) {
            assert_null(found);
            assert_null(next);
            continue;
        }
        assert_entry_is(next, &model.entries[position]);
        bool is_there = slice_equal(buf_slice(model.entries[position].key), probe);
        assert_ptr_equal(found, is_there ? next : NULL);
        if (i % 1000 == 0) {
            assert_tail_is(tail, &model);
        }
    }
    assert_tail_is(tail, &model);
    store_tail_free(tail);
    model_deinit(&model);
}

/* The number that comes i-th: upwards, downwards, from both ends by turns. */
static uint32_t number_in_order(int order, uint32_t i, uint32_t count)
{
    switch (order) {
    case 0:
        return i;
    case 1:
        return count - 1 - i;
    default:
        return i % 2 == 0 ? i / 2 : count - 1 - i / 2;
    }
}

/* The keys of all numbers below `count`, from the last to the first; between them as well. */
static void assert_goes_back(const struct store_tail *tail, uint32_t count)
{
    const struct store_tail_entry *entry = store_tail_before(tail, SLICE_EMPTY);
    for (uint32_t i = count; i > 0; i--) {
        char text[KEY_TEXT_SIZE + 1];
        struct slice key = key_of(text, i - 1);
        assert_true(slice_equal(entry_key(entry), key));
        text[key.size] = '\0';
        struct slice behind = {key.data, key.size + 1};
        assert_ptr_equal(store_tail_before(tail, behind), entry);
        entry = store_tail_before(tail, entry_key(entry));
    }
    assert_null(entry);
}

static void keys_come_out_in_order_however_they_went_in(void **state)
{
    (void)state;
    const uint32_t count = 10000; /* three levels */
    struct buf *owner = buf_new(0);
    for (int order = 0; order < 3; order++) {
        struct store_tail *tail = store_tail_new();
        for (uint32_t i = 0; i < count; i++) {
            char key[KEY_TEXT_SIZE];
            put(tail, key_of(key, number_in_order(order, i, count)), owner);
        }
        struct store_tail_cursor cursor = store_tail_seek(tail, SLICE_EMPTY);
        for (uint32_t i = 0; i < count; i++) {
            char text[KEY_TEXT_SIZE];
            struct slice key = key_of(text, i);
            const struct store_tail_entry *entry = store_tail_next(&cursor);
            assert_non_null(entry);
            assert_true(slice_equal(entry_key(entry), key));
            assert_ptr_equal(store_tail_get(tail, key), entry);
        }
        assert_null(store_tail_next(&cursor));
        assert_goes_back(tail, count);
        assert_int_equal(store_tail_count(tail), count);
        assert_int_equal(owner->ref_count, count + 1);
        store_tail_free(tail);
        assert_int_equal(owner->ref_count, 1);
    }
    buf_unref(owner);
}

static void a_key_that_all_others_begin_with_comes_before_them(void **state)
{
    (void)state;
    struct store_tail *tail = store_tail_new();
    struct buf *owner = buf_new(0);
    for (unsigned i = 0; i < 1000; i++) {
        char key[KEY_TEXT_SIZE];
        put(tail, key_of(key, i), owner);
    }
    struct buf *begin = buf_copy(SLICE_LITERAL("key-")); /* its own block: a read past it is seen */
    for (; begin->size > 0; begin->size--) {
        struct slice key = buf_slice(begin);
        struct store_tail_cursor cursor = store_tail_seek(tail, key);
        assert_null(store_tail_get(tail, key));
        assert_int_equal(store_tail_next(&cursor)->key_size,
                         begin->size == 4 ? 12 : begin->size + 1);
        store_tail_delete(tail, key);
        cursor = store_tail_seek(tail, SLICE_EMPTY);
        assert_int_equal(store_tail_next(&cursor)->key_size, begin->size);
    }
    store_tail_free(tail);
    buf_unref(begin);
    buf_unref(owner);
}

/* Longer than what a node has of it, and differing before, within and after that. */
static void a_long_common_beginning_tells_keys_apart(void **state)
{
    (void)state;
    struct store_tail *tail = store_tail_new();
    struct buf *owner = buf_new(0);
    char keys[300][100];
    struct slice slices[STORE_PREFETCH_MAX];
    for (int i = 0; i < 300; i++) {
        snprintf(keys[i], sizeof(keys[i]), "%090d", i);
        put(tail, slice_from_text(keys[i]), owner);
    }
    for (uint32_t i = 0; i < STORE_PREFETCH_MAX; i++) {
        slices[i] = slice_from_text(keys[i * 9]);
    }
    store_tail_prefetch(tail, slices, STORE_PREFETCH_MAX);
    for (size_t at = 0; at < 87; at++) {
        char key[100];
        snprintf(key, sizeof(key), "%090d", 299);
        assert_non_null(store_tail_get(tail, slice_from_text(key)));
        key[at] = '1';
        struct store_tail_cursor cursor = store_tail_seek(tail, slice_from_text(key));
        assert_null(store_tail_get(tail, slice_from_text(key)));
        assert_null(store_tail_next(&cursor));
        key[at] = '/'; /* below '0' */
        cursor = store_tail_seek(tail, slice_from_text(key));
        assert_null(store_tail_get(tail, slice_from_text(key)));
        assert_memory_equal(store_tail_next(&cursor)->key, keys[0], 90);
    }
    store_tail_free(tail);
    buf_unref(owner);
}

static void an_empty_tail_has_nothing(void **state)
{
    (void)state;
    struct store_tail *tail = store_tail_new();
    struct store_tail_cursor all = store_tail_seek(tail, SLICE_EMPTY);
    struct store_tail_cursor some = store_tail_seek(tail, SLICE_LITERAL("k"));
    assert_null(store_tail_next(&all));
    assert_null(store_tail_next(&some));
    assert_null(store_tail_before(tail, SLICE_EMPTY));
    assert_null(store_tail_before(tail, SLICE_LITERAL("k")));
    assert_null(store_tail_get(tail, SLICE_LITERAL("k")));
    store_tail_prefetch(tail, &SLICE_LITERAL("k"), 1);
    assert_int_equal(store_tail_count(tail), 0);
    store_tail_free(tail);
    store_tail_free(NULL);
}

static void a_small_value_counts_with_all_of_its_entry(void **state)
{
    (void)state;
    struct store_tail *tail = store_tail_new();
    uint64_t empty = store_tail_bytes(tail);
    struct buf *large = buf_new(1 << 20);
    struct buf *small = buf_new(10);
    struct store_record record = {.owner = large, .value = {large->data, 1}};
    store_tail_put(tail, SLICE_LITERAL("k"), &record);
    uint64_t with_large = store_tail_bytes(tail);
    assert_true(with_large > empty + (1 << 20));
    put(tail, SLICE_LITERAL("k"), small);
    assert_int_equal(with_large - store_tail_bytes(tail), (1 << 20) - 10);
    assert_int_equal(large->ref_count, 1);
    store_tail_delete(tail, SLICE_LITERAL("k"));
    uint64_t with_tombstone = store_tail_bytes(tail);
    assert_true(with_tombstone > empty); /* the entry itself stays */
    assert_true(with_tombstone < empty + 200);
    assert_int_equal(small->ref_count, 1);
    put(tail, SLICE_LITERAL("k"), small);
    put(tail, SLICE_LITERAL("k"), small); /* its own buf: neither counted twice nor lost */
    assert_int_equal(with_large - store_tail_bytes(tail), (1 << 20) - 10);
    assert_int_equal(small->ref_count, 2);
    store_tail_free(tail);
    buf_unref(large);
    buf_unref(small);
}

static void draining_gives_back_a_bounded_part_at_a_time(void **state)
{
    (void)state;
    struct store_tail *tail = store_tail_new();
    struct buf *owner = buf_new(0);
    for (unsigned i = 0; i < 1000; i++) {
        char key[KEY_TEXT_SIZE];
        put(tail, key_of(key, i), owner);
    }
    uint32_t before = owner->ref_count;
    while (!store_tail_drain(tail, 64)) {
        assert_true(before - owner->ref_count <= 64);
        before = owner->ref_count;
    }
    assert_int_equal(owner->ref_count, 1);
    assert_true(store_tail_drain(tail, 1));
    store_tail_free(tail);
    buf_unref(owner);
}

static void a_large_value_is_many_steps_of_draining(void **state)
{
    (void)state;
    struct store_tail *tail = store_tail_new();
    struct buf *owners[4];
    for (size_t i = 0; i < ARRAY_COUNT(owners); i++) {
        char key[2] = {(char)('a' + i), '\0'};
        owners[i] = buf_new(1 << 20);
        put(tail, slice_from_text(key), owners[i]);
    }
    assert_false(store_tail_drain(tail, 20)); /* a MiB is 17: two of them are begun */
    assert_int_equal(owners[0]->ref_count, 1);
    assert_int_equal(owners[1]->ref_count, 1);
    assert_int_equal(owners[2]->ref_count, 2);
    store_tail_free(tail);
    for (size_t i = 0; i < ARRAY_COUNT(owners); i++) {
        assert_int_equal(owners[i]->ref_count, 1);
        buf_unref(owners[i]);
    }
}

static void change_a_frozen_tail(void *ctx)
{
    store_tail_freeze(ctx);
    store_tail_delete(ctx, SLICE_LITERAL("k"));
}

static void a_frozen_tail_takes_no_change(void **state)
{
    (void)state;
    struct store_tail *tail = store_tail_new();
    int status = status_of(change_a_frozen_tail, tail);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    store_tail_free(tail);
}

static void the_tails_of_both_spaces_are_counted_frozen_and_freed_together(void **state)
{
    (void)state;
    struct store_tails none = {{NULL}};
    assert_false(store_tails_are_there(&none));
    assert_int_equal(store_tails_bytes(&none), 0);
    assert_int_equal(store_tails_count(&none), 0);
    assert_true(store_tails_drain(&none, 1));
    struct store_tails tails = store_tails_new();
    assert_true(store_tails_are_there(&tails));
    uint64_t empty = store_tails_bytes(&tails);
    for (unsigned i = 0; i < 300; i++) {
        char key[KEY_TEXT_SIZE];
        store_tail_delete(tails.of[STORE_SPACE_USER], key_of(key, i));
        store_tail_delete(tails.of[STORE_SPACE_SYSTEM], key_of(key, i % 200));
    }
    assert_int_equal(store_tails_count(&tails), 500);
    assert_int_equal(store_tails_bytes(&tails), store_tail_bytes(tails.of[STORE_SPACE_USER]) +
                                                    store_tail_bytes(tails.of[STORE_SPACE_SYSTEM]));
    assert_true(store_tails_bytes(&tails) > empty);
    store_tails_freeze(&tails);
    unsigned turns = 1;
    while (!store_tails_drain(&tails, 64)) {
        turns++;
    }
    assert_true(turns >= 500 / 64);
    assert_null(tails.of[STORE_SPACE_USER]);
    assert_null(tails.of[STORE_SPACE_SYSTEM]);
    tails = store_tails_new();
    store_tails_free(&tails);
    assert_false(store_tails_are_there(&tails));
    store_tails_free(&tails);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_behaves_as_a_sorted_array_does),
        cmocka_unit_test(keys_come_out_in_order_however_they_went_in),
        cmocka_unit_test(a_key_that_all_others_begin_with_comes_before_them),
        cmocka_unit_test(a_long_common_beginning_tells_keys_apart),
        cmocka_unit_test(an_empty_tail_has_nothing),
        cmocka_unit_test(a_small_value_counts_with_all_of_its_entry),
        cmocka_unit_test(draining_gives_back_a_bounded_part_at_a_time),
        cmocka_unit_test(a_large_value_is_many_steps_of_draining),
        cmocka_unit_test(a_frozen_tail_takes_no_change),
        cmocka_unit_test(the_tails_of_both_spaces_are_counted_frozen_and_freed_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
