/*
 * /watch: a stream of what changes (docs/api.md, section 7). One watcher is a position in the
 * node's history and a connection; it writes when the node tells it that there is something, or the
 * connection that there is room again.
 *
 *     OPENING ──read index──> SNAPSHOT (initial=1) ──synced──> LIVE ──too late, drained──> gone
 *
 * W1  What was acknowledged before a watch without `since` was asked for lies before its beginning,
 *     which KV-Revision tells: it is read like any linearizable read. One with a `since` that this
 *     node has begins at once.
 * W2  A snapshot is of the revision at which the watch stands: what comes live goes on from there.
 * W3  A revision's last event has its id, so a client that was cut off within one gets all of it
 *     again. A progress stands behind everything up to its revision. A stream has one, or `synced`,
 *     as soon as it has told what there is: else who is cut off while nothing happens comes back
 *     with an ever older id.
 * W4  A reader that is too slow is cut off once the history has passed it, and holds 32 KiB until
 *     then (and one event).
 */
#include <string.h>

#include "api/api_int.h"
#include "api/exchange.h"
#include "api/watch_cache.h"
#include "api/watch_params.h"
#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "node/scan.h"
#include "node/watches.h"

#define WATCHERS_MAX_DEFAULT 20000u
#define QUEUE_BYTES_MAX (32u << 10)
#define BEAT_MS 7500u /* every second one is a progress */
/* What one watcher writes before others have their turn. */
#define STEP_EVENTS_MAX 256u
#define STEP_BYTES_MAX (64u << 10)
#define STEP_KEYS_MAX 512u

struct watcher {
    struct watch watch;
    struct api *api;
    struct http_stream *stream;
    struct env_timer timer;
    struct watch_style style;
    unsigned kinds;
    bool is_initial;
    bool is_blocked; /* the connection takes no more for now */
    bool has_beaten; /* the next beat is a progress */
    bool has_mark;   /* it was told a revision to come back with */
    /* SNAPSHOT: */
    bool is_in_snapshot;
    uint64_t snapshot_revision;
    struct buf *next_key; /* it goes on at; NULL: at its beginning */
    uint8_t pattern[];
};

/* ---- writing ---- */

/* Returns how many bytes that were. */
static uint64_t write_piece(struct watcher *watcher, struct buf *piece)
{
    watcher->is_blocked = !http_stream_write(watcher->stream, piece) || watcher->is_blocked;
    return piece->size;
}

static uint64_t write_slice(struct watcher *watcher, struct slice bytes)
{
    if (bytes.size == 0) {
        return 0;
    }
    struct buf *piece = buf_copy(bytes);
    uint64_t size = write_piece(watcher, piece);
    buf_unref(piece);
    return size;
}

static void write_mark(struct watcher *watcher, enum watch_mark mark, uint64_t revision)
{
    struct writer text = {0};
    api_watch_format_mark(&text, watcher->style.form, mark, revision);
    (void)write_slice(watcher, writer_slice(&text));
    writer_deinit(&text);
}

/* It has been told all that there is. */
static void tell_progress(struct watcher *watcher)
{
    write_mark(watcher, WATCH_PROGRESS, history_newest(node_history(watcher->api->node)));
    watcher->has_mark = true;
}

/* ---- ending ---- */

/* The watcher's memory; its stream has ended. */
static void drop(struct watcher *watcher)
{
    struct api *api = watcher->api;
    env_timer_deinit(&watcher->timer);
    watch_close(&watcher->watch);
    buf_unref(watcher->next_key);
    mem_free(watcher);
    if (watches_count(node_watches(api->node)) == 0) {
        api_watch_cache_clear(api->watch_cache);
    }
}

/* `ok` false: so that it shows as a broken answer. */
static void finish(struct watcher *watcher, bool ok)
{
    http_stream_end(watcher->stream, ok);
    drop(watcher);
}

/* W4. Whoever asked for a snapshot comes again and gets one. */
static void cut_off(struct watcher *watcher)
{
    write_mark(watcher, WATCH_RESET, history_oldest(node_history(watcher->api->node)));
    finish(watcher, true);
}

/* The node takes leave: whoever could be told all that there was is told so. */
static void take_leave(struct watcher *watcher, err e)
{
    bool is_complete = !watcher->is_in_snapshot && watch_is_level(&watcher->watch);
    if (e == ERR_DRAINING && is_complete && !watcher->is_blocked) {
        tell_progress(watcher);
    }
    finish(watcher, true);
}

/* ---- LIVE ---- */

static bool is_wanted(const struct watcher *watcher, const struct history_entry *entry)
{
    return (watcher->kinds & 1u << entry->kind) != 0 && watch_fits(&watcher->watch, entry->key);
}

