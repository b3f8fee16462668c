#include "main/put_pool.h"

#include "api/text.h"
#include "base/assert.h"
#include "base/list.h"
#include "base/mem.h"
#include "env/uv.h"
#include "main/connection.h"
#include "main/endpoints.h"

#define LINK_COUNT 8u
#define LINK_PUTS_MAX 64u /* a node takes no more of one connection at a time (http.h) */
#define SLOT_COUNT ((size_t)LINK_COUNT * LINK_PUTS_MAX)
#define BYTES_MAX (64u << 20) /* on their way; one PUT may be larger */
#define ANSWER_SIZE_MAX 65536u
#define TICK_MS 20u
#define PAUSE_MS_MIN 20u
#define PAUSE_MS_MAX 1000u

enum slot_stage {
    SLOT_FREE,
    SLOT_SENT,
    SLOT_WAITING, /* to be sent (again) */
};

struct slot {
    struct list link; /* of the pool's free or waiting ones, or of a connection's */
    enum slot_stage stage;
    uint64_t number;
    struct buf *head;
    struct buf *body; /* NULL: it is empty */
    uint64_t give_up_ms;
    uint64_t again_ms;
    uint32_t pause_ms; /* before the next attempt */
    bool may_be_done;  /* an answer was lost, or did not know */
};

struct link {
    struct put_pool *pool;
    struct connection connection;
    size_t endpoint;
    uint64_t again_ms; /* not dialled before */
    uint32_t pause_ms;
    struct list sent; /* in the order of their answers */
};

struct put_pool {
    struct env *env;
    uint64_t timeout_ms;
    struct endpoints endpoints;
    size_t endpoint; /* the one that takes them */
    struct env_timer tick;
    struct link links[LINK_COUNT];
    struct slot slots[SLOT_COUNT];
    struct list free;
    struct list waiting;
    size_t busy;
    uint64_t busy_bytes;
    uint64_t done;
    uint64_t retries;
    struct writer last_why;   /* of a connection that was lost, for who gives up */
    enum exit_status failure; /* EXIT_OK: none */
    uint64_t failed_number;
    struct err_note failure_note;
};

/* ---- the end of one ---- */

static size_t size_of(const struct slot *slot)
{
    return slot->head->size + (slot->body == NULL ? 0 : slot->body->size);
}

static void release(struct put_pool *pool, struct slot *slot)
{
    ASSERT(slot->stage != SLOT_FREE);
    pool->busy--;
    pool->busy_bytes -= size_of(slot);
    slot->stage = SLOT_FREE;
    buf_drop(&slot->head);
    buf_drop(&slot->body);
    list_remove(&slot->link);
    list_push_back(&pool->free, &slot->link);
}

/* I2: the first that fails is the one that is told of. */
static void fail(struct put_pool *pool, const struct slot *slot, enum exit_status status,
                 struct slice why)
{
    if (pool->failure == EXIT_OK) {
        pool->failure = status;
        pool->failed_number = slot->number;
        (void)err_note_set(&pool->failure_note, ERR_UNAVAILABLE, "%.*s", SLICE_ARGS(why));
    }
}

/* Its attempt came to nothing. */
static void put_off(struct put_pool *pool, struct slot *slot, struct slice why)
{
    uint64_t now_ms = env_now_ms(pool->env);
    list_remove(&slot->link);
    if (now_ms >= slot->give_up_ms || pool->failure != EXIT_OK) {
        fail(pool, slot, slot->may_be_done ? EXIT_UNKNOWN : EXIT_UNAVAILABLE, why);
        release(pool, slot);
        return;
    }
    pool->retries++;
    slot->stage = SLOT_WAITING;
    slot->again_ms = now_ms + slot->pause_ms;
    slot->pause_ms = slot->pause_ms < PAUSE_MS_MAX / 2 ? slot->pause_ms * 2 : PAUSE_MS_MAX;
    list_push_back(&pool->waiting, &slot->link);
}

/* ---- answers ---- */

static void ask_another(struct link *link)
{
    struct put_pool *pool = link->pool;
    if (link->endpoint == pool->endpoint) { /* nobody else has noticed yet */
        pool->endpoint = (pool->endpoint + 1) % pool->endpoints.count;
    }
}

