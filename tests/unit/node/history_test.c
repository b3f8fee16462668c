#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/prng.h"
#include "history_testing.h"
#include "store/record.h"

#define VALUE_SIZE_MAX 16u

static struct slice text_of(const char *text)
{
    return slice_from_text(text);
}

/* A key's state: what a store would have. */
struct cell {
    bool is_there;
    bool is_in_checkpoint; /* its record is borrowed, not shared */
    struct store_record record;
};

static void cell_clear(struct cell *cell)
{
    buf_unref(cell->record.owner);
    *cell = (struct cell){.is_there = false};
}

/* A record in a buf that has its key, too, as a command's has. */
static struct store_record make_record(struct slice key, struct slice value, uint64_t revision,
                                       struct slice *out_key)
{
    struct buf *owner = buf_new(key.size + value.size);
    memcpy(owner->data, key.data, key.size);
    memcpy(owner->data + key.size, value.data, value.size);
    *out_key = (struct slice){owner->data, key.size};
    struct store_record record = {.owner = owner,
                                  .value = {owner->data + key.size, value.size},
                                  .create_revision = revision,
                                  .mod_revision = revision,
                                  .version = 1};
    store_record_seal(&record, key);
    return record;
}

/* Tells the history of a put as the store does, and changes the cell. */
static void tell_put(struct history *history, struct cell *cell, struct slice key,
                     struct slice value, uint64_t revision, uint64_t clock_ms)
{
    struct slice own_key;
    struct store_record record = make_record(key, value, revision, &own_key);
    struct store_record replaced = cell->record;
    if (cell->is_in_checkpoint) {
        replaced.owner = NULL;
    }
    struct store_change change = {.kind = STORE_CHANGE_PUT,
                                  .revision = revision,
                                  .clock_ms = clock_ms,
                                  .key = own_key,
                                  .record = &record,
                                  .replaced = cell->is_there ? &replaced : NULL};
    history_changed(history, &change);
    cell_clear(cell);
    *cell = (struct cell){.is_there = true, .record = record};
}

static void tell_delete(struct history *history, struct cell *cell, struct slice key,
                        uint64_t revision, uint64_t clock_ms)
{
    struct store_record replaced = cell->record;
    if (cell->is_in_checkpoint) {
        replaced.owner = NULL;
    }
    struct store_change change = {.kind = STORE_CHANGE_DELETE,
                                  .revision = revision,
                                  .clock_ms = clock_ms,
                                  .key = key,
                                  .replaced = &replaced};
    history_changed(history, &change);
    cell_clear(cell);
}

/* One put of a key that nobody looks at again. */
static void put_once(struct history *history, const char *key, const char *value, uint64_t revision)
{
    struct cell cell = {.is_there = false};
    tell_put(history, &cell, text_of(key), text_of(value), revision, revision);
    history_revised(history, revision);
    cell_clear(&cell);
}

static struct history *history_of(uint64_t bytes, uint64_t revisions, uint64_t age_ms)
{
    struct history_options options = {bytes, revisions, age_ms};
    return history_new(&options, 0);
}

static void an_empty_one_covers_the_revision_it_begins_at(void **state)
{
    (void)state;
    struct history_options options = {1 << 20, 100, 0};
    struct history *history = history_new(&options, 7);
    assert_false(history_covers(history, 6));
    assert_true(history_covers(history, 7));
    assert_false(history_covers(history, 8));
    assert_int_equal(history_oldest(history), 7);
    assert_int_equal(history_newest(history), 7);
    assert_int_equal(history_find(history, 7), history_end(history));
    struct store_record record;
    assert_int_equal(was_at(history, 7, text_of("a"), &record), WAS_SAME);
    history_free(history);
}

static void changes_are_numbered_in_order_and_found_by_revision(void **state)
{
    (void)state;
    struct history *history = history_of(1 << 20, 1000, 0);
    uint64_t begin = history_end(history);
    for (uint64_t revision = 1; revision <= 600; revision++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "key-%u", (unsigned)revision % 7);
        put_once(history, key, "value", revision);
    }
    assert_int_equal(history_first(history), begin);
    assert_int_equal(history_end(history), begin + 600);
    for (uint64_t revision = 0; revision <= 600; revision++) {
        assert_int_equal(history_find(history, revision), begin + revision);
    }
    for (uint64_t i = 0; i < 600; i++) {
        const struct history_entry *entry = history_at_number(history, begin + i);
        assert_int_equal(entry->number, begin + i);
        assert_int_equal(entry->revision, i + 1);
        assert_int_equal(entry->kind, STORE_CHANGE_PUT);
        assert_true(slice_equal(entry->record.value, SLICE_LITERAL("value")));
    }
    history_free(history);
}

