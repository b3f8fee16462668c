/*
 * The tail with half of 1e5 keys in it: puts of any of them, new and old, and gets; in groups whose
 * keys are looked for together first, as node does when it applies.
 */
#include "store/tail.h"

#include "base/assert.h"
#include "records.h"

#define KEYS UINT64_C(100000)

_Static_assert(MICRO_BATCH <= STORE_PREFETCH_MAX, "a batch is looked for at once");

struct bench {
    struct store_tail *tail;
    struct prng prng;
    uint8_t key_bytes[MICRO_BATCH][MICRO_KEY_SIZE];
    struct slice keys[MICRO_BATCH];
    struct store_record records[MICRO_BATCH];
    uint64_t found;
};

static void draw_keys(struct bench *bench)
{
    for (uint32_t i = 0; i < MICRO_BATCH; i++) {
        bench->keys[i] = micro_key(bench->key_bytes[i], prng_below(&bench->prng, KEYS));
    }
}

static void put_batch(void *ctx)
{
    struct bench *bench = ctx;
    store_tail_prefetch(bench->tail, bench->keys, MICRO_BATCH);
    for (uint32_t i = 0; i < MICRO_BATCH; i++) {
        store_tail_put(bench->tail, bench->keys[i], &bench->records[i]);
    }
}

static void get_batch(void *ctx)
{
    struct bench *bench = ctx;
    store_tail_prefetch(bench->tail, bench->keys, MICRO_BATCH);
    for (uint32_t i = 0; i < MICRO_BATCH; i++) {
        bench->found += store_tail_get(bench->tail, bench->keys[i]) != NULL ? 1 : 0;
    }
}

static void make_records(struct bench *bench)
{
    for (uint32_t i = 0; i < MICRO_BATCH; i++) {
        bench->records[i] = micro_record(bench->keys[i], &bench->prng);
    }
}

static void drop_records(struct bench *bench)
{
    for (uint32_t i = 0; i < MICRO_BATCH; i++) {
        buf_unref(bench->records[i].owner);
    }
}

static void open_half_full(struct bench *bench)
{
    prng_init(&bench->prng, MICRO_SEED);
    bench->tail = store_tail_new();
    while (store_tail_count(bench->tail) < KEYS / 2) {
        draw_keys(bench);
        make_records(bench);
        put_batch(bench);
        drop_records(bench);
    }
}

static void run_put(struct micro *micro)
{
    struct bench bench = {.found = 0};
    open_half_full(&bench);
    while (micro->measured < micro->operations) {
        draw_keys(&bench);
        make_records(&bench);
        micro_measure(micro, put_batch, &bench, MICRO_BATCH);
        drop_records(&bench);
    }
    store_tail_free(bench.tail);
}

static void run_get(struct micro *micro)
{
    struct bench bench = {.found = 0};
    open_half_full(&bench);
    while (micro->measured < micro->operations) {
        draw_keys(&bench);
        micro_measure(micro, get_batch, &bench, MICRO_BATCH);
    }
    ASSERT(bench.found > 0);
    ASSERT(bench.found < micro->operations);
    store_tail_free(bench.tail);
}

int main(int argc, char **argv)
{
    static const struct micro_scenario scenarios[] = {
        {"tail-put", 32768, run_put},
        {"tail-get", 32768, run_get},
    };
    return micro_main(argc, argv, scenarios, 2);
}
