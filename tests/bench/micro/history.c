/*
 * The history, full: changes of any of 1e5 keys, each with the record that it replaces, so that
 * each drops an old one. What came from the checkpoint is copied, what was in the tail is not.
 */
#include "node/history.h"

#include "base/assert.h"
#include "records.h"

#define KEYS UINT64_C(100000)
#define REVISIONS UINT64_C(20000)

struct bench {
    struct history *history;
    struct prng prng;
    uint64_t revision;
    bool is_replaced_borrowed;
    struct slice keys[MICRO_BATCH];
    uint8_t key_bytes[MICRO_BATCH][MICRO_KEY_SIZE];
    struct store_record records[MICRO_BATCH];
    struct store_record replaced[MICRO_BATCH];
};

static void change_batch(void *ctx)
{
    struct bench *bench = ctx;
    for (uint32_t i = 0; i < MICRO_BATCH; i++) {
        bench->revision++;
        struct store_change change = {.kind = STORE_CHANGE_PUT,
                                      .revision = bench->revision,
                                      .clock_ms = bench->revision,
                                      .key = bench->keys[i],
                                      .record = &bench->records[i],
                                      .replaced = &bench->replaced[i]};
        history_changed(bench->history, &change);
        history_revised(bench->history, bench->revision);
    }
}

/* The records' bufs are those of commands, with the key in them. */
static void make_batch(struct bench *bench)
{
    for (uint32_t i = 0; i < MICRO_BATCH; i++) {
        struct slice key = micro_key(bench->key_bytes[i], prng_below(&bench->prng, KEYS));
        bench->records[i] = micro_record(key, &bench->prng);
        bench->replaced[i] = micro_record(key, &bench->prng);
        struct buf *owner = bench->records[i].owner;
        ASSERT(owner->size >= key.size);
        memcpy(owner->data, key.data, key.size); /* it is not looked at again */
        bench->keys[i] = (struct slice){owner->data, key.size};
    }
}

static void drop_batch(struct bench *bench, struct buf *const *owners)
{
    for (uint32_t i = 0; i < MICRO_BATCH; i++) {
        buf_unref(bench->records[i].owner);
        buf_unref(owners[i]);
    }
}

static void step(struct bench *bench, struct micro *micro)
{
    struct buf *owners[MICRO_BATCH];
    make_batch(bench);
    for (uint32_t i = 0; i < MICRO_BATCH; i++) {
        owners[i] = bench->replaced[i].owner;
        bench->replaced[i].owner = bench->is_replaced_borrowed ? NULL : owners[i];
    }
    if (micro == NULL) {
        change_batch(bench);
    } else {
        micro_measure(micro, change_batch, bench, MICRO_BATCH);
    }
    drop_batch(bench, owners);
}

static void run(struct micro *micro, bool is_replaced_borrowed)
{
    const struct history_options options = {UINT64_C(1) << 30, REVISIONS, 0};
    struct bench bench = {.history = history_new(&options, 0),
                          .is_replaced_borrowed = is_replaced_borrowed};
    prng_init(&bench.prng, MICRO_SEED);
    while (bench.revision < REVISIONS) {
        step(&bench, NULL);
    }
    while (micro->measured < micro->operations) {
        step(&bench, micro);
    }
    ASSERT(history_newest(bench.history) - history_oldest(bench.history) == REVISIONS);
    history_free(bench.history);
}

static void run_tail(struct micro *micro)
{
    run(micro, false);
}

static void run_checkpoint(struct micro *micro)
{
    run(micro, true);
}

int main(int argc, char **argv)
{
    static const struct micro_scenario scenarios[] = {
        {"history-tail", 32768, run_tail},
        {"history-checkpoint", 32768, run_checkpoint},
    };
    return micro_main(argc, argv, scenarios, 2);
}
