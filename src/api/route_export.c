/*
 * /export: all keys, or those of a prefix, of one revision as lines of JSON (export_format.h),
 * which "pontoon import" takes. A list in another form: the first line says how many there are, so
 * those of a prefix are counted first.
 */
#include <string.h>

#include "api/list_int.h"
#include "base/assert.h"

#define TIMEOUT_MS 60000u /* for counting: unless something else is asked for */

static err take_prefix(void *ctx, struct slice value, struct problem *problem)
{
    ((struct list_params *)ctx)->prefix = value;
    if (value.size > KEY_SIZE_MAX) {
        problem->limit = KEY_SIZE_MAX;
        return api_problem_set(problem, ERR_KEY_TOO_LONG,
                               "?prefix is at most %u bytes, as a key is; this one has %zu",
                               KEY_SIZE_MAX, value.size);
    }
    return OK;
}

static err take_consistency(void *ctx, struct slice value, struct problem *problem)
{
    return api_params_take_consistency(value, &((struct list_params *)ctx)->consistency, problem);
}

static err take_timeout(void *ctx, struct slice value, struct problem *problem)
{
    return api_params_take_timeout(value, &((struct list_params *)ctx)->timeout_ms, problem);
}

err api_export_prepare(struct exchange *x, struct problem *problem)
{
    static const struct param_own rows[] = {
        {"prefix", take_prefix},
        {"consistency", take_consistency},
        {"timeout", take_timeout},
    };
    struct list_params *params = http_alloc(x->request, sizeof(*params));
    *params = (struct list_params){.wants_values = true,
                                   .format = LIST_NDJSON,
                                   .consistency = READ_LINEARIZABLE,
                                   .timeout_ms = TIMEOUT_MS};
    x->op.list = params;
    struct slice query = http_query(x->request);
    uint8_t *memory = query.size > 0 ? http_alloc(x->request, query.size) : NULL;
    return api_params_parse_own(query, memory, rows, ARRAY_COUNT(rows), params, problem);
}

/* It is known how many there are: from the first one again, with the first line before it. */
static void counted(struct key_list *list)
{
    const struct store_region state = {
        .revision = list->revision, .keys = list->count, .state_hash = list->state_hash};
    api_list_walk_init(&list->walk, &list->params);
    api_export_put_head(&list->sums, &state, &list->out);
    api_list_stream(list);
}

static void ready(struct key_list *list)
{
    if (list->x->method == HTTP_METHOD_HEAD) {
        api_list_add_fields(list, "application/x-ndjson");
        api_exchange_respond_stream_head(list->x);
        api_list_free(list);
    } else {
        api_list_count(list, counted);
    }
}

void api_export_answer(struct exchange *x)
{
    struct key_list *list = NULL;
    err e = api_list_new(x, x->op.list, &list);
    ASSERT(e == OK); /* it has no cursor */
    list->is_export = true;
    api_list_read(list, ready);
}
