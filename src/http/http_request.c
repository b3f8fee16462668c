/* A request as the handler sees it, and the memory that it takes. */
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "http/http_int.h"

#define POOL_MAX 1024u
#define CONNECTIONS_AT_LIMIT 4u /* so many may have their share of unsent replies (H4) */
#define CHUNKED_STEP_MIN 4096u  /* the first block of a body whose length is not known */

_Static_assert(sizeof(struct http_request) < 3072, "what waits is counted in thousands of these");

/* ---- life ---- */

static uint64_t name_bit(struct slice name)
{
    return name.size > 0 ? HTTP_NAME_BIT_OF(name.size, name.data[name.size - 1]) : 1;
}

static void adopt_head(struct http_request *request, const struct http_head *head,
                       struct slice bytes)
{
    ASSERT(bytes.size > 0);
    uint8_t *copy = http_arena_alloc(&request->arena, bytes.size);
    memcpy(copy, bytes.data, bytes.size);
    size_t fields_size = head->field_count * sizeof(head->fields[0]);
    struct http_head_field *fields = http_arena_alloc(&request->arena, fields_size);
    memcpy(fields, head->fields, fields_size);
    for (uint32_t i = 0; i < head->field_count; i++) {
        const struct http_span *name = &fields[i].name;
        request->names |= name_bit((struct slice){copy + name->offset, name->size});
    }
    request->bytes = copy;
    request->fields = fields;
    request->field_count = head->field_count;
    request->method = head->method;
    request->is_http_1_0 = head->is_http_1_0;
    request->keep_alive = head->keep_alive;
    request->wants_continue = head->expects_continue && head->content_length > 0;
    request->content_length = head->content_length;
    request->path = head->path;
    request->query = head->query;
}

struct http_request *http_request_new(struct http_conn *conn, const struct http_head *head,
                                      struct slice bytes)
{
    struct http_server *server = conn->server;
    struct http_request *request;
    if (list_is_empty(&server->pool)) {
        request = mem_alloc(sizeof(*request));
    } else {
        request = CONTAINER_OF(server->pool.next, struct http_request, link);
        list_remove(&request->link);
        server->pool_count--;
    }
    memset(request, 0, offsetof(struct http_request, arena));
    http_arena_init(&request->arena);
    request->conn = conn;
    request->state = HTTP_REQUEST_READING;
    request->method = HTTP_METHOD_OTHER;
    request->number = server->next_number;
    server->next_number++;
    request->started_ns = conn->started_ns;
    request->body_limit = server->options.body_bytes_max;
    if (head != NULL) {
        adopt_head(request, head, bytes);
    }
    list_push_back(&conn->requests, &request->link);
    conn->request_count++;
    server->stats.in_flight.value++;
    server->stats.requests_held.value++;
    return request;
}

void http_request_free(struct http_request *request)
{
    ASSERT(request->state == HTTP_REQUEST_ANSWERED);
    struct http_conn *conn = request->conn;
    struct http_server *server = conn->server;
    ASSERT(conn->request_count > 0);
    ASSERT(conn->reading != request);
    list_remove(&request->link);
    conn->request_count--;
    server->stats.requests_held.value--;
    http_output_drop(request);
    http_arena_deinit(&request->arena);
    if (server->is_open && server->pool_count < POOL_MAX) {
        list_push_back(&server->pool, &request->link);
        server->pool_count++;
    } else {
        mem_free(request);
    }
}

void http_request_free_pool(struct http_server *server)
{
    LIST_FOREACH (node, &server->pool) {
        list_remove(node);
        mem_free(CONTAINER_OF(node, struct http_request, link));
    }
    server->pool_count = 0;
}

