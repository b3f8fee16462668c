/*
 * The checkpoint, LMDB included: writing a tail over records that are there, half of its keys among
 * them; and reading records back, verified, as a read of what is in no tail does.
 */
#include "store/checkpoint.h"

#include "base/assert.h"
#include "env/uv.h"
#include "micro.h"
#include "records.h"

#define MAP_SIZE (256u << 20)
#define KEYS_READ UINT64_C(16384) /* that are there for reading */

struct bench {
    char directory[MICRO_PATH_SIZE];
    struct env *env;
    struct checkpoint *checkpoint;
    struct prng prng;
    struct checkpoint_batch batch;
    uint8_t key_bytes[MICRO_BATCH][MICRO_KEY_SIZE];
    struct slice keys[MICRO_BATCH];
};

static void bench_open(struct bench *bench)
{
    struct err_note note;
    prng_init(&bench->prng, MICRO_SEED);
    micro_directory_make(bench->directory);
    bench->env = env_uv_open();
    err e = store_checkpoint_open(&bench->checkpoint,
                                  &(struct checkpoint_options){.env = bench->env,
                                                               .directory = bench->directory,
                                                               .map_size_bytes = MAP_SIZE},
                                  &note);
    ASSERT(e == OK);
}

static void bench_close(struct bench *bench)
{
    store_checkpoint_close(bench->checkpoint);
    env_uv_close(bench->env);
    micro_directory_remove(bench->directory);
}

static void write_batch(void *ctx)
{
    struct bench *bench = ctx;
    err e = store_checkpoint_write(bench->checkpoint, &bench->batch);
    ASSERT(e == OK);
}

/* A frozen tail with the keys `first`, `first` + `step` and so on, `count` of them. */
static struct store_tail *tail_of(struct bench *bench, uint64_t first, uint64_t step,
                                  uint64_t count)
{
    struct store_tail *tail = store_tail_new();
    for (uint64_t i = 0; i < count; i++) {
        uint8_t bytes[MICRO_KEY_SIZE];
        struct slice key = micro_key(bytes, first + i * step);
        struct store_record record = micro_record(key, &bench->prng);
        store_tail_put(tail, key, &record);
        buf_unref(record.owner);
    }
    store_tail_freeze(tail);
    return tail;
}

/* Writes that tail, and counts the operations if there is a `micro`. */
static void write_tail(struct bench *bench, struct store_tail *tail, struct micro *micro)
{
    bench->batch = (struct checkpoint_batch){.tails.of[STORE_SPACE_USER] = tail};
    store_checkpoint_reserve(bench->checkpoint, &bench->batch);
    if (micro == NULL) {
        write_batch(bench);
    } else {
        micro_measure(micro, write_batch, bench, store_tail_count(tail));
    }
    store_checkpoint_refresh(bench->checkpoint);
    store_tail_free(tail);
}

static void run_write(struct micro *micro)
{
    struct bench bench = {.batch = {.region_count = 0}};
    bench_open(&bench);
    write_tail(&bench, tail_of(&bench, 0, 2, micro->operations), NULL);
    write_tail(&bench, tail_of(&bench, micro->operations, 1, micro->operations), micro);
    bench_close(&bench);
}

static void get_batch(void *ctx)
{
    struct bench *bench = ctx;
    for (uint32_t i = 0; i < MICRO_BATCH; i++) {
        struct slice bytes;
        struct store_record record;
        err e = store_checkpoint_get(bench->checkpoint, STORE_SPACE_USER, bench->keys[i], &bytes);
        if (e == OK) {
            e = store_record_decode(bytes, bench->keys[i], &record);
        }
        if (e == OK) {
            e = store_record_verify(&record, bench->keys[i]);
        }
        ASSERT(e == OK);
    }
}

static void run_get(struct micro *micro)
{
    struct bench bench = {.batch = {.region_count = 0}};
    bench_open(&bench);
    write_tail(&bench, tail_of(&bench, 0, 1, KEYS_READ), NULL);
    while (micro->measured < micro->operations) {
        for (uint32_t i = 0; i < MICRO_BATCH; i++) {
            bench.keys[i] = micro_key(bench.key_bytes[i], prng_below(&bench.prng, KEYS_READ));
        }
        micro_measure(micro, get_batch, &bench, MICRO_BATCH);
    }
    bench_close(&bench);
}

int main(int argc, char **argv)
{
    static const struct micro_scenario scenarios[] = {
        {"checkpoint-write", 16384, run_write},
        {"checkpoint-get", 32768, run_get},
    };
    return micro_main(argc, argv, scenarios, 2);
}
