/* links: api proto */
/* The body of POST /txn, and a line of POST /batch: nothing makes the parser fail, and what it
 * takes encodes, decodes, and has a name for each of its operations. */
#include "api/txn_plan.h"
#include "base/assert.h"
#include "base/mem.h"
#include "fuzz.h"

static void check_names(struct slice list, uint32_t count)
{
    struct reader walk = reader_of(list);
    struct txn_name name;
    uint32_t seen = 0;
    while (api_txn_next_name(&walk, &name)) {
        ASSERT(name.key.size > 0);
        (void)api_txn_word(name.word);
        seen++;
    }
    ASSERT(seen == count);
}

static void check_plan(const struct txn_plan *plan)
{
    struct txn txn = txn_builder_result(&plan->builder);
    size_t size = txn_size(&txn);
    uint8_t *encoded = mem_alloc(size);
    struct txn back;
    txn_encode(&txn, encoded);
    ASSERT(txn_decode((struct slice){encoded, size}, &back) == OK);
    ASSERT(back.check_count == txn.check_count && back.has_else == txn.has_else);
    ASSERT(slice_equal(back.then_ops, txn.then_ops) && slice_equal(back.else_ops, txn.else_ops));
    check_names(writer_slice(&plan->names[0]), txn.then_count);
    check_names(writer_slice(&plan->names[1]), txn.else_count);
    for (uint32_t i = 0; i < txn.check_count; i++) {
        uint32_t clause;
        struct slice key;
        struct slice text;
        api_txn_find_clause(plan, i, &clause, &key, &text);
        ASSERT(clause < plan->clause_count && key.size > 0 && text.size > 0);
    }
    mem_free(encoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct txn_limits limits = {.value_bytes_max = 64};
    struct slice body = {data, size};
    struct problem problem = {.e = OK};
    struct txn_plan plan = {0};
    err e = api_txn_parse(body, &limits, &plan, &problem);
    ASSERT(e == problem.e);
    if (e == OK) {
        check_plan(&plan);
    }
    api_txn_plan_deinit(&plan);
    plan = (struct txn_plan){0};
    problem = (struct problem){.e = OK};
    e = api_txn_parse_op(body, &limits, &plan, &problem);
    ASSERT(e == problem.e);
    if (e == OK && api_txn_finish(&plan, &problem) == OK) {
        check_plan(&plan);
    }
    api_txn_plan_deinit(&plan);
    return 0;
}
