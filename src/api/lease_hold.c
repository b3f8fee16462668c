/*
 * A lease that is kept as long as a connection is open: a stream of events, which begins with its
 * id. It is renewed through the log every third of its time; each renewal is told.
 *
 * H1  When the client has gone nothing is renewed any more: what is on the lease lives on for one
 *     TTL at most, from the last renewal.
 * H2  The stream ends with an event that says why: the lease is gone, or the node drains (then the
 *     lease goes on for its time, and may be kept elsewhere: /leases/ID/keepalive).
 * H3  It lingers from before its lease is asked for: no lease is granted that is then refused.
 */
#include <string.h>

#include "api/event_stream.h"
#include "api/lease_int.h"
#include "base/assert.h"
#include "base/mem.h"
#include "node/notices.h"
#include "store/system_read.h"

#define RENEW_SHARE 3u

struct lease_hold {
    struct api *api;
    uint64_t id;
    uint64_t ttl_ms;
    struct http_stream *stream; /* NULL: it has not begun, or has ended */
    bool is_seen;               /* this node has applied what granted it */
    bool is_calling;            /* then it is freed when that is done */
    struct system_call call;
    struct env_timer renew;
    struct lingerer linger;
    struct node_notice notice;
};

/* Of no use any more: the stream is not there. */
static void let_go(struct lease_hold *hold)
{
    hold->stream = NULL;
    env_timer_deinit(&hold->renew);
    api_linger_stop(hold->api, &hold->linger);
    node_notice_stop(hold->api->node, &hold->notice);
    if (!hold->is_calling) {
        mem_free(hold);
    }
}

static void tell(struct lease_hold *hold, const char *event)
{
    struct writer data = {0};
    writer_format(&data, "{\"id\":");
    api_lease_write_id(&data, hold->id);
    writer_format(&data, ",\"ttl\":");
    api_system_write_seconds(&data, hold->ttl_ms);
    writer_u8(&data, '}');
    (void)api_event_stream_write(hold->stream, event, writer_slice(&data)); /* a few bytes */
    writer_deinit(&data);
}

static void end(struct lease_hold *hold, const char *event)
{
    tell(hold, event);
    http_stream_end(hold->stream, true);
    let_go(hold);
}

static void renewed(struct system_call *call, const struct command_result *result,
                    const struct txn_result *op)
{
    struct lease_hold *hold = CONTAINER_OF(call, struct lease_hold, call);
    (void)op;
    hold->is_calling = false;
    if (hold->stream == NULL) {
        mem_free(hold);
    } else if (result->e == ERR_LEASE_NOT_FOUND) {
        end(hold, "expired");
    } else if (result->e == OK) {
        tell(hold, "keepalive");
    } /* else it is tried again at the next third */
}

static void renew(struct env_timer *timer)
{
    struct lease_hold *hold = CONTAINER_OF(timer, struct lease_hold, renew);
    const struct txn_op op = {.type = TXN_LEASE_KEEP, .lease = hold->id};
    if (http_stream_is_abandoned(hold->stream)) { /* H1 */
        http_stream_end(hold->stream, false);
        let_go(hold);
        return;
    }
    if (hold->is_calling) {
        return;
    }
    uint64_t third_ms = hold->ttl_ms / RENEW_SHARE;
    hold->is_calling = true;
    hold->call = (struct system_call){
        .api = hold->api,
        .deadline_ms = env_now_ms(hold->api->options.env) + third_ms,
        .is_repeatable = true,
        .done = renewed,
    };
    api_system_call(&hold->call, &op);
}

/* The lease was granted, or renewed by somebody, or has gone. */
static void changed(struct node_notice *notice)
{
    struct lease_hold *hold = CONTAINER_OF(notice, struct lease_hold, notice);
    struct node_state state;
    struct system_lease lease;
    if (node_state_look(hold->api->node, &state) != OK) {
        return;
    }
    err e = store_lease_get(state.store, hold->id, &lease);
    hold->is_seen = hold->is_seen || e == OK;
    if (e == ERR_NOT_FOUND && hold->is_seen) {
        end(hold, "expired");
    }
}

static void visit(struct lingerer *linger, enum linger_reason reason)
{
    struct lease_hold *hold = CONTAINER_OF(linger, struct lease_hold, linger);
    if (hold->stream == NULL) { /* H3; its lease's call will say how that ends */
        if (reason == LINGER_END) {
            api_linger_stop(hold->api, linger);
        }
    } else if (http_stream_is_abandoned(hold->stream)) { /* H1 */
        http_stream_end(hold->stream, false);
        let_go(hold);
    } else if (reason != LINGER_TICK) {
        end(hold, "draining");
    }
}

static void writable(void *ctx, struct http_stream *stream)
{
    (void)ctx;
    (void)stream;
}

static void closed(void *ctx, struct http_stream *stream)
{
    struct lease_hold *hold = ctx;
    ASSERT(hold->stream == stream);
    let_go(hold);
}

struct lease_hold *api_lease_hold_new(struct api *api)
{
    struct lease_hold *hold = mem_calloc(1, sizeof(*hold));
    hold->api = api;
    hold->linger.visit = visit;
    hold->notice.changed = changed;
    env_timer_init(api->options.env, &hold->renew, renew);
    if (api_linger_start(api, &hold->linger) != OK) {
        let_go(hold);
        return NULL;
    }
    return hold;
}

void api_lease_hold_free(struct lease_hold *hold)
{
    if (hold != NULL) {
        let_go(hold);
    }
}

void api_lease_hold(struct lease_hold *hold, struct exchange *x, uint64_t id, uint64_t ttl_ms)
{
    static const struct http_stream_handler handler = {writable, closed};
    struct system_key key;
    hold->id = id;
    hold->ttl_ms = ttl_ms;
    hold->stream = api_event_stream_begin(x, &handler, hold);
    if (hold->stream == NULL) {
        let_go(hold);
        return;
    }
    node_notice_start(hold->api->node, &hold->notice, system_key_lease(&key, id));
    env_timer_start(&hold->renew, ttl_ms / RENEW_SHARE, ttl_ms / RENEW_SHARE);
    tell(hold, "lease");
    changed(&hold->notice);
}