static void on_answered(void *ctx, const struct connection_answer *answer)
{
    struct link *link = ctx;
    struct put_pool *pool = link->pool;
    struct slot *slot = CONTAINER_OF(link->sent.next, struct slot, link);
    ASSERT(!list_is_empty(&link->sent));
    if (answer->status >= 200 && answer->status <= 299) {
        pool->done++;
        release(pool, slot);
        return;
    }
    struct writer why = {0};
    main_connection_explain(answer, pool->endpoints.addresses[link->endpoint], &why);
    if (main_connection_may_repeat(answer->status)) {
        slot->may_be_done = slot->may_be_done || main_connection_may_be_done(answer->status);
        ask_another(link);
        put_off(pool, slot, writer_slice(&why));
    } else {
        fail(pool, slot, EXIT_FAILED, writer_slice(&why));
        release(pool, slot);
    }
    writer_deinit(&why);
}

/* ---- connections ---- */

static void on_lost(void *ctx, const char *why)
{
    struct link *link = ctx;
    struct put_pool *pool = link->pool;
    writer_reset(&pool->last_why);
    writer_format(&pool->last_why, "%s: %s", pool->endpoints.addresses[link->endpoint], why);
    ask_another(link);
    LIST_FOREACH (node, &link->sent) {
        struct slot *slot = CONTAINER_OF(node, struct slot, link);
        slot->may_be_done = true;
        put_off(pool, slot, writer_slice(&pool->last_why));
    }
    link->again_ms = env_now_ms(pool->env) + link->pause_ms;
    link->pause_ms = link->pause_ms < PAUSE_MS_MAX / 2 ? link->pause_ms * 2 : PAUSE_MS_MAX;
}

static void on_connected(void *ctx)
{
    ((struct link *)ctx)->pause_ms = PAUSE_MS_MIN;
}

static void dial(struct link *link)
{
    struct put_pool *pool = link->pool;
    link->endpoint = pool->endpoint;
    main_connection_dial(&link->connection, pool->endpoints.addresses[link->endpoint]);
}

/* ---- sending ---- */

/* A connection that takes one more; NULL: none does now. */
static struct link *find_link(struct put_pool *pool, uint64_t now_ms)
{
    for (size_t i = 0; i < LINK_COUNT; i++) {
        struct link *link = &pool->links[i];
        struct connection *connection = &link->connection;
        bool is_elsewhere = connection->stream != NULL && link->endpoint != pool->endpoint;
        if (is_elsewhere && connection->unanswered == 0) {
            main_connection_close(connection);
        }
        if (connection->stream == NULL) {
            if (link->again_ms <= now_ms) {
                dial(link);
            }
            return NULL; /* one after the other, as they are needed */
        }
        if (!connection->is_up) {
            return NULL;
        }
        if (!is_elsewhere && connection->unanswered < LINK_PUTS_MAX) {
            return link;
        }
    }
    return NULL;
}

static void send_slot(struct link *link, struct slot *slot)
{
    struct buf *parts[] = {slot->head, slot->body};
    list_remove(&slot->link);
    list_push_back(&link->sent, &slot->link);
    slot->stage = SLOT_SENT;
    main_connection_send(&link->connection, parts, slot->body == NULL ? 1 : 2);
}

/* Sends what is due, and lets go of what can never be sent any more. */
static void send_waiting(struct put_pool *pool)
{
    uint64_t now_ms = env_now_ms(pool->env);
    LIST_FOREACH (node, &pool->waiting) {
        struct slot *slot = CONTAINER_OF(node, struct slot, link);
        if (pool->failure != EXIT_OK || now_ms >= slot->give_up_ms) {
            fail(pool, slot, slot->may_be_done ? EXIT_UNKNOWN : EXIT_UNAVAILABLE,
                 writer_slice(&pool->last_why));
            release(pool, slot);
        } else if (slot->again_ms <= now_ms) {
            struct link *link = find_link(pool, now_ms);
            if (link == NULL) {
                break;
            }
            send_slot(link, slot);
        }
    }
}

/* A node that says nothing any more. */
static void on_tick(struct env_timer *timer)
{
    struct put_pool *pool = CONTAINER_OF(timer, struct put_pool, tick);
    uint64_t now_ms = env_now_ms(pool->env);
    for (size_t i = 0; i < LINK_COUNT; i++) {
        struct link *link = &pool->links[i];
        if (!list_is_empty(&link->sent) &&
            CONTAINER_OF(link->sent.next, struct slot, link)->give_up_ms <= now_ms) {
            main_connection_close(&link->connection);
            on_lost(link, CONNECTION_NO_ANSWER);
        }
    }
}

