/* What the tests of a transaction's parts share. Included once per test program. */
#ifndef TXN_TESTING_H
#define TXN_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "api/txn_plan.h"

static inline err parse(const char *text, struct txn_plan *plan, struct problem *problem)
{
    static const struct txn_limits limits = {.value_bytes_max = 10};
    *plan = (struct txn_plan){0};
    *problem = (struct problem){.e = OK};
    return api_txn_parse(slice_from_text(text), &limits, plan, problem);
}

static inline void assert_refused(const char *text, err e, const char *words)
{
    struct txn_plan plan;
    struct problem problem;
    err given = parse(text, &plan, &problem);
    if (given != e || problem.e != e || strstr(problem.detail, words) == NULL) {
        fail_msg("%s: %s, %s", text, err_name(given), problem.detail);
    }
    api_txn_plan_deinit(&plan);
}

/* The only clause, or operation, of a body around `text`. */
static inline void parse_checks(const char *text, struct txn_plan *plan, struct txn_check *checks,
                                size_t count)
{
    struct problem problem;
    char body[500];
    int size = snprintf(body, sizeof(body), "{\"if\":[%s]}", text);
    assert_true(size > 0 && (size_t)size < sizeof(body));
    if (parse(body, plan, &problem) != OK) {
        fail_msg("%s: %s", body, problem.detail);
    }
    struct txn txn = txn_builder_result(&plan->builder);
    struct reader walk = reader_of(txn.checks);
    for (size_t i = 0; i < count; i++) {
        assert_true(txn_next_check(&walk, &checks[i]));
    }
    assert_int_equal(walk.size, 0);
}

static inline struct txn_op parse_op(const char *text, struct txn_plan *plan)
{
    struct problem problem;
    struct txn_op op;
    char body[500];
    int size = snprintf(body, sizeof(body), "{\"then\":[%s]}", text);
    assert_true(size > 0 && (size_t)size < sizeof(body));
    if (parse(body, plan, &problem) != OK) {
        fail_msg("%s: %s", body, problem.detail);
    }
    struct txn txn = txn_builder_result(&plan->builder);
    struct reader walk = reader_of(txn.then_ops);
    assert_true(txn_next_op(&walk, &op));
    return op;
}

static inline void assert_slice(struct slice slice, const char *text)
{
    assert_int_equal(slice.size, strlen(text));
    assert_memory_equal(slice.data, text, slice.size);
}

#endif
