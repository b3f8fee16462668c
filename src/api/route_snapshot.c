/*
 * /admin/snapshot: a backup of this member's applied state, in pieces as the client takes them. The
 * memory it takes is bounded by the largest record: the next piece is read out of the store when
 * the connection has room for it. Whoever takes too long is cut off (node/backups.h, and the HTTP
 * layer's timeout of a write that stalls), and sees that the answer has no end.
 *
 * There are no ranges: the state has moved on when somebody comes for the rest, and to find the
 * bytes' number ahead would take a walk through all records. Range is ignored, as RFC 9110 (14.2)
 * has it.
 */
#include <string.h>

#include "api/etag.h"
#include "api/exchange.h"
#include "base/assert.h"
#include "base/decimal.h"
#include "base/mem.h"

/* One answer, from the request to the end of its stream. */
struct download {
    struct node_backup backup;
    struct exchange *exchange;  /* until it is answered */
    struct http_stream *stream; /* from then on; NULL: it has ended */
    struct env_timer timer;     /* until the next piece is due */
};

static void download_free(struct download *download)
{
    env_timer_deinit(&download->timer);
    mem_free(download);
}

/* Ends answer and backup. */
static void finish(struct download *download, bool ok)
{
    http_stream_end(download->stream, ok);
    node_backup_close(&download->backup);
    download_free(download);
}

/*
 * Writes pieces until the connection has no room, or the next one is not due; with the last one the
 * download ends.
 */
static void pump(struct download *download)
{
    bool has_room = true;
    while (has_room) {
        uint64_t delay_ms = node_backup_delay_ms(&download->backup);
        if (delay_ms > 0) {
            env_timer_start(&download->timer, delay_ms, 0);
            return;
        }
        struct writer bytes = {0};
        bool is_last = false;
        err e = node_backup_read(&download->backup, &bytes, &is_last);
        if (e == OK) {
            struct buf *piece = writer_to_buf(&bytes);
            has_room = http_stream_write(download->stream, piece);
            buf_unref(piece);
        }
        writer_deinit(&bytes);
        if (e != OK || is_last) {
            finish(download, e == OK);
            return;
        }
    }
}

static void due(struct env_timer *timer)
{
    pump(CONTAINER_OF(timer, struct download, timer));
}

static void writable(void *ctx, struct http_stream *stream)
{
    struct download *download = ctx;
    ASSERT(download->stream == stream);
    pump(download);
}

static void closed(void *ctx, struct http_stream *stream)
{
    struct download *download = ctx;
    ASSERT(download->stream == stream);
    node_backup_close(&download->backup);
    download_free(download);
}

static void cut(struct node_backup *backup)
{
    struct download *download = CONTAINER_OF(backup, struct download, backup);
    http_stream_end(download->stream, false);
    download_free(download);
}

/* "INDEX-STATEHASH": the state of one place in the log has the same bytes on every member. */
static struct slice make_etag(struct exchange *x, const struct store_region *state)
{
    char digits[DECIMAL_SIZE_MAX];
    size_t size = decimal_write(digits, state->applied.index);
    size_t whole = size + sizeof("\"-\"") - 1 + (size_t)2 * TEXT_HEX64_SIZE;
    char *text = api_exchange_text(x, whole);
    text[0] = '"';
    memcpy(text + 1, digits, size);
    text[size + 1] = '-';
    api_text_hex64(text + size + 2, state->state_hash.high);
    api_text_hex64(text + size + 2 + TEXT_HEX64_SIZE, state->state_hash.low);
    text[whole - 1] = '"';
    return (struct slice){(const uint8_t *)text, whole};
}

static void add_fields(struct exchange *x, const struct store_region *state, struct slice etag)
{
    x->has_revision = true;
    x->revision = state->revision;
    api_exchange_field_text(x, "Content-Type", "application/vnd.pontoon.snapshot");
    api_exchange_field_text(x, "Cache-Control", "no-store");
    api_exchange_field_text(x, "Accept-Ranges", "none");
    api_exchange_field(x, "ETag", etag);
}

static void refuse(struct exchange *x, err e)
{
    if (e == ERR_BUSY) {
        api_exchange_refuse(x, ERR_OVERLOADED,
                            "another backup is on its way from this member: ask another one, or "
                            "again later");
    } else if (e == ERR_UNAVAILABLE) {
        api_exchange_refuse(x, ERR_OVERLOADED,
                            "no checkpoint could be made in time: the log of this member says why");
    } else if (e == ERR_DRAINING) {
        api_exchange_refuse(x, e, node_explain_draining(x->api->node));
    } else if (e == ERR_DIVERGED) {
        api_exchange_refuse(x, e,
                            "the state of this member differs from that of others: take the backup "
                            "from another one");
    } else {
        api_exchange_refuse(x, ERR_CORRUPT,
                            "the store of this member is damaged: take the backup from another "
                            "one, and replace this one");
    }
}

static void opened(struct node_backup *backup, err e)
{
    static const struct http_stream_handler handler = {writable, closed};
    struct download *download = CONTAINER_OF(backup, struct download, backup);
    struct exchange *x = download->exchange;
    if (e != OK) {
        download_free(download);
        refuse(x, e);
        return;
    }
    add_fields(x, backup->state, make_etag(x, backup->state));
    download->exchange = NULL;
    download->stream = api_exchange_respond_stream(x, &handler, download);
    if (download->stream == NULL) {
        node_backup_close(backup);
        download_free(download);
    } else {
        pump(download);
    }
}

/*
 * What can be answered without the records: HEAD, with what a GET would have by now, and a client
 * that has the backup of this state already.
 */
static bool answer_at_once(struct exchange *x)
{
    struct slice known = http_header(x->request, "if-none-match");
    struct node_status status;
    bool is_head = x->method == HTTP_METHOD_HEAD;
    if (!is_head && known.data == NULL) {
        return false;
    }
    node_status(x->api->node, &status);
    if (status.state == NULL) {
        if (is_head) {
            api_exchange_refuse(x, ERR_OVERLOADED, "this member has no state yet: again later");
        }
        return is_head;
    }
    struct slice etag = make_etag(x, status.state);
    bool is_known = known.data != NULL && api_etag_list_has(known, etag, ETAG_WEAK);
    if (!is_known && !is_head) {
        return false;
    }
    add_fields(x, status.state, etag);
    if (is_known) {
        api_exchange_respond(x, 304, NULL, SLICE_EMPTY);
    } else {
        api_exchange_respond_stream_head(x);
    }
    return true;
}

void api_snapshot_answer(struct exchange *x)
{
    if (answer_at_once(x)) {
        return;
    }
    struct download *download = mem_calloc(1, sizeof(*download));
    download->backup.opened = opened;
    download->backup.cut = cut;
    download->exchange = x;
    env_timer_init(x->api->options.env, &download->timer, due);
    node_backup_open(x->api->node, &download->backup);
}
