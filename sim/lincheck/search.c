/*
 * The search over all keys, one after the other: operations on different keys do not constrain each
 * other (linearizability is local), so that a history is linearizable if each key's is.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "lincheck/key_search.h"
#include "lincheck/search_int.h"
#include "lincheck/table.h"
#include "lincheck/words.h"

/* The operations, grouped by key. */
struct partition {
    struct lincheck_rank *ranks; /* by key, then by invocation */
    size_t *begins;              /* of each key's in ranks, and one more: the end */
    size_t key_count;
};

/* Brings the ranks into groups by key, the first seen first; within one the order stays. */
static void group(struct partition *partition, const struct lincheck_history *history,
                  struct lincheck_rank *scratch)
{
    struct lincheck_table keys = {0};
    for (size_t i = 0; i < history->count; i++) {
        uint64_t key = history->ops[partition->ranks[i].index].key;
        partition->ranks[i].key = lincheck_table_add(&keys, key, (uint32_t)keys.count);
    }
    lincheck_sort(partition->ranks, scratch, history->count);
    partition->key_count = keys.count;
    partition->begins = mem_calloc(keys.count + 1, sizeof(partition->begins[0]));
    for (size_t i = 0; i < history->count; i++) {
        partition->begins[partition->ranks[i].key + 1] = i + 1;
    }
    lincheck_table_deinit(&keys);
}

static void partition_init(struct partition *partition, const struct lincheck_history *history)
{
    *partition =
        (struct partition){.ranks = mem_calloc(history->count, sizeof(partition->ranks[0]))};
    struct lincheck_rank *scratch = mem_calloc(history->count, sizeof(scratch[0]));
    for (size_t i = 0; i < history->count; i++) {
        partition->ranks[i] =
            (struct lincheck_rank){.key = history->ops[i].invoked, .index = (uint32_t)i};
    }
    lincheck_sort(partition->ranks, scratch, history->count);
    group(partition, history, scratch);
    mem_free(scratch);
}

static void partition_deinit(struct partition *partition)
{
    mem_free(partition->ranks);
    mem_free(partition->begins);
}

static bool has_revisions(const struct lincheck_key_ops *ops)
{
    for (size_t i = 0; i < ops->count; i++) {
        const struct lincheck_op *op = &ops->history->ops[ops->ranks[i].index];
        bool may_have_happened = op->outcome != LINCHECK_REFUSED &&
                                 (op->kind != LINCHECK_GET || op->outcome == LINCHECK_ANSWERED);
        if (may_have_happened && op->revision == LINCHECK_REVISION_UNKNOWN) {
            return false;
        }
    }
    return true;
}

/* A key that seems illegal is searched once more: two states with one hash do not have one with
 * another salt too. */
static enum lincheck_verdict search_key(struct lincheck_key_search *search,
                                        const struct lincheck_key_ops *ops, uint64_t salt,
                                        uint64_t *steps_left, struct lincheck_result *result)
{
    enum lincheck_verdict verdict = lincheck_key_search_run(search, ops, salt, steps_left, result);
    if (verdict == LINCHECK_ILLEGAL && result->reason == LINCHECK_REASON_NO_ORDER) {
        lincheck_result_reset(result);
        verdict = lincheck_key_search_run(search, ops, ~salt, steps_left, result);
    }
    return verdict;
}

static void swap_results(struct lincheck_result *a, struct lincheck_result *b)
{
    struct lincheck_result swap = *a;
    *a = *b;
    *b = swap;
}

enum lincheck_verdict lincheck_search_keys(const struct lincheck_history *history,
                                           const struct lincheck_options *options,
                                           bool only_uncertain, struct lincheck_result *result)
{
    uint64_t steps = options->steps_max != 0 ? options->steps_max : LINCHECK_STEPS_DEFAULT;
    uint64_t steps_left = steps;
    struct partition partition;
    partition_init(&partition, history);
    struct lincheck_key_search *search = lincheck_key_search_new();
    /* One that is undecided waits in `result`: another key may yet be illegal for sure. */
    lincheck_result_reset(result);
    struct lincheck_result of_key = {0};
    for (size_t i = 0; i < partition.key_count && result->verdict != LINCHECK_ILLEGAL; i++) {
        struct lincheck_key_ops ops = {.history = history,
                                       .ranks = &partition.ranks[partition.begins[i]],
                                       .count = partition.begins[i + 1] - partition.begins[i]};
        if (only_uncertain && has_revisions(&ops)) {
            continue;
        }
        lincheck_result_reset(&of_key);
        if (search_key(search, &ops, options->salt, &steps_left, &of_key) > result->verdict) {
            swap_results(result, &of_key);
        }
    }
    result->steps = steps - steps_left;
    lincheck_result_deinit(&of_key);
    lincheck_key_search_free(search);
    partition_deinit(&partition);
    return result->verdict;
}

enum lincheck_verdict lincheck_search(const struct lincheck_history *history,
                                      const struct lincheck_options *options,
                                      struct lincheck_result *result)
{
    return lincheck_search_keys(history, options, false, result);
}
