/*
 * What `pontoon bench` writes: the keys of one run, under a prefix that no other run has, and
 * values that tell whose they are.
 *
 * B1  A value is a key's and a number's: its first eight bytes are the mark of both, the next eight
 *     the number, the rest is chance that both choose. So whatever a get finds can be checked
 *     without knowing which of many puts came last. Shorter ones are cut, and have less of it.
 */
#ifndef MAIN_BENCH_WORK_H
#define MAIN_BENCH_WORK_H

#include "base/codec.h"

#define BENCH_PREFIX_SIZE_MAX 400u /* of --prefix: a key has at most KEY_SIZE_MAX bytes */

struct bench_work {
    struct writer prefix; /* of the keys: "P0123456789abcdef/" */
    struct writer path;   /* "/kv/" and the prefix, escaped */
    uint64_t mark;
    size_t value_size;
    struct writer chance;
};

/* `run` is chance: the keys are under `prefix`, its 16 hexadecimal digits and '/'. Caller deinits.
 * `prefix` has at most BENCH_PREFIX_SIZE_MAX bytes. */
void main_bench_work_init(struct bench_work *work, const char *prefix, uint64_t run,
                          size_t value_size);
/* Idempotent. */
void main_bench_work_deinit(struct bench_work *work);
/* Appends the path of a key: "/kv/pontoon-bench/0123456789abcdef/0000000042". */
void main_bench_work_path(const struct bench_work *work, uint64_t key, struct writer *out);
/* The value number `number` of the key. Caller unrefs. */
struct buf *main_bench_work_value(const struct bench_work *work, uint64_t key, uint64_t number);
/* Whether `value` is one of the key's. */
bool main_bench_work_is_value(const struct bench_work *work, uint64_t key, struct slice value);

#endif
