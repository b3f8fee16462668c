#include "api/params.h"

#include <stdio.h>
#include <string.h>

#include "api/prefer.h"
#include "api/suggest.h"
#include "api/text.h"
#include "api/ttl.h"
#include "api/units.h"
#include "base/assert.h"
#include "base/limits.h"

#define SHORT_NAME_SIZE 3u /* such names are misspelled only with their own letters */
#define ECHO_SIZE_MAX 48u  /* of what a client sent, in a detail */
#define PARAMS_NAMES_SIZE 272u

/* Of what kind of request it is. */
enum reach {
    REACH_BOTH,
    REACH_READ,
    REACH_WRITE,
};

/* Every name that docs/api.md gives to one key, so that near misses of them are found. */
struct param {
    const char *name;
    enum reach reach;
    err (*take)(struct slice value, struct kv_params *params, struct problem *problem);
};

static err take_consistency(struct slice value, struct kv_params *params, struct problem *problem);
static err take_timeout(struct slice value, struct kv_params *params, struct problem *problem);
static err take_by(struct slice value, struct kv_params *params, struct problem *problem);
static err take_cas(struct slice value, struct kv_params *params, struct problem *problem);
static err take_keepttl(struct slice value, struct kv_params *params, struct problem *problem);
static err take_lease(struct slice value, struct kv_params *params, struct problem *problem);
static err take_op(struct slice value, struct kv_params *params, struct problem *problem);
static err take_prev(struct slice value, struct kv_params *params, struct problem *problem);
static err take_touch(struct slice value, struct kv_params *params, struct problem *problem);
static err take_ttl(struct slice value, struct kv_params *params, struct problem *problem);
static err take_staleness(struct slice value, struct kv_params *params, struct problem *problem);
static err take_revision(struct slice value, struct kv_params *params, struct problem *problem);
static err take_at(struct slice value, struct kv_params *params, struct problem *problem);
static err take_index(struct slice value, struct kv_params *params, struct problem *problem);
static err take_redirect(struct slice value, struct kv_params *params, struct problem *problem);
static err take_wait(struct slice value, struct kv_params *params, struct problem *problem);
static err take_meta(struct slice value, struct kv_params *params, struct problem *problem);

static const struct param kv_params[] = {
    {"consistency", REACH_BOTH, take_consistency},
    {"timeout", REACH_BOTH, take_timeout},
    {"at", REACH_READ, take_at},
    {"by", REACH_WRITE, take_by},
    {"cas", REACH_WRITE, take_cas},
    {"index", REACH_READ, take_index},
    {"keepttl", REACH_WRITE, take_keepttl},
    {"lease", REACH_WRITE, take_lease},
    {"max-staleness", REACH_BOTH, take_staleness},
    {"meta", REACH_BOTH, take_meta},
    {"min-revision", REACH_BOTH, take_revision},
    {"op", REACH_WRITE, take_op},
    {"prev", REACH_WRITE, take_prev},
    {"redirect", REACH_BOTH, take_redirect},
    {"touch", REACH_WRITE, take_touch},
    {"ttl", REACH_WRITE, take_ttl},
    {"wait", REACH_READ, take_wait},
};
_Static_assert(ARRAY_COUNT(kv_params) <= 32, "the parameters seen are bits of a uint32_t");

/* ---- values ---- */

static struct slice cut(struct slice text)
{
    return (struct slice){text.data, text.size < ECHO_SIZE_MAX ? text.size : ECHO_SIZE_MAX};
}

err api_params_take_consistency(struct slice value, enum read_consistency *out_consistency,
                                struct problem *problem)
{
    if (slice_equal(value, SLICE_LITERAL("linearizable"))) {
        *out_consistency = READ_LINEARIZABLE;
        return OK;
    }
    if (slice_equal(value, SLICE_LITERAL("stale"))) {
        *out_consistency = READ_STALE;
        return OK;
    }
    return api_problem_set(problem, ERR_BAD_REQUEST,
                           "consistency is \"linearizable\" (the default) or \"stale\", not "
                           "\"%.*s\"",
                           SLICE_ARGS(cut(value)));
}

static err take_consistency(struct slice value, struct kv_params *params, struct problem *problem)
{
    return api_params_take_consistency(value, &params->consistency, problem);
}