static void drive(struct put_pool *pool, bool waits)
{
    send_waiting(pool);
    env_uv_run_once(pool->env, waits);
    send_waiting(pool);
}

/* ---- what callers see ---- */

static enum exit_status verdict(const struct put_pool *pool, uint64_t *out_number,
                                struct err_note *note)
{
    if (pool->failure != EXIT_OK) {
        *out_number = pool->failed_number;
        *note = pool->failure_note;
    }
    return pool->failure;
}

static bool has_room(const struct put_pool *pool, size_t size)
{
    return pool->busy == 0 || (!list_is_empty(&pool->free) && pool->busy_bytes + size <= BYTES_MAX);
}

static struct buf *make_head(const struct put_pool *pool, const struct put *put)
{
    struct writer head = {0};
    writer_format(&head,
                  "PUT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: pontoon/" PONTOON_VERSION
                  "\r\nContent-Length: %zu\r\n",
                  put->path, pool->endpoints.addresses[0], put->body.size);
    if (put->content_type.size > 0) {
        writer_format(&head, "Content-Type: %.*s\r\n", SLICE_ARGS(put->content_type));
    }
    writer_format(&head, "\r\n");
    struct buf *buf = writer_to_buf(&head);
    writer_deinit(&head);
    return buf;
}

enum exit_status main_put_pool_begin(struct put_pool *pool, const struct put *put,
                                     uint64_t *out_number, struct err_note *note)
{
    while (pool->failure == EXIT_OK && !has_room(pool, put->body.size)) {
        drive(pool, true);
    }
    if (pool->failure != EXIT_OK) {
        return main_put_pool_finish(pool, out_number, note);
    }
    struct slot *slot = CONTAINER_OF(pool->free.next, struct slot, link);
    *slot = (struct slot){
        .link = slot->link,
        .stage = SLOT_WAITING,
        .number = put->number,
        .head = make_head(pool, put),
        .body = put->body.size == 0 ? NULL : buf_copy(put->body),
        .give_up_ms = env_now_ms(pool->env) + pool->timeout_ms,
        .pause_ms = PAUSE_MS_MIN,
    };
    list_remove(&slot->link);
    list_push_back(&pool->waiting, &slot->link);
    pool->busy++;
    pool->busy_bytes += size_of(slot);
    return EXIT_OK;
}

enum exit_status main_put_pool_finish(struct put_pool *pool, uint64_t *out_number,
                                      struct err_note *note)
{
    while (pool->busy > 0) {
        drive(pool, true);
    }
    return verdict(pool, out_number, note);
}

uint64_t main_put_pool_done(const struct put_pool *pool)
{
    return pool->done;
}

uint64_t main_put_pool_retries(const struct put_pool *pool)
{
    return pool->retries;
}

/* ---- from open to close ---- */

err main_put_pool_open(struct put_pool **out_pool, struct env *env,
                       const struct client_settings *settings, char *const *environment,
                       struct err_note *note)
{
    static const struct connection_handler handler = {
        .connected = on_connected, .answered = on_answered, .lost = on_lost};
    struct put_pool *pool = mem_calloc(1, sizeof(*pool));
    err e = main_client_endpoints(settings, environment, &pool->endpoints, note);
    if (e != OK) {
        mem_free(pool);
        return e;
    }
    pool->env = env;
    pool->timeout_ms = settings->timeout_ms;
    list_init(&pool->free);
    list_init(&pool->waiting);
    for (size_t i = 0; i < LINK_COUNT; i++) {
        struct link *link = &pool->links[i];
        link->pool = pool;
        link->pause_ms = PAUSE_MS_MIN;
        list_init(&link->sent);
        main_connection_init(&link->connection, env, ANSWER_SIZE_MAX, &handler, link);
    }
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        list_push_back(&pool->free, &pool->slots[i].link);
    }
    env_timer_init(env, &pool->tick, on_tick);
    env_timer_start(&pool->tick, TICK_MS, TICK_MS);
    *out_pool = pool;
    return OK;
}

void main_put_pool_close(struct put_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    env_timer_deinit(&pool->tick);
    for (size_t i = 0; i < LINK_COUNT; i++) {
        main_connection_deinit(&pool->links[i].connection);
    }
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        buf_drop(&pool->slots[i].head);
        buf_drop(&pool->slots[i].body);
    }
    writer_deinit(&pool->last_why);
    mem_free(pool);
}