static void a_revision_is_not_seen_before_it_is_whole(void **state)
{
    (void)state;
    struct history *history = history_of(1 << 20, 1000, 0);
    struct cell a = {.is_there = false};
    struct cell b = {.is_there = false};
    uint64_t begin = history_end(history);
    tell_put(history, &a, text_of("a"), text_of("1"), 1, 1);
    tell_put(history, &b, text_of("b"), text_of("1"), 1, 1);
    assert_int_equal(history_end(history), begin);
    assert_int_equal(history_newest(history), 0);
    history_revised(history, 1);
    assert_int_equal(history_end(history), begin + 2);
    assert_int_equal(history_find(history, 0), begin);
    assert_int_equal(history_find(history, 1), begin + 2);
    history_revised(history, 2); /* changed no key */
    assert_int_equal(history_newest(history), 2);
    assert_int_equal(history_find(history, 1), begin + 2);
    cell_clear(&a);
    cell_clear(&b);
    history_free(history);
}

static void the_number_of_revisions_is_bounded(void **state)
{
    (void)state;
    struct history *history = history_of(1 << 20, 10, 0);
    uint64_t begin = history_end(history);
    for (uint64_t revision = 1; revision <= 25; revision++) {
        put_once(history, "key", "value", revision);
    }
    assert_int_equal(history_oldest(history), 15);
    assert_int_equal(history_first(history), begin + 15);
    assert_false(history_covers(history, 14));
    assert_int_equal(history_find(history, 15), begin + 15);
    history_free(history);
}

static void the_age_of_changes_is_bounded_by_the_regions_clock(void **state)
{
    (void)state;
    struct history *history = history_of(1 << 20, 1000, 100);
    struct cell cell = {.is_there = false};
    const uint64_t clocks[] = {1000, 1050, 1100, 1101, 1151};
    const uint64_t oldest[] = {0, 0, 0, 1, 2};
    for (size_t i = 0; i < ARRAY_COUNT(clocks); i++) {
        tell_put(history, &cell, text_of("a"), text_of("v"), i + 1, clocks[i]);
        history_revised(history, i + 1);
        assert_int_equal(history_oldest(history), oldest[i]);
    }
    cell_clear(&cell);
    history_free(history);
}

static void its_bytes_are_bounded_and_given_back(void **state)
{
    (void)state;
    const uint64_t bytes_max = 100000;
    struct history *history = history_of(bytes_max, 1000000, 0);
    struct cell cell = {.is_there = false};
    char value[1000];
    memset(value, 'x', sizeof(value));
    for (uint64_t revision = 1; revision <= 2000; revision++) {
        struct slice some = {(const uint8_t *)value, revision * 37 % sizeof(value)};
        tell_put(history, &cell, text_of("a"), some, revision, 1);
        history_revised(history, revision);
        assert_true(history_bytes(history) <= bytes_max);
    }
    assert_true(history_bytes(history) > bytes_max / 2);
    assert_true(history_oldest(history) > 1900);
    history_restart(history, 2000);
    assert_int_equal(history_bytes(history), 0);
    assert_int_equal(cell.record.owner->ref_count, 1);
    cell_clear(&cell);
    history_free(history);
}

static void a_revision_larger_than_the_bound_is_not_kept_and_nothing_before_it(void **state)
{
    (void)state;
    struct history *history = history_of(20000, 1000, 0);
    put_once(history, "before", "value", 1);
    uint64_t end = history_end(history);
    struct cell cell = {.is_there = false};
    for (unsigned i = 0; i < 100; i++) {
        tell_put(history, &cell, text_of("key"), text_of("value"), 2, 1);
        assert_true(history_bytes(history) <= 20000);
    }
    history_revised(history, 2);
    assert_int_equal(history_bytes(history), 0);
    assert_int_equal(history_oldest(history), 2);
    assert_int_equal(history_end(history), end + 100);
    assert_true(history_first(history) > end); /* who stood at the end has missed it */
    put_once(history, "after", "value", 3);
    assert_true(history_covers(history, 2));
    assert_int_equal(history_find(history, 2), end + 100);
    cell_clear(&cell);
    history_free(history);
}

static void nothing_is_kept_with_a_bound_of_nothing(void **state)
{
    (void)state;
    struct history *bytes = history_of(0, 1000, 0);
    struct history *revisions = history_of(1 << 20, 0, 0);
    put_once(bytes, "a", "value", 1);
    put_once(revisions, "a", "value", 1);
    assert_int_equal(history_bytes(bytes) + history_bytes(revisions), 0);
    assert_int_equal(history_oldest(bytes), 1);
    assert_int_equal(history_oldest(revisions), 1);
    history_free(bytes);
    history_free(revisions);
}