err api_params_take_timeout(struct slice value, uint64_t *out_ms, struct problem *problem)
{
    uint64_t ms;
    if (api_units_parse_duration(value, &ms) != OK || ms < PARAMS_TIMEOUT_MS_MIN ||
        ms > PARAMS_TIMEOUT_MS_MAX) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "timeout is a duration with its unit from 1ms to 60s, such as "
                               "500ms or 5s, not \"%.*s\"",
                               SLICE_ARGS(cut(value)));
    }
    *out_ms = ms;
    return OK;
}

static err take_timeout(struct slice value, struct kv_params *params, struct problem *problem)
{
    return api_params_take_timeout(value, &params->timeout_ms, problem);
}

/* ---- what a write does, and if ---- */

static err take_by(struct slice value, struct kv_params *params, struct problem *problem)
{
    if (api_units_parse_i64(value, &params->by) != OK) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "by is a whole number of 64 bits, such as 1 or -5, not \"%.*s\"",
                               SLICE_ARGS(cut(value)));
    }
    params->has_by = true;
    return OK;
}

static err take_cas(struct slice value, struct kv_params *params, struct problem *problem)
{
    if (api_units_parse_u64(value, &params->cas) != OK) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "cas is the revision that the key has to be at, as its ETag has it "
                               "without the quotes, or 0 for a key that is not there; not "
                               "\"%.*s\"",
                               SLICE_ARGS(cut(value)));
    }
    params->has_cas = true;
    params->is_special = true;
    return OK;
}

/* Of a parameter that is there or not: a value says neither yes nor no to a careful reader. */
static err take_mark(struct slice value, const char *name, struct problem *problem)
{
    if (value.size > 0 && !slice_equal(value, SLICE_LITERAL("1")) &&
        !slice_equal(value, SLICE_LITERAL("true"))) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "%s has no value: give it, or leave it out; not \"%.*s\"", name,
                               SLICE_ARGS(cut(value)));
    }
    return OK;
}

static err take_keepttl(struct slice value, struct kv_params *params, struct problem *problem)
{
    params->keeps_ttl = true;
    params->is_special = true;
    return take_mark(value, "keepttl", problem);
}

static err take_lease(struct slice value, struct kv_params *params, struct problem *problem)
{
    params->is_special = true;
    return api_lease_parse(value, &params->lease, problem);
}

static err take_op(struct slice value, struct kv_params *params, struct problem *problem)
{
    params->is_special = true;
    if (slice_equal(value, SLICE_LITERAL("incr"))) {
        params->op = KV_OP_INCR;
        return OK;
    }
    if (slice_equal(value, SLICE_LITERAL("append"))) {
        params->op = KV_OP_APPEND;
        return OK;
    }
    return api_problem_set(problem, ERR_BAD_REQUEST, "op is \"incr\" or \"append\", not \"%.*s\"",
                           SLICE_ARGS(cut(value)));
}

static err take_prev(struct slice value, struct kv_params *params, struct problem *problem)
{
    (void)problem;
    params->prev = value;
    params->has_prev = true;
    params->is_special = true;
    return OK;
}

static err take_touch(struct slice value, struct kv_params *params, struct problem *problem)
{
    if (params->op != KV_OP_SET) {
        return api_problem_set(problem, ERR_BAD_REQUEST, "touch and op exclude each other");
    }
    params->op = KV_OP_TOUCH;
    params->is_special = true;
    return take_mark(value, "touch", problem);
}

static err take_ttl(struct slice value, struct kv_params *params, struct problem *problem)
{
    params->has_ttl = true;
    params->is_special = true;
    return api_ttl_parse(value, "ttl", &params->ttl_ms, problem);
}

/* ---- how fresh an answer has to be, and of what ---- */

err api_params_take_staleness(struct slice value, uint64_t *out_ms, struct problem *problem)
{
    uint64_t ms;
    if (api_units_parse_duration(value, &ms) != OK || ms > PARAMS_STALENESS_MS_MAX) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "max-staleness is a duration with its unit from 0s to 24h, such as "
                               "500ms or 2s, not \"%.*s\"",
                               SLICE_ARGS(cut(value)));
    }
    *out_ms = ms;
    return OK;
}

static err take_staleness(struct slice value, struct kv_params *params, struct problem *problem)
{
    params->consistency = READ_BOUNDED;
    return api_params_take_staleness(value, &params->staleness_ms_max, problem);
}

