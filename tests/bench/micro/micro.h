/*
 * What the micro-benchmarks share. Each program measures one subject by a fixed piece of work, from
 * a fixed seed, on one thread: what it does is the same in every run, so that its instructions can
 * be counted (../instructions.py).
 *
 * M1  Only what runs inside micro_measure counts. What the work needs is made before, and checked
 *     and given back after.
 * M2  Whatever stands in for a neighbour is cheap and does not depend on time, place or chance.
 */
#ifndef MICRO_MICRO_H
#define MICRO_MICRO_H

#include "base/buf.h"
#include "base/prng.h"

#define MICRO_SEED UINT64_C(0x706f6e746f6f6e)
#define MICRO_BATCH 32u       /* operations that are measured at once: a turn of a busy node */
#define MICRO_VALUE_SIZE 256u /* bytes, as in the benchmark of whole clusters */

/* One measurement on its way. */
struct micro {
    uint64_t operations; /* how many there are to be; a multiple of MICRO_BATCH */
    uint64_t measured;   /* operations so far */
    uint64_t elapsed_ns; /* what they took */
};

/* Calls work(ctx), which does `operations` operations, and counts them. */
void micro_measure(struct micro *micro, void (*work)(void *ctx), void *ctx, uint64_t operations);

/* Calls work(ctx) alone. Its name is what callgrind begins and stops counting at. */
void micro_collect(void (*work)(void *ctx), void *ctx);

struct micro_scenario {
    const char *name;
    uint64_t operations; /* unless the command line says how many */
    void (*run)(struct micro *micro);
};

/*
 * The whole of main: runs the scenario that the command line names, or all of them, and prints a
 * line for each: its name, the operations, nanoseconds for each. Returns the exit status.
 */
int micro_main(int argc, char **argv, const struct micro_scenario *scenarios, uint32_t count);

#define MICRO_KEY_SIZE 12u
/* The key of a number below 1e6, written into `target`: as the benchmark of whole clusters has it,
 * in the order of the numbers. */
struct slice micro_key(uint8_t target[MICRO_KEY_SIZE], uint64_t number);

/* A new buf of `size` bytes from `prng`. Caller unrefs. */
struct buf *micro_bytes(struct prng *prng, size_t size);

#define MICRO_PATH_SIZE 32u
/* Makes a directory of its own below /tmp and writes its path. */
void micro_directory_make(char path[MICRO_PATH_SIZE]);
/* Removes it with all that is in it. */
void micro_directory_remove(const char *path);

#endif
