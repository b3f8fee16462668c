/*
 * The write-ahead log on real files: batches of entries, each appended, written and synced before
 * the next. Segments are short, so that going from one to the next is part of it. The time is more
 * the disk's than ours; the instructions are ours alone.
 */
#include "base/assert.h"
#include "env/uv.h"
#include "micro.h"
#include "wal/wal.h"
#include "worker.h"

#define REGION 1u
#define TERM 1u
#define SEGMENT_SIZE (2u << 20)

struct bench {
    struct wal *wal;
    uint64_t persisted; /* the last ticket that was reported */
    struct entry entries[MICRO_BATCH];
};

static void persisted(void *ctx, uint64_t ticket)
{
    struct bench *bench = ctx;
    bench->persisted = ticket;
}

static void append_batch(void *ctx)
{
    struct bench *bench = ctx;
    uint64_t ticket = wal_append(bench->wal, &(struct wal_append){.region = REGION,
                                                                  .entries = bench->entries,
                                                                  .entry_count = MICRO_BATCH});
    wal_flush(bench->wal);
    micro_work();
    ASSERT(bench->persisted >= ticket);
}

static void run_log(struct micro *micro)
{
    char directory[MICRO_PATH_SIZE];
    struct bench bench = {.persisted = 0};
    struct err_note note;
    struct prng prng;
    prng_init(&prng, MICRO_SEED);
    micro_directory_make(directory);
    struct env *env = env_uv_open();
    err e = wal_open(&bench.wal,
                     &(struct wal_options){.env = env,
                                           .directory = directory,
                                           .cluster_id = 1,
                                           .node = 1,
                                           .segment_size_bytes = SEGMENT_SIZE,
                                           .persisted = persisted,
                                           .ctx = &bench},
                     &note);
    ASSERT(e == OK);
    micro_work();
    while (micro->measured < micro->operations) {
        for (uint32_t i = 0; i < MICRO_BATCH; i++) {
            bench.entries[i] = (struct entry){.pos = {TERM, micro->measured + i + 1},
                                              .data = micro_bytes(&prng, MICRO_VALUE_SIZE)};
        }
        micro_measure(micro, append_batch, &bench, MICRO_BATCH);
        for (uint32_t i = 0; i < MICRO_BATCH; i++) {
            buf_unref(bench.entries[i].data);
        }
    }
    wal_close(bench.wal);
    env_uv_close(env);
    micro_directory_remove(directory);
}

int main(int argc, char **argv)
{
    static const struct micro_scenario scenarios[] = {{"log", 16384, run_log}};
    return micro_main(argc, argv, scenarios, 1);
}