err api_params_take_revision(struct slice value, uint64_t *out_revision, struct problem *problem)
{
    uint64_t revision;
    if (api_units_parse_u64(value, &revision) != OK || revision > REVISION_MAX) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "min-revision is a revision, as KV-Revision says it, not \"%.*s\"",
                               SLICE_ARGS(cut(value)));
    }
    *out_revision = revision;
    return OK;
}

static err take_revision(struct slice value, struct kv_params *params, struct problem *problem)
{
    return api_params_take_revision(value, &params->revision_min, problem);
}

err api_params_take_at(struct slice value, uint64_t *out_revision, struct problem *problem)
{
    if (api_units_parse_u64(value, out_revision) != OK || *out_revision == 0) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "at is a revision, such as 42, not \"%.*s\"",
                               SLICE_ARGS(cut(value)));
    }
    return OK;
}

static err take_at(struct slice value, struct kv_params *params, struct problem *problem)
{
    return api_params_take_at(value, &params->at, problem);
}

/* ---- long polls ---- */

static err take_index(struct slice value, struct kv_params *params, struct problem *problem)
{
    if (api_units_parse_u64(value, &params->index) != OK || params->index > REVISION_MAX) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "index is the revision that you have, as the ETag has it without "
                               "the quotes, or 0; not \"%.*s\"",
                               SLICE_ARGS(cut(value)));
    }
    params->has_index = true;
    return OK;
}

static err take_wait(struct slice value, struct kv_params *params, struct problem *problem)
{
    if (api_units_parse_duration(value, &params->wait_ms) != OK ||
        params->wait_ms > PREFER_WAIT_MS_MAX) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "wait is a duration with its unit from 0s to 10m, such as 30s, not "
                               "\"%.*s\"",
                               SLICE_ARGS(cut(value)));
    }
    params->has_wait = true;
    return OK;
}

static err take_redirect(struct slice value, struct kv_params *params, struct problem *problem)
{
    params->is_redirect = true;
    return take_mark(value, "redirect", problem);
}

static err take_meta(struct slice value, struct kv_params *params, struct problem *problem)
{
    params->is_meta = true;
    return take_mark(value, "meta", problem);
}

/* ---- names ---- */

static bool is_made_of(struct slice text, struct slice letters)
{
    for (size_t i = 0; i < text.size; i++) {
        if (memchr(letters.data, text.data[i], letters.size) == NULL) {
            return false;
        }
    }
    return true;
}

static bool is_near_miss(struct slice name, struct slice known)
{
    if (slice_equal_nocase(name, known)) {
        return true; /* names are of one case, and a TTL that is shouted is still meant */
    }
    if (name.size < SHORT_NAME_SIZE || known.size < SHORT_NAME_SIZE ||
        api_suggest_distance(name, known) > 1) {
        return false;
    }
    return known.size > SHORT_NAME_SIZE || is_made_of(name, known);
}

static err check_unknown(struct slice name, struct problem *problem)
{
    for (size_t i = 0; i < ARRAY_COUNT(kv_params); i++) {
        if (is_near_miss(name, slice_from_text(kv_params[i].name))) {
            problem->did_you_mean = kv_params[i].name;
            return api_problem_set(problem, ERR_BAD_REQUEST,
                                   "unknown parameter \"%.*s\": did you mean \"%s\"?",
                                   SLICE_ARGS(cut(name)), kv_params[i].name);
        }
    }
    return OK;
}

static const struct param *find(struct slice name)
{
    for (size_t i = 0; i < ARRAY_COUNT(kv_params); i++) {
        if (slice_equal(name, slice_from_text(kv_params[i].name))) {
            return &kv_params[i];
        }
    }
    return NULL;
}

static err take(const struct http_parameter *parameter, bool is_write, uint32_t *seen,
                struct kv_params *params, struct problem *problem)
{
    const struct param *param = find(parameter->name);
    if (param == NULL) {
        return check_unknown(parameter->name, problem);
    }
    if (param->reach == (is_write ? REACH_READ : REACH_WRITE)) {
        return api_problem_set(problem, ERR_BAD_REQUEST, "?%s is of %s; this is a %s", param->name,
                               is_write ? "reads" : "writes", is_write ? "write" : "read");
    }
    uint32_t bit = UINT32_C(1) << (param - kv_params);
    if ((*seen & bit) != 0) {
        return api_problem_set(problem, ERR_BAD_REQUEST, "?%s is given twice", param->name);
    }
    *seen |= bit;
    return param->take(parameter->value, params, problem);
}