/* W3: of its revision, among those that this watcher sees. */
static bool is_last(const struct watcher *watcher, const struct history_entry *entry)
{
    const struct history *history = node_history(watcher->api->node);
    for (uint64_t n = entry->number + 1; n < history_end(history); n++) {
        const struct history_entry *next = history_at_number(history, n);
        if (next->revision != entry->revision) {
            break;
        }
        if (is_wanted(watcher, next)) {
            return false;
        }
    }
    return true;
}

static uint64_t send_change(struct watcher *watcher, const struct history_entry *entry)
{
    struct buf *piece = api_watch_cache_change(watcher->api->watch_cache, watcher->style, entry,
                                               is_last(watcher, entry));
    uint64_t size = write_piece(watcher, piece);
    buf_unref(piece);
    counter_add(watches_told(node_watches(watcher->api->node)), 1);
    return size;
}

/* Whether that was the end of it, too. */
static bool leave_if_over(struct watcher *watcher)
{
    err e = watch_ended(&watcher->watch);
    if (e != OK) {
        take_leave(watcher, e);
    }
    return e != OK;
}

static void has_told_all(struct watcher *watcher)
{
    if (leave_if_over(watcher)) {
        return;
    }
    watch_rest(&watcher->watch);
    if (!watcher->has_mark && watch_is_level(&watcher->watch)) { /* W3 */
        tell_progress(watcher);
    }
}

/* Writes what there is, until the connection is full or others have their turn. */
static uint64_t go_on(struct watcher *watcher)
{
    const struct history *history = node_history(watcher->api->node);
    struct watch *watch = &watcher->watch;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < STEP_EVENTS_MAX && bytes < STEP_BYTES_MAX; i++) {
        uint64_t number;
        enum watch_found found = watch_find(watch, watch->position, &number);
        if (found == WATCH_GONE) {
            cut_off(watcher);
            return bytes;
        }
        watch->position = number;
        if (found == WATCH_NOTHING) {
            has_told_all(watcher);
            return bytes;
        }
        if (found == WATCH_LATER) {
            break;
        }
        const struct history_entry *entry = history_at_number(history, number);
        if (is_wanted(watcher, entry)) {
            bytes += send_change(watcher, entry);
        }
        watch->position = number + 1;
        if (watcher->is_blocked) { /* `writable` goes on, if anybody does */
            (void)leave_if_over(watcher);
            return bytes;
        }
    }
    watch_again(watch);
    return bytes;
}

/* ---- SNAPSHOT ---- */

/* The first key behind all that begin with `prefix`, written to `target`; empty: there is none. */
static struct slice end_of_prefix(struct slice prefix, uint8_t *target)
{
    size_t size = prefix.size;
    while (size > 0 && prefix.data[size - 1] == UINT8_MAX) {
        size--;
    }
    if (size == 0) {
        return SLICE_EMPTY;
    }
    memcpy(target, prefix.data, size);
    target[size - 1]++;
    return (struct slice){target, size};
}

static void begin_snapshot(struct watcher *watcher)
{
    const struct history *history = node_history(watcher->api->node);
    watcher->is_in_snapshot = true;
    watcher->snapshot_revision = history_newest(history);
    watcher->watch.position = history_end(history); /* W2 */
    buf_drop(&watcher->next_key);
}

static void end_snapshot(struct watcher *watcher)
{
    watcher->is_in_snapshot = false;
    buf_drop(&watcher->next_key);
    write_mark(watcher, WATCH_SYNCED, watcher->snapshot_revision);
    watcher->has_mark = true;
}

/* One key as it was. */
static err send_state(struct watcher *watcher, struct node_scan *scan, uint64_t *bytes)
{
    struct store_record record;
    err e = node_scan_record(scan, true, &record);
    if (e == OK) {
        struct writer text = {0};
        api_watch_format_state(&text, watcher->style, scan->key, &record);
        *bytes += write_slice(watcher, writer_slice(&text));
        writer_deinit(&text);
    }
    return e;
}

/* The next keys. ERR_NOT_FOUND: that was all of them. */
static err walk(struct watcher *watcher, struct node_scan *scan, uint64_t *bytes)
{
    err e = OK;
    for (uint32_t i = 0; i < STEP_KEYS_MAX && *bytes < STEP_BYTES_MAX && !watcher->is_blocked;
         i++) {
        e = node_scan_next(scan);
        e = e == OK ? send_state(watcher, scan, bytes) : e;
        if (e != OK) {
            return e;
        }
        uint8_t next[KEY_SIZE_MAX + 1];
        buf_unref(watcher->next_key);
        watcher->next_key = buf_copy(store_range_of_key(scan->key, next).end);
    }
    return e;
}

