#include "store/checkpoint_int.h"
#include "store/record.h"
#include "store_testing.h"

/*
 * LMDB 0.9.24 never gives back the list of what a transaction has written early: 1 MiB, once for
 * each installation of a large snapshot.
 */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:mdb_midl_alloc\n";
}

/* So that memory which is given back is, as far as the memory test can see. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=1";
}

struct bench {
    struct place place;
    struct checkpoint *checkpoint;
};

static void bench_make(struct bench *bench)
{
    struct err_note note = {""};
    place_make(&bench->place);
    struct checkpoint_options options = {.env = bench->place.env,
                                         .directory = bench->place.store_directory,
                                         .map_size_bytes = 1u << 20};
    assert_int_equal(store_checkpoint_open(&bench->checkpoint, &options, &note), OK);
}

static void bench_remove(struct bench *bench)
{
    store_checkpoint_close(bench->checkpoint);
    place_remove(&bench->place);
}

/* ---- records that come from nowhere ---- */

struct source {
    const char *keys; /* of one letter each, a capital one is of the system's; NULL: numbers */
    unsigned count;
    size_t value_size;
    unsigned next;
    unsigned fail_at; /* 0: never */
    uint8_t *value;
    char key[KEY_TEXT_SIZE];
};

static err source_next(void *ctx, enum store_space *out_space, struct slice *out_key,
                       struct slice *out_bytes)
{
    struct source *source = ctx;
    unsigned count = source->keys != NULL ? (unsigned)strlen(source->keys) : source->count;
    if (source->fail_at > 0 && source->next == source->fail_at) {
        return ERR_DAMAGED;
    }
    if (source->next == count) {
        return ERR_NOT_FOUND;
    }
    bool is_system = source->keys != NULL && source->keys[source->next] <= 'Z';
    *out_space = is_system ? STORE_SPACE_SYSTEM : STORE_SPACE_USER;
    *out_key = source->keys != NULL
                   ? (struct slice){(const uint8_t *)source->keys + source->next, 1}
                   : key_of(source->key, source->next);
    *out_bytes = source->keys != NULL ? SLICE_LITERAL("v")
                                      : (struct slice){source->value, source->value_size};
    source->next++;
    return OK;
}

static struct checkpoint_range range_of(const char *begin, const char *end)
{
    return (struct checkpoint_range){slice_from_text(begin), slice_from_text(end)};
}

static err replace(struct bench *bench, struct source *source, struct checkpoint_range range,
                   struct slice state)
{
    struct checkpoint_replacement replacement = {
        .range = range,
        .region = {.id = 5, .state = state},
        .size_bytes = source->count * (KEY_TEXT_SIZE + source->value_size) + 4096,
        .next = source_next,
        .ctx = source,
    };
    store_checkpoint_replace_reserve(bench->checkpoint, &replacement);
    err e = store_checkpoint_replace(bench->checkpoint, &replacement);
    store_checkpoint_refresh(bench->checkpoint);
    return e;
}

static void put_letters(struct bench *bench, const char *letters)
{
    struct source source = {.keys = letters};
    err e = replace(bench, &source, range_of("", ""), SLICE_LITERAL("state"));
    assert_int_equal(e, OK);
}

/* The keys that the reader has left, and that it has no more after them. */
static void assert_reads(struct checkpoint_reader *reader, const char *expected)
{
    enum store_space space;
    struct slice key;
    struct slice bytes;
    for (; *expected != '\0'; expected++) {
        assert_int_equal(store_checkpoint_reader_peek(reader, &space, &key, &bytes), OK);
        assert_int_equal(store_checkpoint_reader_peek(reader, &space, &key, &bytes), OK);
        assert_int_equal(key.size, 1);
        assert_int_equal(key.data[0], *expected);
        assert_int_equal(space, *expected <= 'Z' ? STORE_SPACE_SYSTEM : STORE_SPACE_USER);
        store_checkpoint_reader_advance(reader);
    }
    assert_int_equal(store_checkpoint_reader_peek(reader, &space, &key, &bytes), ERR_NOT_FOUND);
    assert_int_equal(store_checkpoint_reader_peek(reader, &space, &key, &bytes), ERR_NOT_FOUND);
}

static void assert_range(struct bench *bench, struct checkpoint_range range, const char *expected)
{
    struct checkpoint_reader *reader = store_checkpoint_reader_open(bench->checkpoint, range);
    assert_reads(reader, expected);
    store_checkpoint_reader_close(reader);
}

/* ---- reading ---- */

static void a_reader_keeps_to_its_range(void **state)
{
    (void)state;
    struct bench bench;
    bench_make(&bench);
    assert_range(&bench, range_of("", ""), "");
    put_letters(&bench, "acegi");
    assert_range(&bench, range_of("", ""), "acegi");
    assert_range(&bench, range_of("c", ""), "cegi");
    assert_range(&bench, range_of("b", "g"), "ce");
    assert_range(&bench, range_of("", "a"), "");
    assert_range(&bench, range_of("z", ""), "");
    assert_range(&bench, range_of("d", "e"), "");
    bench_remove(&bench);
}