void http_request_move(struct http_request *request, enum http_request_state state)
{
    /* Which states may follow: one bit each. */
    static const unsigned allowed[] = {
        [HTTP_REQUEST_READING] =
            1U << HTTP_REQUEST_AT_WORK | 1U << HTTP_REQUEST_STREAMING | 1U << HTTP_REQUEST_ANSWERED,
        [HTTP_REQUEST_AT_WORK] = 1U << HTTP_REQUEST_STREAMING | 1U << HTTP_REQUEST_ANSWERED,
        [HTTP_REQUEST_STREAMING] = 1U << HTTP_REQUEST_ANSWERED,
        [HTTP_REQUEST_ANSWERED] = 0, /* H2 */
    };
    ASSERT((allowed[request->state] & 1U << state) != 0);
    request->state = state;
}

void http_request_finish(struct http_request *request)
{
    http_request_move(request, HTTP_REQUEST_ANSWERED);
    http_request_body_drop(request);
    request->user = NULL;
    request->wants_continue = false;
    ASSERT(request->conn->server->stats.in_flight.value > 0);
    request->conn->server->stats.in_flight.value--;
}

/* ---- the body ---- */

static void count_body(struct http_server *server, int64_t more)
{
    server->stats.body_bytes.value += more;
    ASSERT(server->stats.body_bytes.value >= 0);
    server->body_bytes = (uint64_t)server->stats.body_bytes.value;
}

err http_request_body_room(struct http_request *request, uint8_t **out_target, size_t *out_room)
{
    struct http_server *server = request->conn->server;
    size_t capacity = buf_slice(request->body).size;
    ASSERT(request->body_size <= capacity);
    if (request->body_size == capacity) {
        bool is_known = request->content_length != HTTP_LENGTH_CHUNKED;
        uint64_t most = is_known ? request->content_length : request->body_limit;
        ASSERT(most > capacity);
        uint64_t grown = is_known ? HTTP_BODY_STEP_MIN : CHUNKED_STEP_MIN;
        grown = capacity > grown / 2 ? (uint64_t)capacity * 2 : grown;
        grown = grown < most ? grown : most;
        if (grown - capacity > server->options.body_bytes_total_max - server->body_bytes) {
            return ERR_OVERLOADED;
        }
        count_body(server, (int64_t)(grown - capacity));
        /* Not published yet: the block is ours alone and may move. */
        request->body = mem_realloc(request->body, 1, sizeof(struct buf) + grown);
        request->body->ref_count = 1;
        request->body->size = grown;
        capacity = grown;
    }
    *out_target = request->body->data + request->body_size;
    *out_room = capacity - request->body_size;
    return OK;
}

err http_request_body_append(struct http_request *request, struct slice piece)
{
    if (piece.size > request->body_limit - request->body_size) {
        return ERR_TOO_LARGE;
    }
    while (piece.size > 0) {
        uint8_t *target = NULL;
        size_t room = 0;
        err e = http_request_body_room(request, &target, &room);
        if (e != OK) {
            return e;
        }
        size_t size = piece.size < room ? piece.size : room;
        memcpy(target, piece.data, size);
        request->body_size += size;
        piece = (struct slice){piece.data + size, piece.size - size};
    }
    return OK;
}

void http_request_body_end(struct http_request *request)
{
    if (request->body == NULL || request->body->size == request->body_size) {
        return;
    }
    ASSERT(request->body_size > 0);
    ASSERT(request->body_size < request->body->size);
    ASSERT(request->body->ref_count == 1);
    count_body(request->conn->server, -(int64_t)(request->body->size - request->body_size));
    request->body = mem_realloc(request->body, 1, sizeof(struct buf) + request->body_size);
    request->body->size = request->body_size;
}

void http_request_body_drop(struct http_request *request)
{
    struct http_server *server = request->conn->server;
    if (request->body != NULL) {
        ASSERT(server->body_bytes >= request->body->size);
        count_body(server, -(int64_t)request->body->size);
    }
    buf_drop(&request->body);
    request->body_size = 0;
}

/* ---- what the handler may ask ---- */

enum http_method http_method(const struct http_request *request)
{
    return request->method;
}

