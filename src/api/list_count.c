/*
 * How many keys a list has: KV-Count, and what a DELETE would do. If the store's census knows, it
 * says so at once; else it learns while the keys are walked over, a step of one and of the other in
 * turn, and whichever comes to its end first has the answer.
 */
#include <inttypes.h>

#include "api/list_int.h"
#include "base/assert.h"

/* A state that moves on faster than its past is kept is counted in larger pieces, up to one. */
#define PIECE_FACTOR 8u

void api_list_respond_count(struct key_list *list)
{
    struct exchange *x = list->x;
    struct writer document = {0};
    const char *type = "application/json";
    if (list->params.is_dry_run) {
        writer_format(&document,
                      "{\"dry_run\":true,\"would_delete\":%" PRIu64 ",\"revision\":%" PRIu64 "}\n",
                      list->count, list->revision);
    } else if (list->params.format == LIST_TEXT) {
        type = "text/plain";
        writer_format(&document, "%" PRIu64 "\n", list->count);
    } else {
        writer_format(&document, "{\"revision\":%" PRIu64 ",\"count\":%" PRIu64 "}\n",
                      list->revision, list->count);
    }
    api_exchange_field_u64(x, "KV-Count", list->count);
    api_list_add_fields(list, type);
    api_exchange_respond(x, 200, NULL, writer_slice(&document));
    writer_deinit(&document);
    api_list_free(list);
}

/* Nothing says which keys: the state has their number. */
static bool is_whole(const struct key_list *list)
{
    const struct list_walk *walk = &list->walk;
    return !walk->begin.is_set && !walk->end.is_set && walk->match.size == 0 &&
           !api_list_filter_is_set(&walk->filter) && walk->delimiter.size == 0 &&
           list->revision == node_revision(list->node);
}

/* Whether the keys in a range are asked for, of no certain revision. */
static bool is_of_now(const struct key_list *list)
{
    const struct list_params *params = &list->params;
    return params->match.size == 0 && !api_list_filter_is_set(&params->filter) &&
           params->delimiter.size == 0 && params->at == 0 && params->cursor.size == 0;
}

/* ERR_NOT_FOUND: the number is there, as of now. ERR_OVERLOADED: it is not known yet. */
static err ask_census(struct key_list *list, uint64_t budget)
{
    struct list_walk whole; /* wherever the list is by now */
    uint64_t count;
    api_list_walk_init(&whole, &list->params);
    struct store_range range = api_list_walk_options(&whole, 0).range;
    if (node_scan_count(list->node, range, budget, &count) != OK) {
        return ERR_OVERLOADED; /* what is damaged is told by the walk, if it comes across it */
    }
    api_list_restart(list);
    list->count = count;
    return ERR_NOT_FOUND;
}

static void begin_again(struct key_list *list)
{
    api_list_restart(list);
    list->count = 0;
    list->piece_max *= PIECE_FACTOR;
}

/* One piece. ERR_OVERLOADED: there is more. */
static err count_piece(struct key_list *list)
{
    struct node_scan scan;
    struct list_item item;
    uint64_t budget = list->piece_max;
    err e = api_list_open_scan(list, &scan);
    if (e != OK) {
        return e;
    }
    while ((e = api_list_walk_next(&list->walk, &scan, &budget, &item)) == OK) {
        list->count++;
    }
    node_scan_close(&scan);
    return e;
}

static err walk_on(struct key_list *list)
{
    err e = count_piece(list);
    if (e == ERR_GONE && list->params.at == 0 && list->params.cursor.size == 0) {
        begin_again(list);
        e = count_piece(list);
    }
    return e;
}

static void go_on(struct key_list *list)
{
    err e = list->is_census_next ? ask_census(list, LIST_PIECE_KEYS) : walk_on(list);
    list->is_census_next = !list->is_census_next && is_of_now(list);
    bool is_late = env_now_ms(list->x->api->options.env) >= list->read.deadline_ms;
    if (e == ERR_NOT_FOUND) {
        list->counted(list);
    } else if (e == ERR_OVERLOADED && !is_late) {
        api_list_later(list, go_on);
    } else {
        api_list_refuse(list, e, SLICE_EMPTY);
    }
}

void api_list_count(struct key_list *list, void (*counted)(struct key_list *list))
{
    list->counted = counted;
    if (is_whole(list)) {
        list->count = node_scan_keys(list->node);
        counted(list);
        return;
    }
    if (is_of_now(list) && ask_census(list, 0) == ERR_NOT_FOUND) {
        counted(list);
        return;
    }
    list->piece_max = LIST_PIECE_KEYS;
    go_on(list);
}