static void a_reader_stays_at_its_state(void **state)
{
    (void)state;
    struct bench bench;
    enum store_space space;
    struct slice key;
    struct slice bytes;
    bench_make(&bench);
    put_letters(&bench, "abc");
    struct checkpoint_reader *reader =
        store_checkpoint_reader_open(bench.checkpoint, range_of("", ""));
    assert_int_equal(store_checkpoint_reader_peek(reader, &space, &key, &bytes), OK);
    store_checkpoint_reader_advance(reader);
    struct source source = {.keys = "xyz"};
    err e = replace(&bench, &source, range_of("", ""), SLICE_LITERAL("other"));
    assert_int_equal(e, OK);
    put_letters(&bench, "d");
    assert_int_equal(store_checkpoint_reader_region(reader, 5, &bytes), OK);
    assert_true(slice_equal(bytes, SLICE_LITERAL("state")));
    assert_int_equal(store_checkpoint_reader_region(reader, 6, &bytes), ERR_NOT_FOUND);
    assert_reads(reader, "bc");
    store_checkpoint_reader_close(reader);
    bench_remove(&bench);
}

static void a_map_that_moves_cuts_readers_off(void **state)
{
    (void)state;
    struct bench bench;
    enum store_space space;
    struct slice key;
    struct slice bytes;
    bench_make(&bench);
    put_letters(&bench, "abc");
    struct checkpoint_reader *readers[2];
    for (size_t i = 0; i < ARRAY_COUNT(readers); i++) {
        readers[i] = store_checkpoint_reader_open(bench.checkpoint, range_of("", ""));
        assert_int_equal(store_checkpoint_reader_peek(readers[i], &space, &key, &bytes), OK);
    }
    store_checkpoint_grow(bench.checkpoint);
    for (size_t i = 0; i < ARRAY_COUNT(readers); i++) {
        assert_int_equal(store_checkpoint_reader_peek(readers[i], &space, &key, &bytes),
                         ERR_UNAVAILABLE);
        assert_int_equal(store_checkpoint_reader_region(readers[i], 5, &bytes), ERR_UNAVAILABLE);
        store_checkpoint_reader_close(readers[i]);
    }
    assert_range(&bench, range_of("", ""), "abc");
    bench_remove(&bench);
}

/* ---- replacing ---- */

static void the_whole_is_replaced_with_its_state(void **state)
{
    (void)state;
    struct bench bench;
    struct slice bytes;
    bench_make(&bench);
    put_letters(&bench, "abcdef");
    struct source source = {.keys = "bx"};
    err e = replace(&bench, &source, range_of("", ""), SLICE_LITERAL("new state"));
    assert_int_equal(e, OK);
    assert_range(&bench, range_of("", ""), "bx");
    assert_int_equal(store_checkpoint_figures(bench.checkpoint).records[STORE_SPACE_USER], 2);
    struct checkpoint_reader *reader =
        store_checkpoint_reader_open(bench.checkpoint, range_of("", ""));
    assert_int_equal(store_checkpoint_reader_region(reader, 5, &bytes), OK);
    assert_true(slice_equal(bytes, SLICE_LITERAL("new state")));
    store_checkpoint_reader_close(reader);
    bench_remove(&bench);
}

/* Whatever the range is, they are all of one region. */
static void the_systems_records_are_read_last_and_replaced_with_any_range(void **state)
{
    (void)state;
    struct bench bench;
    bench_make(&bench);
    put_letters(&bench, "abcABC");
    assert_range(&bench, range_of("", ""), "abcABC");
    assert_range(&bench, range_of("b", "c"), "bABC");
    assert_range(&bench, range_of("x", ""), "ABC");
    assert_range(&bench, range_of("", "B"), "ABC");
    struct source source = {.keys = "bBD"};
    err e = replace(&bench, &source, range_of("b", "c"), SLICE_LITERAL("state"));
    assert_int_equal(e, OK);
    assert_range(&bench, range_of("", ""), "abcBD");
    source = (struct source){.keys = "AxZ", .fail_at = 1};
    e = replace(&bench, &source, range_of("", ""), SLICE_LITERAL("state"));
    assert_int_equal(e, ERR_DAMAGED); /* and nothing has changed */
    assert_range(&bench, range_of("", ""), "abcBD");
    struct checkpoint_figures figures = store_checkpoint_figures(bench.checkpoint);
    assert_int_equal(figures.records[STORE_SPACE_USER], 3);
    assert_int_equal(figures.records[STORE_SPACE_SYSTEM], 2);
    put_letters(&bench, "x");
    assert_range(&bench, range_of("", ""), "x");
    put_letters(&bench, "X");
    assert_range(&bench, range_of("", ""), "X");
    bench_remove(&bench);
}