const char *http_method_name(enum http_method method)
{
    static const char *const names[HTTP_METHOD_COUNT] = {
        [HTTP_METHOD_GET] = "GET",         [HTTP_METHOD_HEAD] = "HEAD",
        [HTTP_METHOD_PUT] = "PUT",         [HTTP_METHOD_POST] = "POST",
        [HTTP_METHOD_DELETE] = "DELETE",   [HTTP_METHOD_PATCH] = "PATCH",
        [HTTP_METHOD_OPTIONS] = "OPTIONS", [HTTP_METHOD_LOCK] = "LOCK",
        [HTTP_METHOD_UNLOCK] = "UNLOCK",   [HTTP_METHOD_OTHER] = "OTHER",
    };
    ASSERT(method < HTTP_METHOD_COUNT);
    return names[method];
}

static struct slice span_of(const struct http_request *request, struct http_span span)
{
    return (struct slice){request->bytes + span.offset, span.size};
}

struct slice http_path(const struct http_request *request)
{
    if (request->bytes == NULL) {
        return SLICE_EMPTY;
    }
    return request->path.size > 0 ? span_of(request, request->path) : SLICE_LITERAL("/");
}

struct slice http_query(const struct http_request *request)
{
    return request->bytes != NULL ? span_of(request, request->query) : SLICE_EMPTY;
}

static struct slice find_field(const struct http_request *request, struct slice name)
{
    for (uint32_t i = 0; i < request->field_count; i++) {
        if (slice_equal_nocase(span_of(request, request->fields[i].name), name)) {
            return span_of(request, request->fields[i].value);
        }
    }
    return SLICE_EMPTY;
}

bool http_header_is_repeated(const struct http_request *request, struct slice name)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < request->field_count; i++) {
        count += slice_equal_nocase(span_of(request, request->fields[i].name), name) ? 1 : 0;
    }
    return count > 1;
}

struct slice http_header_find_bit(const struct http_request *request, struct slice name,
                                  uint64_t bit)
{
    return (request->names & bit) != 0 ? find_field(request, name) : SLICE_EMPTY;
}

bool http_may_have(const struct http_request *request, uint64_t names)
{
    return (request->names & names) != 0;
}

bool http_is_http_1_0(const struct http_request *request)
{
    return request->is_http_1_0;
}

struct buf *http_body(const struct http_request *request)
{
    return request->state == HTTP_REQUEST_AT_WORK ? request->body : NULL;
}

void http_body_release(struct http_request *request)
{
    ASSERT(request->state == HTTP_REQUEST_AT_WORK);
    http_request_body_drop(request);
}

err http_admit_reply(const struct http_request *request, uint64_t size)
{
    const struct http_conn *conn = request->conn;
    uint64_t limit = conn->server->options.reply_bytes_total_max;
    if (conn->queued_bytes > 0 && conn->queued_bytes + size > limit / CONNECTIONS_AT_LIMIT) {
        return ERR_TOO_MANY_REQUESTS;
    }
    uint64_t queued = (uint64_t)conn->server->stats.reply_bytes.value;
    return queued > 0 && queued + size > limit ? ERR_OVERLOADED : OK;
}

uint64_t http_content_length(const struct http_request *request)
{
    return request->content_length;
}

const char *http_peer(const struct http_request *request)
{
    return request->conn->peer;
}

uint64_t http_request_number(const struct http_request *request)
{
    return request->number;
}

uint64_t http_started_ns(const struct http_request *request)
{
    return request->started_ns;
}

bool http_is_connected(const struct http_request *request)
{
    return http_conn_is_writable(request->conn);
}

bool http_is_abandoned(const struct http_request *request)
{
    return !http_conn_is_writable(request->conn) || http_conn_has_left(request->conn);
}

void *http_alloc(struct http_request *request, size_t size)
{
    ASSERT(request->state == HTTP_REQUEST_READING || request->state == HTTP_REQUEST_AT_WORK);
    return http_arena_alloc(&request->arena, size);
}

void http_set_user(struct http_request *request, void *user)
{
    request->user = user;
}

void *http_user(const struct http_request *request)
{
    return request->user;
}

void http_limit_body(struct http_request *request, uint64_t bytes)
{
    ASSERT(request->state == HTTP_REQUEST_READING);
    ASSERT(request->body_size == 0);
    request->body_limit = bytes;
}