/* The snapshot's next piece. */
static uint64_t step_snapshot(struct watcher *watcher)
{
    const struct watch *watch = &watcher->watch;
    uint8_t end[KEY_SIZE_MAX + 1];
    struct node_scan_options options = {.revision = watcher->snapshot_revision};
    options.range.begin = watcher->next_key != NULL ? buf_slice(watcher->next_key) : watch->pattern;
    options.range.end = watch->is_prefix ? end_of_prefix(watch->pattern, end)
                                         : store_range_of_key(watch->pattern, end).end;
    struct node_scan scan;
    uint64_t bytes = 0;
    struct buf *begin = buf_ref(watcher->next_key); /* the range borrows it */
    err e = node_scan_open(watcher->api->node, &options, &scan);
    if (e == OK) {
        e = walk(watcher, &scan, &bytes);
        node_scan_close(&scan);
    }
    buf_unref(begin);
    if (e == ERR_NOT_FOUND) {
        end_snapshot(watcher);
    } else if (e == ERR_GONE) { /* it took longer than the history reaches back */
        write_mark(watcher, WATCH_RESET, history_oldest(node_history(watcher->api->node)));
        begin_snapshot(watcher);
    } else if (e != OK) {
        finish(watcher, false);
        return bytes;
    }
    if (!watcher->is_blocked) {
        watch_again(&watcher->watch);
    }
    return bytes;
}

/* ---- what calls it ---- */

static uint64_t ready(struct watch *watch)
{
    struct watcher *watcher = CONTAINER_OF(watch, struct watcher, watch);
    err e = watch_ended(watch);
    /* What was applied until now is told before the node leaves: its next life begins there. */
    bool is_live = !watcher->is_blocked && !watcher->is_in_snapshot;
    if (e != OK && (e != ERR_DRAINING || !is_live)) {
        take_leave(watcher, e);
        return 0;
    }
    if (watcher->is_blocked) {
        return 0; /* `writable` goes on */
    }
    return watcher->is_in_snapshot ? step_snapshot(watcher) : go_on(watcher);
}

static void writable(void *ctx, struct http_stream *stream)
{
    struct watcher *watcher = ctx;
    ASSERT(watcher->stream == stream);
    watcher->is_blocked = false;
    if (list_is_empty(&watcher->watch.link)) { /* at work: nobody else tells it to go on */
        watch_again(&watcher->watch);
    }
}

static void closed(void *ctx, struct http_stream *stream)
{
    struct watcher *watcher = ctx;
    ASSERT(watcher->stream == stream);
    drop(watcher);
}

static void beat(struct env_timer *timer)
{
    struct watcher *watcher = CONTAINER_OF(timer, struct watcher, timer);
    bool is_progress = watcher->has_beaten;
    watcher->has_beaten = !watcher->has_beaten;
    if (watcher->is_blocked) {
        return;
    }
    if (is_progress && !watcher->is_in_snapshot && watch_is_level(&watcher->watch)) {
        tell_progress(watcher);
    } else {
        (void)write_slice(watcher, api_watch_format_heartbeat(watcher->style.form));
    }
}

/* ---- OPENING ---- */

/* The revision is there, and so is all that came after it. */
static bool is_there(const struct exchange *x, uint64_t since)
{
    return history_covers(node_history(x->api->node), since);
}

static void refuse_since(struct exchange *x)
{
    const struct watch_params *params = x->watch;
    const struct history *history = node_history(x->api->node);
    struct problem problem = {.oldest = history_oldest(history)};
    err e =
        params->since < problem.oldest
            ? api_problem_set(&problem, ERR_GONE,
                              "this node has the changes since revision %llu, not those since "
                              "%llu: read what there is now and watch from there, or watch with "
                              "?initial=1",
                              (unsigned long long)problem.oldest, (unsigned long long)params->since)
            : api_problem_set(&problem, ERR_GONE,
                              "revision %llu is not of this cluster, which is at %llu: it may "
                              "have been restored; read what there is now and watch from there, "
                              "or watch with ?initial=1",
                              (unsigned long long)params->since,
                              (unsigned long long)history_newest(history));
    ASSERT(e == ERR_GONE);
    api_exchange_respond_problem(x, &problem);
}

static struct watcher *watcher_new(const struct exchange *x)
{
    const struct watch_params *params = x->watch;
    struct watcher *watcher = mem_calloc(1, sizeof(*watcher) + params->pattern.size);
    watcher->api = x->api;
    watcher->style = params->style;
    watcher->kinds = params->kinds;
    watcher->is_initial = params->is_initial;
    watcher->watch.ready = ready;
    watcher->watch.is_prefix = params->is_prefix;
    watcher->watch.pattern = (struct slice){watcher->pattern, params->pattern.size};
    if (params->pattern.size > 0) {
        memcpy(watcher->pattern, params->pattern.data, params->pattern.size);
    }
    return watcher;
}

