#include "api/list_params.h"

#include <inttypes.h>

#include "api/accept.h"
#include "api/params.h"
#include "api/text.h"
#include "api/units.h"
#include "base/assert.h"
#include "base/limits.h"

#define ECHO_SIZE_MAX 48u

static struct slice cut(struct slice text)
{
    return (struct slice){text.data, text.size < ECHO_SIZE_MAX ? text.size : ECHO_SIZE_MAX};
}

/* ---- kinds of values ---- */

/* A part of keys: no key is longer, so one that is would find nothing. */
static err take_bytes(struct slice value, struct slice *target, const char *name,
                      struct problem *problem)
{
    if (value.size > KEY_SIZE_MAX) {
        problem->limit = KEY_SIZE_MAX;
        return api_problem_set(problem, ERR_KEY_TOO_LONG,
                               "?%s is at most %u bytes, as a key is; this one has %zu", name,
                               KEY_SIZE_MAX, value.size);
    }
    *target = value;
    return OK;
}

/* "?reverse" and "?reverse=1" say the same. */
static err take_flag(struct slice value, bool *target, const char *name, struct problem *problem)
{
    static const char *const yes[] = {"", "1", "true", "yes"};
    static const char *const no[] = {"0", "false", "no"};
    for (size_t i = 0; i < ARRAY_COUNT(yes); i++) {
        if (slice_equal(value, slice_from_text(yes[i]))) {
            *target = true;
            return OK;
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(no); i++) {
        if (slice_equal(value, slice_from_text(no[i]))) {
            *target = false;
            return OK;
        }
    }
    return api_problem_set(problem, ERR_BAD_REQUEST, "%s is 1 or 0, not \"%.*s\"", name,
                           SLICE_ARGS(cut(value)));
}

static bool parse_number(struct slice value, uint64_t *out_number)
{
    uint64_t number = 0;
    if (value.size == 0 || value.size > 16) { /* less than 2^64 in any case */
        return false;
    }
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            return false;
        }
        number = number * 10 + (value.data[i] - '0');
    }
    *out_number = number;
    return true;
}

/* From 1 on: a bound that nobody set is 0. */
static err take_bound(struct slice value, uint64_t *target, const char *name,
                      struct problem *problem)
{
    uint64_t revision;
    if (api_units_parse_u64(value, &revision) != OK || revision == 0 || revision > REVISION_MAX) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "%s is a revision, as KV-Revision says it, not \"%.*s\"", name,
                               SLICE_ARGS(cut(value)));
    }
    *target = revision;
    return OK;
}

/* ---- one by one ---- */

#define TAKE_BYTES(field)                                                                          \
    static err take_##field(void *ctx, struct slice value, struct problem *problem)                \
    {                                                                                              \
        return take_bytes(value, &((struct list_params *)ctx)->field, #field, problem);            \
    }

TAKE_BYTES(prefix)
TAKE_BYTES(start)
TAKE_BYTES(end)
TAKE_BYTES(after)
TAKE_BYTES(before)
TAKE_BYTES(delimiter)
TAKE_BYTES(match)

#define TAKE_BOUND(bound, of)                                                                      \
    static err take_##bound##_##of(void *ctx, struct slice value, struct problem *problem)         \
    {                                                                                              \
        return take_bound(value, &((struct list_params *)ctx)->filter.of.bound,                    \
                          #bound "-" #of "-revision", problem);                                    \
    }

TAKE_BOUND(min, mod)
TAKE_BOUND(max, mod)
TAKE_BOUND(min, create)
TAKE_BOUND(max, create)

static err take_cursor(void *ctx, struct slice value, struct problem *problem)
{
    struct list_params *params = ctx;
    if (value.size == 0) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "cursor is what the \"next\" of a page has; without it the list "
                               "begins at its first key");
    }
    params->cursor = value;
    return OK;
}

static err take_reverse(void *ctx, struct slice value, struct problem *problem)
{
    return take_flag(value, &((struct list_params *)ctx)->is_reverse, "reverse", problem);
}

static err take_values(void *ctx, struct slice value, struct problem *problem)
{
    return take_flag(value, &((struct list_params *)ctx)->wants_values, "values", problem);
}

static err take_count(void *ctx, struct slice value, struct problem *problem)
{
    return take_flag(value, &((struct list_params *)ctx)->is_count, "count", problem);
}

static err take_limit(void *ctx, struct slice value, struct problem *problem)
{
    struct list_params *params = ctx;
    if (!parse_number(value, &params->limit)) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "limit is a number of keys, such as 100, not \"%.*s\"",
                               SLICE_ARGS(cut(value)));
    }
    params->has_limit = true;
    return OK;
}

static err take_at(void *ctx, struct slice value, struct problem *problem)
{
    return api_params_take_at(value, &((struct list_params *)ctx)->at, problem);
}

static err take_format(void *ctx, struct slice value, struct problem *problem)
{
    struct list_params *params = ctx;
    static const char *const names[] = {
        [LIST_JSON] = "json", [LIST_NDJSON] = "ndjson", [LIST_TEXT] = "text"};
    for (unsigned i = 0; i < ARRAY_COUNT(names); i++) {
        if (slice_equal(value, slice_from_text(names[i]))) {
            params->format = (enum list_format)i;
            params->has_format = true;
            return OK;
        }
    }
    return api_problem_set(problem, ERR_BAD_REQUEST, "format is json, ndjson or text, not \"%.*s\"",
                           SLICE_ARGS(cut(value)));
}

