/*
 * A list as lines, however many: a piece a turn, and only as long as the client takes them. Memory
 * is bounded by what the connection may hold and the largest record.
 */
#include "api/list_int.h"
#include "base/assert.h"

#define PIECE_BYTES (64u << 10)

static void finish(struct key_list *list, bool ok)
{
    http_stream_end(list->stream, ok);
    api_list_free(list);
}

/* Appends lines to the list's out. ERR_NOT_FOUND: those were the last. */
static err fill(struct key_list *list)
{
    struct node_scan scan;
    struct list_item item;
    uint64_t budget = LIST_PIECE_KEYS;
    err e = api_list_open_scan(list, &scan);
    if (e != OK) {
        return e;
    }
    while (e == OK && list->out.size < PIECE_BYTES) {
        if (list->params.has_limit && list->count == list->params.limit) {
            e = ERR_NOT_FOUND;
            break;
        }
        e = api_list_walk_next(&list->walk, &scan, &budget, &item);
        if (e == OK) {
            e = api_list_put(list, &scan, &item);
            list->count++;
        }
    }
    node_scan_close(&scan);
    if (e == ERR_NOT_FOUND && list->is_export) {
        api_export_put_end(&list->sums, &list->out);
    }
    return e == ERR_OVERLOADED ? OK : e;
}

/* What could not be read, or is of a revision that is gone by now, ends the connection: a list that
 * was cut must not look whole. */
static void go_on(struct key_list *list)
{
    err e = fill(list);
    bool has_room = true;
    if (list->out.size > 0) {
        struct buf *piece = writer_to_buf(&list->out);
        has_room = http_stream_write(list->stream, piece);
        buf_unref(piece);
        writer_reset(&list->out);
    }
    if (e != OK) {
        finish(list, e == ERR_NOT_FOUND);
    } else if (has_room) {
        api_list_later(list, go_on);
    }
}

static void writable(void *ctx, struct http_stream *stream)
{
    struct key_list *list = ctx;
    ASSERT(list->stream == stream);
    api_list_later(list, go_on);
}

static void closed(void *ctx, struct http_stream *stream)
{
    struct key_list *list = ctx;
    ASSERT(list->stream == stream);
    api_list_free(list);
}

void api_list_stream(struct key_list *list)
{
    static const struct http_stream_handler handler = {writable, closed};
    struct exchange *x = list->x;
    if (!api_kv_is_reply_admitted(x, PIECE_BYTES)) {
        api_list_free(list);
        return;
    }
    bool is_text = list->params.format == LIST_TEXT;
    api_list_add_fields(list, is_text ? "text/plain" : "application/x-ndjson");
    list->x = NULL;
    list->stream = api_exchange_respond_stream(x, &handler, list);
    if (list->stream == NULL) {
        api_list_free(list);
    } else {
        go_on(list);
    }
}
