#include "api/watch_params.h"

#include <string.h>

#include "api/accept.h"
#include "api/key.h"
#include "api/units.h"
#include "base/assert.h"
#include "base/limits.h"

#define ALL_KINDS (1u << STORE_CHANGE_PUT | 1u << STORE_CHANGE_DELETE | 1u << STORE_CHANGE_EXPIRE)

static err take_pattern(struct watch_params *params, struct slice value, bool is_prefix,
                        struct problem *problem)
{
    if (params->has_key) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "one key or one prefix is watched: /watch/KEY, ?key= or ?prefix=");
    }
    if (value.size > KEY_SIZE_MAX) {
        problem->limit = KEY_SIZE_MAX;
        return api_problem_set(problem, ERR_KEY_TOO_LONG,
                               "a key is at most %u bytes, this one has %zu", KEY_SIZE_MAX,
                               value.size);
    }
    if (value.size == 0 && !is_prefix) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "?key needs a key; all keys are watched with ?prefix=");
    }
    params->has_key = true;
    params->is_prefix = is_prefix;
    params->pattern = value;
    return OK;
}

static err take_key(void *ctx, struct slice value, struct problem *problem)
{
    return take_pattern(ctx, value, false, problem);
}

static err take_prefix(void *ctx, struct slice value, struct problem *problem)
{
    return take_pattern(ctx, value, true, problem);
}

static err take_since(void *ctx, struct slice value, struct problem *problem)
{
    struct watch_params *params = ctx;
    params->has_since = true;
    if (api_units_parse_u64(value, &params->since) != OK || params->since > REVISION_MAX) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "?since is a revision, the last one that you have, such as 42");
    }
    return OK;
}

/* A flag: "?initial", "?initial=1", "?initial=0". */
static err take_flag(const char *name, struct slice value, bool *out_flag, struct problem *problem)
{
    bool is_yes = value.size == 0 || slice_equal(value, SLICE_LITERAL("1")) ||
                  slice_equal(value, SLICE_LITERAL("true"));
    bool is_no =
        slice_equal(value, SLICE_LITERAL("0")) || slice_equal(value, SLICE_LITERAL("false"));
    *out_flag = is_yes;
    return is_yes || is_no ? OK : api_problem_set(problem, ERR_BAD_REQUEST, "?%s is 1 or 0", name);
}

static err take_initial(void *ctx, struct slice value, struct problem *problem)
{
    struct watch_params *params = ctx;
    return take_flag("initial", value, &params->is_initial, problem);
}

static err take_prev(void *ctx, struct slice value, struct problem *problem)
{
    struct watch_params *params = ctx;
    return take_flag("prev", value, &params->style.has_prev, problem);
}

static err take_events(void *ctx, struct slice value, struct problem *problem)
{
    static const char *const names[] = {
        [STORE_CHANGE_PUT] = "put",
        [STORE_CHANGE_DELETE] = "delete",
        [STORE_CHANGE_EXPIRE] = "expire",
    };
    struct watch_params *params = ctx;
    params->kinds = 0;
    do {
        struct slice name = api_text_split(&value, ',');
        unsigned kind = 0;
        while (kind < ARRAY_COUNT(names) && !slice_equal(name, slice_from_text(names[kind]))) {
            kind++;
        }
        if (kind == ARRAY_COUNT(names)) {
            return api_problem_set(problem, ERR_BAD_REQUEST,
                                   "?events is a list of put, delete and expire, with commas");
        }
        params->kinds |= 1u << kind;
    } while (value.size > 0);
    return OK;
}

static err take_format(void *ctx, struct slice value, struct problem *problem)
{
    struct watch_params *params = ctx;
    bool is_sse = slice_equal(value, SLICE_LITERAL("sse"));
    params->has_form = true;
    params->style.form = is_sse ? WATCH_FORM_SSE : WATCH_FORM_NDJSON;
    return is_sse || slice_equal(value, SLICE_LITERAL("ndjson"))
               ? OK
               : api_problem_set(problem, ERR_BAD_REQUEST, "?format is sse or ndjson");
}

static err take_consistency(void *ctx, struct slice value, struct problem *problem)
{
    struct watch_params *params = ctx;
    bool is_stale = slice_equal(value, SLICE_LITERAL("stale"));
    params->consistency = is_stale ? READ_STALE : READ_LINEARIZABLE;
    return is_stale || slice_equal(value, SLICE_LITERAL("linearizable"))
               ? OK
               : api_problem_set(problem, ERR_BAD_REQUEST,
                                 "?consistency is linearizable (how a watch begins, unless told "
                                 "otherwise) or stale");
}

static err take_timeout(void *ctx, struct slice value, struct problem *problem)
{
    struct watch_params *params = ctx;
    return api_params_take_timeout(value, &params->timeout_ms, problem);
}

static const struct param_own rows[] = {
    {"key", take_key},         {"prefix", take_prefix},
    {"since", take_since},     {"initial", take_initial},
    {"prev", take_prev},       {"events", take_events},
    {"format", take_format},   {"consistency", take_consistency},
    {"timeout", take_timeout},
};

/* What follows "/watch/" in the path. */
static err read_path(struct exchange *x, struct watch_params *params, struct problem *problem)
{
    struct slice path = http_path(x->request);
    size_t size = x->route->path.size;
    if (!x->route->is_prefix) {
        return OK;
    }
    struct slice raw = {path.data + size, path.size - size};
    params->has_key = true;
    return api_key_decode(raw, http_alloc(x->request, raw.size), &params->pattern, problem);
}

/* What a browser sends when it comes back is newer than the query, which stays the same. */
static err read_last_id(const struct exchange *x, struct watch_params *params,
                        struct problem *problem)
{
    struct slice id = http_header(x->request, "last-event-id");
    if (id.size == 0) {
        return OK;
    }
    params->has_since = true;
    if (api_units_parse_u64(id, &params->since) != OK || params->since > REVISION_MAX) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "Last-Event-ID is the id of an event of this server, a revision");
    }
    return OK;
}

static enum watch_form form_of(const struct exchange *x)
{
    static const char *const offers[] = {"text/event-stream", "application/x-ndjson"};
    size_t choice =
        api_accept_choose(http_header(x->request, "accept"), offers, ARRAY_COUNT(offers));
    return choice == 1 ? WATCH_FORM_NDJSON : WATCH_FORM_SSE;
}

err api_watch_params_read(struct exchange *x, struct watch_params *params, struct problem *problem)
{
    struct slice query = http_query(x->request);
    *params = (struct watch_params){.kinds = ALL_KINDS,
                                    .consistency = READ_LINEARIZABLE,
                                    .timeout_ms = x->api->options.request_timeout_ms};
    err e = read_path(x, params, problem);
    if (e == OK && query.size > 0) {
        e = api_params_parse_own(query, http_alloc(x->request, query.size), rows, ARRAY_COUNT(rows),
                                 params, problem);
    }
    if (e == OK) {
        e = read_last_id(x, params, problem);
    }
    if (e == OK && !params->has_key) {
        e = api_problem_set(problem, ERR_BAD_REQUEST,
                            "what is to be watched? /watch/KEY, ?key= or ?prefix= says it; all "
                            "keys are ?prefix=");
    }
    if (!params->has_form) {
        params->style.form = form_of(x);
    }
    return e;
}
