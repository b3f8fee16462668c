/*
 * Who leads, as a stream: the present leader first, then an event for each that comes after it, one
 * when it says something else of itself, and one when there is none. Told is who leads when the
 * stream has room: of many changes at once only the last one may be.
 */
#include <inttypes.h>

#include "api/event_stream.h"
#include "api/lock_int.h"
#include "base/assert.h"
#include "base/mem.h"

#define BEAT_TICKS 60u /* of LINGER_TICK_MS: 15 s */

struct watch {
    struct api *api;
    struct http_stream *stream;
    struct buf *name;
    bool is_blocked; /* the stream has no room */
    bool has_told;
    uint64_t token;    /* told last; 0: nobody led */
    uint64_t revision; /* since when it has said what was told */
    unsigned ticks;
    struct lingerer linger;
    struct node_notice notice;
};

static void watch_free(struct watch *watch)
{
    api_linger_stop(watch->api, &watch->linger);
    node_notice_stop(watch->api->node, &watch->notice);
    buf_unref(watch->name);
    mem_free(watch);
}

static void tell(struct watch *watch, const struct store_party *leader)
{
    struct writer data = {0};
    writer_u8(&data, '{');
    if (leader != NULL) {
        writer_format(&data, "\"token\":%" PRIu64 ",", leader->number);
        if (leader->party.content_type.size > 0) {
            api_text_json_member(&data, "content_type", leader->party.content_type);
            writer_u8(&data, ',');
        }
        api_text_json_member(&data, "value", leader->party.owner);
    }
    writer_u8(&data, '}');
    watch->is_blocked = !api_event_stream_write(watch->stream, leader != NULL ? "leader" : "none",
                                                writer_slice(&data));
    watch->has_told = true;
    watch->token = leader != NULL ? leader->number : 0;
    watch->revision = leader != NULL ? leader->revision : 0;
    writer_deinit(&data);
}

static void look(struct watch *watch)
{
    struct node_state state;
    struct store_party leader;
    if (watch->is_blocked || node_state_look(watch->api->node, &state) != OK) {
        return;
    }
    err e = store_holder_next(state.store, buf_slice(watch->name), 0, &leader);
    uint64_t token = e == OK ? leader.number : 0;
    uint64_t revision = e == OK ? leader.revision : 0;
    bool is_news = !watch->has_told || token != watch->token || revision != watch->revision;
    if (is_news && (e == OK || e == ERR_NOT_FOUND)) {
        tell(watch, e == OK ? &leader : NULL);
    }
}

static void changed(struct node_notice *notice)
{
    look(CONTAINER_OF(notice, struct watch, notice));
}

/* This node's state is not the others', so who leads is not known here. */
static bool is_diverged(const struct watch *watch)
{
    struct node_state state;
    return node_state_look(watch->api->node, &state) == ERR_DIVERGED;
}

static void visit(struct lingerer *linger, enum linger_reason reason)
{
    struct watch *watch = CONTAINER_OF(linger, struct watch, linger);
    watch->ticks++;
    if (reason != LINGER_TICK || http_stream_is_abandoned(watch->stream) || is_diverged(watch)) {
        if (reason != LINGER_TICK) {
            (void)api_event_stream_write(watch->stream, "draining", SLICE_LITERAL("{}"));
        }
        http_stream_end(watch->stream, true);
        watch_free(watch);
    } else if (watch->ticks % BEAT_TICKS == 0 && !watch->is_blocked) {
        watch->is_blocked = !api_event_stream_beat(watch->stream);
    }
}

static void writable(void *ctx, struct http_stream *stream)
{
    struct watch *watch = ctx;
    ASSERT(watch->stream == stream);
    watch->is_blocked = false;
    look(watch);
}

static void closed(void *ctx, struct http_stream *stream)
{
    struct watch *watch = ctx;
    ASSERT(watch->stream == stream);
    watch_free(watch);
}

static void begin(struct lock_call *lock)
{
    static const struct http_stream_handler handler = {writable, closed};
    struct exchange *x = lock->x;
    struct system_key key;
    struct watch *watch = mem_calloc(1, sizeof(*watch));
    *watch = (struct watch){.api = x->api, .name = buf_copy(lock->name)};
    watch->linger.visit = visit;
    watch->notice.changed = changed;
    if (api_linger_start(x->api, &watch->linger) != OK) {
        watch_free(watch);
        api_exchange_refuse(x, ERR_OVERLOADED,
                            "as many streams and waiting requests are open as may be: ask another "
                            "node");
        return;
    }
    node_notice_start(x->api->node, &watch->notice, system_key_lock(&key, buf_slice(watch->name)));
    watch->stream = api_event_stream_begin(x, &handler, watch);
    if (watch->stream == NULL) {
        watch_free(watch);
    } else {
        look(watch);
    }
}

static void read_done(struct node_read *read, err e, struct store_record *record)
{
    struct lock_call *lock = CONTAINER_OF(read, struct lock_call, read);
    ASSERT(record == NULL);
    if (e == OK) {
        begin(lock);
    } else {
        api_system_refuse(lock->x, e);
    }
}

/* The first event is what was true when the request came, or later. */
void api_election_watch(struct lock_call *lock)
{
    if (lock->x->method == HTTP_METHOD_HEAD) {
        api_exchange_field_text(lock->x, "Content-Type", "text/event-stream");
        api_exchange_respond_stream_head(lock->x);
        return;
    }
    api_lock_read(lock, read_done);
}