static err take_consistency(void *ctx, struct slice value, struct problem *problem)
{
    ((struct list_params *)ctx)->has_consistency = true;
    return api_params_take_consistency(value, &((struct list_params *)ctx)->consistency, problem);
}

static err take_staleness(void *ctx, struct slice value, struct problem *problem)
{
    ((struct list_params *)ctx)->has_staleness = true;
    return api_params_take_staleness(value, &((struct list_params *)ctx)->staleness_ms_max,
                                     problem);
}

static err take_revision(void *ctx, struct slice value, struct problem *problem)
{
    return api_params_take_revision(value, &((struct list_params *)ctx)->revision_min, problem);
}

static err take_timeout(void *ctx, struct slice value, struct problem *problem)
{
    return api_params_take_timeout(value, &((struct list_params *)ctx)->timeout_ms, problem);
}

static err take_all(void *ctx, struct slice value, struct problem *problem)
{
    if (!slice_equal(value, SLICE_LITERAL("yes"))) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "all=yes, in full, is what deletes every key; not \"%.*s\"",
                               SLICE_ARGS(cut(value)));
    }
    ((struct list_params *)ctx)->is_all = true;
    return OK;
}

static err take_dry_run(void *ctx, struct slice value, struct problem *problem)
{
    return take_flag(value, &((struct list_params *)ctx)->is_dry_run, "dry-run", problem);
}

/* ---- all of them ---- */

static const struct param_own list_rows[] = {
    {"prefix", take_prefix},
    {"start", take_start},
    {"end", take_end},
    {"after", take_after},
    {"before", take_before},
    {"delimiter", take_delimiter},
    {"match", take_match},
    {"min-mod-revision", take_min_mod},
    {"max-mod-revision", take_max_mod},
    {"min-create-revision", take_min_create},
    {"max-create-revision", take_max_create},
    {"cursor", take_cursor},
    {"reverse", take_reverse},
    {"values", take_values},
    {"count", take_count},
    {"limit", take_limit},
    {"at", take_at},
    {"format", take_format},
    {"timeout", take_timeout},
    {"consistency", take_consistency},
    {"max-staleness", take_staleness},
    {"min-revision", take_revision},
};

static const struct param_own delete_rows[] = {
    {"prefix", take_prefix},
    {"all", take_all},
    {"dry-run", take_dry_run},
    {"timeout", take_timeout},
};

static err check_bounds(const struct list_revisions *bounds, const char *of,
                        struct problem *problem)
{
    if (bounds->max != 0 && bounds->min > bounds->max) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "min-%s-revision %" PRIu64 " is above max-%s-revision %" PRIu64
                               ": no key can be between them",
                               of, bounds->min, of, bounds->max);
    }
    return OK;
}

static err check_list(const struct list_params *params, struct problem *problem)
{
    if (check_bounds(&params->filter.mod, "mod", problem) != OK ||
        check_bounds(&params->filter.create, "create", problem) != OK) {
        return problem->e;
    }
    if (params->is_count && (params->has_limit || params->cursor.size > 0)) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "count counts all keys, not those of a page: leave out limit and "
                               "cursor");
    }
    if (params->has_consistency && params->has_staleness) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "consistency and max-staleness both say how old an answer may be: "
                               "give one of them");
    }
    if (params->at != 0 && params->cursor.size > 0) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "the cursor has the revision already: leave out at");
    }
    return OK;
}

/* Nobody deletes everything by a parameter that was empty, or forgotten. */
static err check_delete(const struct list_params *params, struct problem *problem)
{
    if (params->prefix.size == 0 && !params->is_all) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "say which keys: ?prefix=PREFIX deletes those that begin so, "
                               "?all=yes deletes every key; with dry-run=1 they are only counted");
    }
    if (params->prefix.size > 0 && params->is_all) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "prefix and all=yes contradict each other: leave one of them out");
    }
    return OK;
}

err api_list_params_parse(struct slice query, uint8_t *memory, bool is_delete,
                          struct list_params *params, struct problem *problem)
{
    const struct param_own *rows = is_delete ? delete_rows : list_rows;
    size_t count = is_delete ? ARRAY_COUNT(delete_rows) : ARRAY_COUNT(list_rows);
    err e = api_params_parse_own(query, memory, rows, count, params, problem);
    if (e != OK) {
        return e;
    }
    if (params->has_staleness) {
        params->consistency = READ_BOUNDED;
    }
    return is_delete ? check_delete(params, problem) : check_list(params, problem);
}

enum list_format api_list_format_of(struct slice accept)
{
    static const char *const offers[] = {[LIST_JSON] = "application/json",
                                         [LIST_NDJSON] = "application/x-ndjson",
                                         [LIST_TEXT] = "text/plain"};
    size_t chosen = api_accept_choose(accept, offers, ARRAY_COUNT(offers));
    return chosen < ARRAY_COUNT(offers) ? (enum list_format)chosen : LIST_JSON;
}