/* Of two that each say how old an answer may be, one was not meant. */
static err check_together(uint32_t seen, struct problem *problem)
{
    uint32_t both = 0;
    for (size_t i = 0; i < ARRAY_COUNT(kv_params); i++) {
        if (kv_params[i].take == take_consistency || kv_params[i].take == take_staleness) {
            both |= UINT32_C(1) << i;
        }
    }
    if ((seen & both) != both) {
        return OK;
    }
    return api_problem_set(problem, ERR_BAD_REQUEST,
                           "consistency and max-staleness both say how old an answer may be: give "
                           "one of them");
}

static err finish(const struct http_query *query, struct problem *problem)
{
    problem->parameter = SLICE_EMPTY;
    if (http_query_finish(query) != OK) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "the query is not percent-encoded correctly: two hex digits must "
                               "follow every '%%', and '%%' itself is written %%25");
    }
    return OK;
}

err api_params_parse_kv(struct http_query *query, bool is_write, struct kv_params *params,
                        struct problem *problem)
{
    ASSERT(problem->e == OK);
    uint32_t seen = 0;
    struct http_parameter parameter;
    while (http_query_next(query, &parameter)) {
        problem->parameter = parameter.name;
        if (take(&parameter, is_write, &seen, params, problem) != OK) {
            ASSERT(problem->e != OK);
            return problem->e;
        }
    }
    err e = finish(query, problem);
    return e == OK ? check_together(seen, problem) : e;
}

const char *api_params_kv_name(size_t i)
{
    return i < ARRAY_COUNT(kv_params) ? kv_params[i].name : NULL;
}

/* ---- paths without parameters of others ---- */

static err refuse_foreign(struct slice name, const struct param_own *rows, size_t row_count,
                          struct problem *problem)
{
    struct suggest suggest = {.name = name};
    for (size_t i = 0; i < row_count; i++) {
        api_suggest_offer(&suggest, rows[i].name);
    }
    problem->did_you_mean = api_suggest_meant(&suggest);
    if (problem->did_you_mean != NULL) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "unknown parameter \"%.*s\": did you mean \"%s\"?",
                               SLICE_ARGS(cut(name)), problem->did_you_mean);
    }
    char known[PARAMS_NAMES_SIZE] = "none";
    size_t size = 0;
    for (size_t i = 0; i < row_count; i++) {
        size += (size_t)snprintf(known + size, sizeof(known) - size, "%s?%s", i == 0 ? "" : ", ",
                                 rows[i].name);
        ASSERT(size < sizeof(known));
    }
    return api_problem_set(problem, ERR_BAD_REQUEST,
                           "unknown parameter \"%.*s\": there are %s here", SLICE_ARGS(cut(name)),
                           known);
}

static err take_own(const struct http_parameter *parameter, const struct param_own *rows,
                    size_t row_count, void *ctx, uint32_t *seen, struct problem *problem)
{
    for (size_t i = 0; i < row_count; i++) {
        if (!slice_equal(parameter->name, slice_from_text(rows[i].name))) {
            continue;
        }
        uint32_t bit = UINT32_C(1) << i;
        if ((*seen & bit) != 0) {
            return api_problem_set(problem, ERR_BAD_REQUEST, "?%s is given twice", rows[i].name);
        }
        *seen |= bit;
        return rows[i].take(ctx, parameter->value, problem);
    }
    return refuse_foreign(parameter->name, rows, row_count, problem);
}

err api_params_parse_own(struct slice text, uint8_t *memory, const struct param_own *rows,
                         size_t row_count, void *ctx, struct problem *problem)
{
    ASSERT(row_count <= 32); /* bits of `seen` */
    struct http_query query = http_query_of(text, memory);
    struct http_parameter parameter;
    uint32_t seen = 0;
    while (http_query_next(&query, &parameter)) {
        problem->parameter = parameter.name;
        err e = take_own(&parameter, rows, row_count, ctx, &seen, problem);
        if (e != OK) {
            return e;
        }
    }
    return finish(&query, problem);
}