static void after_a_restart_whoever_was_at_the_end_is_too_late(void **state)
{
    (void)state;
    struct history *history = history_of(1 << 20, 1000, 0);
    put_once(history, "a", "value", 1);
    uint64_t end = history_end(history);
    history_restart(history, 50);
    assert_true(end < history_first(history));
    assert_false(history_covers(history, 49));
    assert_true(history_covers(history, 50));
    put_once(history, "a", "value", 51);
    assert_int_equal(history_find(history, 50), history_first(history));
    history_free(history);
}

/* Pinned, a change can be read at its place though it was dropped, whatever comes. */
static void what_is_pinned_stays_where_it_is(void **state)
{
    (void)state;
    struct history *history = history_of(1 << 24, 3, 0);
    struct cell cell = {.is_there = false};
    for (uint64_t revision = 1; revision <= 3; revision++) {
        tell_put(history, &cell, text_of("key"), text_of("old"), revision, revision);
        history_revised(history, revision);
    }
    const struct history_entry *entry = history_at_number(history, 1);
    history_pin(history);
    for (uint64_t revision = 4; revision <= 2000; revision++) {
        tell_put(history, &cell, text_of("key"), text_of("new"), revision, revision);
        history_revised(history, revision);
        if (revision == 1000) { /* numbers that go by */
            history_restart(history, revision);
        }
    }
    assert_true(history_first(history) > 1000);
    assert_int_equal(entry->revision, 1);
    assert_true(slice_equal(entry->key, text_of("key")));
    assert_true(slice_equal(entry->record.value, text_of("old")));
    assert_int_equal(history_oldest(history), 1997);
    history_unpin(history);
    struct store_record record;
    assert_int_equal(was_at(history, 1998, text_of("key"), &record), WAS_RECORD);
    history_pin(history); /* and is freed with it */
    history_restart(history, 2001);
    cell_clear(&cell);
    history_free(history);
}

static void a_large_record_out_of_the_checkpoint_is_copied(void **state)
{
    (void)state;
    struct history *history = history_of(1 << 24, 1000, 0);
    for (size_t size = 1; size < 200000; size = size * 3 + 1) {
        uint64_t revision = history_newest(history) + 1;
        uint8_t *bytes = mem_calloc(1, size);
        bytes[size - 1] = 'z';
        struct cell cell = {.is_there = false};
        struct slice key;
        cell.record = make_record(text_of("key"), (struct slice){bytes, size}, revision, &key);
        cell.is_there = true;
        cell.is_in_checkpoint = true;
        tell_put(history, &cell, text_of("key"), text_of("new"), revision, 1);
        history_revised(history, revision);
        cell_clear(&cell);
        struct store_record record;
        assert_int_equal(was_at(history, revision - 1, text_of("key"), &record), WAS_RECORD);
        assert_true(slice_equal(record.value, (struct slice){bytes, size}));
        assert_int_equal(record.mod_revision, revision);
        mem_free(bytes);
    }
    history_free(history);
}

static void a_damaged_copy_is_not_given_out(void **state)
{
    (void)state;
    struct history *history = history_of(1 << 20, 1000, 0);
    struct cell cell = {.is_there = true, .is_in_checkpoint = true};
    struct slice key;
    cell.record = make_record(text_of("key"), text_of("value"), 1, &key);
    cell.record.owner->data[4] ^= 1; /* in the value */
    tell_delete(history, &cell, text_of("key"), 2, 1);
    history_revised(history, 2);
    struct store_record record;
    assert_int_equal(was_at(history, 1, text_of("key"), &record), WAS_DAMAGED);
    bool is_damaged;
    assert_null(history_replaced(history_at_number(history, history_first(history)), &is_damaged));
    assert_true(is_damaged);
    history_free(history);
}

/* ---- against full copies of each revision's state ---- */

#define KEYS 40u
#define REVISIONS 400u

struct snapshot {
    bool is_there[KEYS];
    uint8_t size[KEYS];
    char values[KEYS][VALUE_SIZE_MAX];
};

struct model {
    struct history *history;
    struct prng chance;
    char keys[KEYS][24];
    struct cell cells[KEYS];
    struct snapshot *states; /* by revision */
};