static void a_range_is_replaced_between_its_neighbours(void **state)
{
    (void)state;
    struct bench bench;
    const struct {
        const char *begin;
        const char *end;
        const char *keys;
        const char *expected;
    } cases[] = {
        {"c", "f", "cd", "abcdfg"},  {"c", "f", "", "abfg"},      {"", "c", "a", "acdefg"},
        {"e", "", "xyz", "abcdxyz"}, {"h", "z", "i", "abcdefgi"}, {"c", "d", "c", "abcdefg"},
    };
    bench_make(&bench);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        put_letters(&bench, "abcdefg");
        struct source source = {.keys = cases[i].keys};
        err e = replace(&bench, &source, range_of(cases[i].begin, cases[i].end),
                        SLICE_LITERAL("state"));
        assert_int_equal(e, OK);
        assert_range(&bench, range_of("", ""), cases[i].expected);
    }
    bench_remove(&bench);
}

static void an_error_of_the_source_leaves_no_trace(void **state)
{
    (void)state;
    struct bench bench;
    bench_make(&bench);
    put_letters(&bench, "abc");
    struct source source = {.keys = "wxyz", .fail_at = 3};
    err e = replace(&bench, &source, range_of("", ""), SLICE_LITERAL("new"));
    assert_int_equal(e, ERR_DAMAGED);
    assert_range(&bench, range_of("", ""), "abc");
    bench_remove(&bench);
}

/* Q1: what the process has in memory of its own, in KiB. */
static long anonymous_kib(void)
{
    char line[256];
    long kib = 0;
    FILE *stream = fopen("/proc/self/status", "r");
    assert_non_null(stream);
    while (fgets(line, sizeof(line), stream) != NULL && sscanf(line, "RssAnon: %ld", &kib) != 1) {
    }
    assert_int_equal(fclose(stream), 0);
    assert_true(kib > 0);
    return kib;
}

struct meter {
    struct source source;
    long peak_kib;
};

static err meter_next(void *ctx, enum store_space *out_space, struct slice *out_key,
                      struct slice *out_bytes)
{
    struct meter *meter = ctx;
    long kib = anonymous_kib();
    meter->peak_kib = kib > meter->peak_kib ? kib : meter->peak_kib;
    return source_next(&meter->source, out_space, out_key, out_bytes);
}

static void a_large_state_is_written_early_and_whole(void **state)
{
    (void)state;
    enum {
        COUNT = 160,
        SIZE = 1u << 20
    };
    struct bench bench;
    bench_make(&bench);
    put_letters(&bench, "abc");
    struct meter meter = {.source = {.count = COUNT, .value_size = SIZE}};
    meter.source.value = mem_calloc(1, SIZE);
    memset(meter.source.value, 'v', SIZE);
    struct checkpoint_replacement replacement = {
        .region = {.id = 5, .state = SLICE_LITERAL("large")},
        .size_bytes = COUNT * (SIZE + KEY_TEXT_SIZE),
        .next = meter_next,
        .ctx = &meter,
    };
    store_checkpoint_replace_reserve(bench.checkpoint, &replacement);
    long before_kib = anonymous_kib();
    assert_int_equal(store_checkpoint_replace(bench.checkpoint, &replacement), OK);
    assert_true(meter.peak_kib - before_kib < 120 << 10); /* a sanitizer's share included */
    store_checkpoint_refresh(bench.checkpoint);
    struct checkpoint_reader *reader =
        store_checkpoint_reader_open(bench.checkpoint, range_of("", ""));
    struct slice value = {meter.source.value, SIZE};
    for (unsigned i = 0; i < COUNT; i++) {
        enum store_space space;
        struct slice key;
        struct slice bytes;
        char text[KEY_TEXT_SIZE];
        assert_int_equal(store_checkpoint_reader_peek(reader, &space, &key, &bytes), OK);
        assert_true(slice_equal(key, key_of(text, i)));
        assert_true(slice_equal(bytes, value));
        store_checkpoint_reader_advance(reader);
    }
    assert_reads(reader, "");
    store_checkpoint_reader_close(reader);
    mem_free(meter.source.value);
    bench_remove(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_keeps_to_its_range),
        cmocka_unit_test(a_reader_stays_at_its_state),
        cmocka_unit_test(a_map_that_moves_cuts_readers_off),
        cmocka_unit_test(the_whole_is_replaced_with_its_state),
        cmocka_unit_test(the_systems_records_are_read_last_and_replaced_with_any_range),
        cmocka_unit_test(a_range_is_replaced_between_its_neighbours),
        cmocka_unit_test(an_error_of_the_source_leaves_no_trace),
        cmocka_unit_test(a_large_state_is_written_early_and_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
