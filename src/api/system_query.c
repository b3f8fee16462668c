#include "api/system_query.h"

#include "api/ttl.h"
#include "api/units.h"
#include "base/assert.h"
#include "proto/txn.h"

#define ECHO_SIZE_MAX 48u

static struct slice cut(struct slice text)
{
    return (struct slice){text.data, text.size < ECHO_SIZE_MAX ? text.size : ECHO_SIZE_MAX};
}

static err take_ttl(void *ctx, struct slice value, struct problem *problem)
{
    struct system_query *query = ctx;
    query->has_ttl = true;
    err e = api_ttl_parse(value, "ttl", &query->ttl_ms, problem);
    if (e == OK && query->ttl_ms != 0 && query->ttl_ms < SYSTEM_TTL_MS_MIN) {
        e = api_problem_set(problem, ERR_BAD_REQUEST,
                            "a ttl is at least %ums here: nobody renews it faster",
                            SYSTEM_TTL_MS_MIN);
    }
    return e;
}

static err take_wait(void *ctx, struct slice value, struct problem *problem)
{
    struct system_query *query = ctx;
    bool is_zero = slice_equal(value, SLICE_LITERAL("0"));
    if ((!is_zero && api_units_parse_duration(value, &query->wait_ms) != OK) ||
        query->wait_ms > SYSTEM_WAIT_MS_MAX) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "wait is a duration with its unit up to %us, such as 30s; 0: not "
                               "at all; not \"%.*s\"",
                               SYSTEM_WAIT_MS_MAX / 1000, SLICE_ARGS(cut(value)));
    }
    return OK;
}

static err take_limit(struct system_query *query, struct slice value, unsigned limit_max,
                      struct problem *problem)
{
    if (api_units_parse_u64(value, &query->limit) != OK || query->limit == 0 ||
        query->limit > limit_max) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "limit is a number from 1 to %u, not \"%.*s\"", limit_max,
                               SLICE_ARGS(cut(value)));
    }
    return OK;
}

static err take_holders(void *ctx, struct slice value, struct problem *problem)
{
    return take_limit(ctx, value, SYSTEM_HOLDERS_MAX, problem);
}

static err take_rows(void *ctx, struct slice value, struct problem *problem)
{
    return take_limit(ctx, value, SYSTEM_ROWS_MAX, problem);
}

static err take_id(void *ctx, struct slice value, struct problem *problem)
{
    struct system_query *query = ctx;
    return api_lease_parse(value, &query->id, problem);
}

static err take_mark(bool *mark, const char *name, struct slice value, struct problem *problem)
{
    *mark = true;
    if (value.size > 0 && !slice_equal(value, SLICE_LITERAL("1")) &&
        !slice_equal(value, SLICE_LITERAL("true"))) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "%s has no value: give it, or leave it out; not \"%.*s\"", name,
                               SLICE_ARGS(cut(value)));
    }
    return OK;
}

static err take_hold(void *ctx, struct slice value, struct problem *problem)
{
    struct system_query *query = ctx;
    return take_mark(&query->holds, "hold", value, problem);
}

static err take_keys(void *ctx, struct slice value, struct problem *problem)
{
    struct system_query *query = ctx;
    return take_mark(&query->wants_keys, "keys", value, problem);
}

static err take_force(void *ctx, struct slice value, struct problem *problem)
{
    struct system_query *query = ctx;
    return take_mark(&query->is_forced, "force", value, problem);
}

static err take_after(void *ctx, struct slice value, struct problem *problem)
{
    struct system_query *query = ctx;
    query->after = value;
    return value.size > 0 && value.size <= KEY_SIZE_MAX
               ? OK
               : api_problem_set(problem, ERR_BAD_REQUEST,
                                 "after is where the list goes on, as \"next\" has it");
}

static err take_timeout(void *ctx, struct slice value, struct problem *problem)
{
    struct system_query *query = ctx;
    return api_params_take_timeout(value, &query->timeout_ms, problem);
}

static err take_consistency(void *ctx, struct slice value, struct problem *problem)
{
    struct system_query *query = ctx;
    bool is_stale = slice_equal(value, SLICE_LITERAL("stale"));
    query->consistency = is_stale ? READ_STALE : READ_LINEARIZABLE;
    return is_stale || slice_equal(value, SLICE_LITERAL("linearizable"))
               ? OK
               : api_problem_set(problem, ERR_BAD_REQUEST,
                                 "consistency is \"linearizable\" (the default) or \"stale\", not "
                                 "\"%.*s\"",
                                 SLICE_ARGS(cut(value)));
}

static err take_min_revision(void *ctx, struct slice value, struct problem *problem)
{
    struct system_query *query = ctx;
    return api_units_parse_u64(value, &query->min_revision) == OK
               ? OK
               : api_problem_set(problem, ERR_BAD_REQUEST, "min-revision is a number, not \"%.*s\"",
                                 SLICE_ARGS(cut(value)));
}

err api_system_query_parse(struct exchange *x, unsigned allowed, struct system_query *out_query,
                           struct problem *problem)
{
    static const struct {
        unsigned bit;
        struct param_own row;
    } all[] = {
        {SYSTEM_TTL, {"ttl", take_ttl}},
        {SYSTEM_WAIT, {"wait", take_wait}},
        {SYSTEM_HOLDERS, {"limit", take_holders}},
        {SYSTEM_ROWS, {"limit", take_rows}},
        {SYSTEM_ID, {"id", take_id}},
        {SYSTEM_HOLD, {"hold", take_hold}},
        {SYSTEM_KEYS, {"keys", take_keys}},
        {SYSTEM_AFTER, {"after", take_after}},
        {SYSTEM_FORCE, {"force", take_force}},
        {SYSTEM_READ, {"consistency", take_consistency}},
        {SYSTEM_READ, {"min-revision", take_min_revision}},
        {0, {"timeout", take_timeout}},
    };
    struct param_own rows[ARRAY_COUNT(all)];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
        if (all[i].bit == 0 || (all[i].bit & allowed) != 0) {
            rows[count++] = all[i].row;
        }
    }
    *out_query = (struct system_query){.consistency = READ_LINEARIZABLE,
                                       .timeout_ms = x->api->options.request_timeout_ms};
    struct slice text = http_query(x->request);
    return text.size == 0 ? OK
                          : api_params_parse_own(text, http_alloc(x->request, text.size), rows,
                                                 count, out_query, problem);
}