static void add_fields(struct exchange *x, uint64_t revision)
{
    x->has_revision = true;
    x->revision = revision;
    api_exchange_field_text(x, "Content-Type",
                            x->watch->style.form == WATCH_FORM_SSE ? "text/event-stream"
                                                                   : "application/x-ndjson");
    api_exchange_add_lines(x, SLICE_LITERAL("Cache-Control: no-store\r\n"
                                            "X-Accel-Buffering: no\r\n"
                                            "X-Content-Type-Options: nosniff\r\n"));
}

/* The answer begins, and goes on from `since`, or with a snapshot. */
static void begin(struct exchange *x)
{
    static const struct http_stream_handler handler = {writable, closed};
    const struct watch_params *params = x->watch;
    struct history *history = node_history(x->api->node);
    struct watches *watches = node_watches(x->api->node);
    bool is_resumed = params->has_since && is_there(x, params->since);
    uint64_t since = is_resumed ? params->since : history_newest(history);
    struct watcher *watcher = watcher_new(x);
    struct env *env = x->api->options.env;
    bool needs_reset = params->has_since && !is_resumed;
    add_fields(x, since);
    watcher->stream = api_exchange_respond_stream(x, &handler, watcher); /* `x` is gone */
    if (watcher->stream == NULL) {
        mem_free(watcher);
        return;
    }
    http_stream_limit(watcher->stream, QUEUE_BYTES_MAX);
    env_timer_init(env, &watcher->timer, beat);
    env_timer_start(&watcher->timer, BEAT_MS, BEAT_MS);
    watch_open(watches, &watcher->watch, history_find(history, since));
    (void)write_slice(watcher, api_watch_format_begin(watcher->style.form));
    if (needs_reset) {
        write_mark(watcher, WATCH_RESET, history_oldest(history));
    }
    if (watcher->is_initial && !is_resumed) {
        begin_snapshot(watcher);
    }
}

static const char *explain(const struct exchange *x, err e)
{
    switch ((int)e) {
    case ERR_DRAINING:
        return node_explain_draining(x->api->node);
    case ERR_DIVERGED:
        return "this node's state differs from that of other members, so it serves nothing until "
               "that is mended; ask another member";
    case ERR_OVERLOADED:
        return "more reads wait than may (--max-pending-requests); try again a little later";
    default:
        return "no quorum confirmed in time what is the newest revision; ?consistency=stale "
               "watches from what this node has, ?since=REVISION from a revision that you have";
    }
}

static void opened(struct node_read *read, err e, struct store_record *record)
{
    struct exchange *x = CONTAINER_OF(read, struct exchange, op.read);
    const struct watch_params *params = x->watch;
    ASSERT(record == NULL);
    e = e == OK ? watches_ended(node_watches(x->api->node)) : e;
    if (e != OK) {
        api_exchange_refuse(x, e, explain(x, e));
    } else if (params->has_since && !params->is_initial && !is_there(x, params->since)) {
        refuse_since(x);
    } else {
        begin(x);
    }
}

err api_watch_check_room(const struct api *api, struct problem *problem)
{
    uint64_t max = api->options.watchers_max > 0 ? api->options.watchers_max : WATCHERS_MAX_DEFAULT;
    if (watches_count(node_watches(api->node)) < max) {
        return OK;
    }
    problem->setting = "max-watchers";
    problem->limit = max;
    return api_problem_set(problem, ERR_OVERLOADED,
                           "as many watch on this node as may (--max-watchers): ask another "
                           "member, or again later");
}

err api_watch_prepare(struct exchange *x, struct problem *problem)
{
    x->watch = http_alloc(x->request, sizeof(*x->watch));
    return api_watch_params_read(x, x->watch, problem);
}

void api_watch_answer(struct exchange *x)
{
    const struct watch_params *params = x->watch;
    struct problem problem = {.e = OK};
    if (api_watch_check_room(x->api, &problem) != OK) {
        api_exchange_respond_problem(x, &problem);
        return;
    }
    x->op.read.is_scan = true;
    x->op.read.key = params->pattern;
    x->op.read.consistency = params->consistency;
    if (params->has_since && is_there(x, params->since)) {
        x->op.read.consistency = READ_STALE; /* W1 */
    }
    x->op.read.deadline_ms = env_now_ms(x->api->options.env) + params->timeout_ms;
    x->op.read.received_ns = http_started_ns(x->request);
    x->op.read.done = opened;
    node_read(x->api->node, &x->op.read);
}
