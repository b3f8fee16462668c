#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/prng.h"
#include "node/scan_past.h"
#include "store/record.h"

#define COUNT 20011u /* a prime: many times what is gathered at once */
#define TEXT_SIZE 16u

static struct slice key_of(char text[TEXT_SIZE], uint64_t number)
{
    int size = snprintf(text, TEXT_SIZE, "key-%08u", (unsigned)number);
    return (struct slice){(const uint8_t *)text, (size_t)size};
}

/* A change of the key that replaced the value `old`, or if that is NULL nothing. */
static void change(struct history *history, struct slice key, const char *old, uint64_t revision)
{
    struct store_record record = {.owner = buf_copy(key), .mod_revision = revision};
    struct store_record replaced = {.value = slice_from_text(old == NULL ? "" : old)};
    store_record_seal(&record, key);
    store_record_seal(&replaced, key);
    struct store_change told = {.kind = STORE_CHANGE_PUT,
                                .revision = revision,
                                .clock_ms = 1,
                                .key = key,
                                .record = &record,
                                .replaced = old == NULL ? NULL : &replaced};
    history_changed(history, &told);
    history_revised(history, revision);
    buf_unref(record.owner);
}

/* Every even number twice, in no order: first at revisions up to COUNT. */
static struct history *make_history(void)
{
    const struct history_options options = {64u << 20, 1u << 20, 0};
    struct history *history = history_new(&options, 0);
    char text[TEXT_SIZE];
    for (uint64_t i = 1; i <= COUNT; i++) {
        change(history, key_of(text, 2 * (i * 7919 % COUNT)), "first", i);
    }
    for (uint64_t i = 1; i <= COUNT; i++) {
        change(history, key_of(text, 2 * (i * 104729 % COUNT)), "second", COUNT + i);
    }
    return history;
}

static void assert_next(struct scan_past *past, uint64_t number, const char *old)
{
    char text[TEXT_SIZE];
    bool is_damaged;
    const struct history_entry *entry = scan_past_peek(past);
    assert_non_null(entry);
    assert_true(slice_equal(entry->key, key_of(text, number)));
    const struct store_record *replaced = history_replaced(entry, &is_damaged);
    assert_true(slice_equal(replaced->value, slice_from_text(old)));
    scan_past_advance(past);
}

static const struct store_range all = {{NULL, 0}, {NULL, 0}};

static void each_key_comes_once_with_what_was_first(void **state)
{
    (void)state;
    struct history *history = make_history();
    for (int is_reverse = 0; is_reverse < 2; is_reverse++) {
        const char *old[] = {"first", "second"};
        for (uint64_t i = 0; i < 2; i++) {
            struct scan_past past;
            scan_past_open(&past, history, i * COUNT, all, is_reverse != 0);
            for (uint64_t n = 0; n < COUNT; n++) {
                assert_next(&past, 2 * (is_reverse ? COUNT - 1 - n : n), old[i]);
            }
            assert_null(scan_past_peek(&past));
            scan_past_close(&past);
        }
    }
    history_free(history);
}

static void it_keeps_to_its_range_and_leaps(void **state)
{
    (void)state;
    struct history *history = make_history();
    struct prng prng;
    char texts[3][TEXT_SIZE];
    prng_init(&prng, 4);
    for (int i = 0; i < 200; i++) {
        uint64_t begin = prng_below(&prng, 2 * COUNT);
        uint64_t end = begin + prng_below(&prng, 2 * COUNT - begin) + 1;
        bool is_reverse = prng_below(&prng, 2) == 0;
        struct store_range range = {key_of(texts[0], begin), key_of(texts[1], end)};
        struct scan_past past;
        scan_past_open(&past, history, 0, range, is_reverse);
        uint64_t low = (begin + 1) / 2; /* halves of what is left: [low, high) */
        uint64_t high = (end + 1) / 2;
        while (low < high) {
            assert_next(&past, 2 * (is_reverse ? high - 1 : low), "first");
            low += !is_reverse;
            high -= is_reverse;
            if (low < high) { /* to somewhere in it, mostly far */
                uint64_t leap = low + prng_below(&prng, high - low);
                scan_past_skip(&past, key_of(texts[2], 2 * leap));
                low = is_reverse ? low : leap;
                high = is_reverse ? leap : high;
            }
        }
        assert_null(scan_past_peek(&past));
        scan_past_close(&past);
    }
    history_free(history);
}

static void without_changes_there_is_nothing(void **state)
{
    (void)state;
    struct history *history = make_history();
    char texts[2][TEXT_SIZE];
    struct scan_past past;
    scan_past_open(&past, history, 2 * COUNT, all, false);
    assert_null(scan_past_peek(&past));
    scan_past_skip(&past, SLICE_LITERAL("x"));
    scan_past_close(&past);
    struct store_range none = {key_of(texts[0], 11), key_of(texts[1], 12)};
    assert_true(scan_past_has_any(history, 0, all));
    assert_false(scan_past_has_any(history, 2 * COUNT, all));
    assert_false(scan_past_has_any(history, 0, none));
    struct store_range one = {key_of(texts[0], 10), key_of(texts[1], 11)};
    assert_true(scan_past_has_any(history, 0, one));
    history_free(history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_key_comes_once_with_what_was_first),
        cmocka_unit_test(it_keeps_to_its_range_and_leaps),
        cmocka_unit_test(without_changes_there_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