static void model_change(struct model *model, unsigned k, uint64_t revision)
{
    struct cell *cell = &model->cells[k];
    struct snapshot *now = &model->states[revision];
    struct slice key = text_of(model->keys[k]);
    cell->is_in_checkpoint = cell->is_there && prng_below(&model->chance, 3) == 0;
    if (cell->is_there && prng_below(&model->chance, 3) == 0) {
        tell_delete(model->history, cell, key, revision, revision);
        now->is_there[k] = false;
        return;
    }
    char value[VALUE_SIZE_MAX];
    int size = snprintf(value, sizeof(value), "%llu-%u", (unsigned long long)revision, k);
    tell_put(model->history, cell, key, text_of(value), revision, revision);
    now->is_there[k] = true;
    now->size[k] = (uint8_t)size;
    memcpy(now->values[k], value, (size_t)size);
}

static bool is_as_in(const struct snapshot *snapshot, unsigned k, enum was was,
                     const struct store_record *record)
{
    if (!snapshot->is_there[k]) {
        return was == WAS_ABSENT;
    }
    struct slice expected = {(const uint8_t *)snapshot->values[k], snapshot->size[k]};
    return was == WAS_RECORD && slice_equal(record->value, expected);
}

static void check_at(const struct model *model, uint64_t revision, uint64_t newest)
{
    for (unsigned k = 0; k < KEYS; k++) {
        struct store_record record;
        struct slice key = text_of(model->keys[k]);
        enum was was = was_at(model->history, revision, key, &record);
        const struct snapshot *snapshot = &model->states[was == WAS_SAME ? newest : revision];
        struct slice there = {(const uint8_t *)snapshot->values[k], snapshot->size[k]};
        if (was == WAS_SAME) { /* what is there now is what was */
            const struct snapshot *then = &model->states[revision];
            struct slice before = {(const uint8_t *)then->values[k], then->size[k]};
            assert_int_equal(snapshot->is_there[k], then->is_there[k]);
            assert_true(!then->is_there[k] || slice_equal(there, before));
        } else {
            assert_true(is_as_in(snapshot, k, was, &record));
        }
    }
}

static void run_model(uint64_t seed, uint64_t bytes_max, uint64_t revisions_max, uint64_t age_ms)
{
    struct model model = {.history = history_of(bytes_max, revisions_max, age_ms)};
    model.states = mem_calloc(REVISIONS + 1, sizeof(*model.states));
    prng_init(&model.chance, seed);
    for (unsigned k = 0; k < KEYS; k++) { /* in byte order, some shorter than eight bytes */
        (void)snprintf(model.keys[k], sizeof(model.keys[k]), k % 3 == 0 ? "k%02u" : "k%02u-longer",
                       k);
    }
    uint64_t checked = 0;
    for (uint64_t revision = 1; revision <= REVISIONS; revision++) {
        model.states[revision] = model.states[revision - 1];
        unsigned first = (unsigned)prng_below(&model.chance, KEYS);
        unsigned count = (unsigned)prng_below(&model.chance, 3); /* of different keys, or none */
        for (unsigned i = 0; i < count; i++) {
            model_change(&model, (first + i * 7) % KEYS, revision);
        }
        history_revised(model.history, revision);
        for (int i = 0; i < 4; i++) {
            uint64_t oldest = history_oldest(model.history);
            uint64_t then = oldest + prng_below(&model.chance, revision - oldest + 1);
            assert_true(history_covers(model.history, then));
            check_at(&model, then, revision);
            checked += revision - then;
        }
    }
    assert_true(checked > REVISIONS);
    for (unsigned k = 0; k < KEYS; k++) {
        cell_clear(&model.cells[k]);
    }
    history_free(model.history);
    mem_free(model.states);
}

static void every_covered_revision_is_as_it_was(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        run_model(seed, 1 << 24, 100000, 0);
        run_model(seed, 30000, 100000, 0);
        run_model(seed, 1 << 24, 20, 0);
        run_model(seed, 1 << 24, 100000, 37);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_covers_the_revision_it_begins_at),
        cmocka_unit_test(changes_are_numbered_in_order_and_found_by_revision),
        cmocka_unit_test(a_revision_is_not_seen_before_it_is_whole),
        cmocka_unit_test(the_number_of_revisions_is_bounded),
        cmocka_unit_test(the_age_of_changes_is_bounded_by_the_regions_clock),
        cmocka_unit_test(its_bytes_are_bounded_and_given_back),
        cmocka_unit_test(a_revision_larger_than_the_bound_is_not_kept_and_nothing_before_it),
        cmocka_unit_test(nothing_is_kept_with_a_bound_of_nothing),
        cmocka_unit_test(after_a_restart_whoever_was_at_the_end_is_too_late),
        cmocka_unit_test(what_is_pinned_stays_where_it_is),
        cmocka_unit_test(a_large_record_out_of_the_checkpoint_is_copied),
        cmocka_unit_test(a_damaged_copy_is_not_given_out),
        cmocka_unit_test(every_covered_revision_is_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
