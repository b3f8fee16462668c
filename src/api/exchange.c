#include "api/exchange.h"

#include <string.h>

#include "api/etag.h"
#include "api/problem_form.h"
#include "base/assert.h"
#include "base/decimal.h"
#include "base/hash.h"

#define REQUEST_ID_SIZE_MAX 128u
#define SLOW_REQUEST_US 1000000u

/* ---- beginning ---- */

/*
 * A client's own id is echoed if it is short and visible: it goes into a header, a document and
 * logs.
 */
static bool is_sane_id(struct slice id)
{
    if (id.size == 0 || id.size > REQUEST_ID_SIZE_MAX) {
        return false;
    }
    for (size_t i = 0; i < id.size; i++) {
        if (id.data[i] <= ' ' || id.data[i] > '~') {
            return false;
        }
    }
    return true;
}

struct exchange *api_exchange_new(struct api *api, struct http_request *request)
{
    struct exchange *x = http_alloc(request, sizeof(*x));
    memset(x, 0, offsetof(struct exchange, fields));
    x->api = api;
    x->request = request;
    x->route = api_route_none();
    x->method = http_method(request);
    struct slice prefer = http_header(request, "prefer");
    if (UNLIKELY(prefer.size > 0)) {
        api_prefer_parse(prefer, &x->prefer);
    }
    x->request_id = http_header(request, "x-request-id");
    if (!is_sane_id(x->request_id)) {
        char *text = api_exchange_text(x, TEXT_HEX64_SIZE);
        api_text_hex64(text, prng_next(&api->request_ids));
        x->request_id = (struct slice){(const uint8_t *)text, TEXT_HEX64_SIZE};
    }
    return x;
}

err api_exchange_begin_key(struct exchange *x, struct slice key, struct problem *problem)
{
    if (key.size == 0 || api_inflight_begin(&x->api->inflight, &x->inflight, key)) {
        return OK;
    }
    return api_problem_set(problem, ERR_IDEMPOTENCY_IN_PROGRESS,
                           "another request with this Idempotency-Key is at work; try again a "
                           "little later, and get its answer");
}

/* ---- fields ---- */

char *api_exchange_text(struct exchange *x, size_t size)
{
    ASSERT(size <= EXCHANGE_TEXT_SIZE - x->text_size);
    char *text = x->text + x->text_size;
    x->text_size += size;
    return text;
}

void api_exchange_add(struct exchange *x, struct slice name, struct slice value)
{
    ASSERT(x->field_count < EXCHANGE_FIELDS_MAX);
    x->fields[x->field_count++] = (struct http_field){.name = name, .value = value};
}

void api_exchange_add_lines(struct exchange *x, struct slice lines)
{
    ASSERT(x->field_count < EXCHANGE_FIELDS_MAX);
    x->fields[x->field_count++] = (struct http_field){.lines = lines};
}

void api_exchange_add_u64(struct exchange *x, struct slice name, uint64_t value)
{
    char *text = api_exchange_text(x, DECIMAL_SIZE_MAX);
    size_t size = decimal_write(text, value);
    api_exchange_add(x, name, (struct slice){(const uint8_t *)text, size});
}

/* ---- answering ---- */

/* One line, with the key's hash and never the key (docs/STYLE.md, logs). */
static void log_request(const struct exchange *x, int status, size_t size, uint64_t duration_us)
{
    bool is_slow = duration_us > SLOW_REQUEST_US && !x->is_patient;
    const struct api_options *options = &x->api->options;
    if (LIKELY(!is_slow && !options->access_log)) {
        return;
    }
    char id[REQUEST_ID_SIZE_MAX + 1];
    char key_hash[TEXT_HEX64_SIZE + 1] = "";
    ASSERT(x->request_id.size < sizeof(id));
    memcpy(id, x->request_id.data, x->request_id.size);
    id[x->request_id.size] = '\0';
    if (x->key.size > 0) {
        api_text_hex64(key_hash, hash64(x->key, 0));
        key_hash[TEXT_HEX64_SIZE] = '\0';
    }
    const struct log_field fields[] = {
        LOG_TEXT("method", http_method_name(x->method)),
        LOG_TEXT("route", api_meter_route_name(x->route->id)),
        LOG_TEXT("key_hash", key_hash),
        LOG_U64("status", (uint64_t)status),
        LOG_U64("bytes", size),
        LOG_U64("duration_us", duration_us),
        LOG_TEXT("peer", http_peer(x->request)),
        LOG_TEXT("req_id", id),
    };
    if (is_slow) {
        log_write(options->log, LOG_LEVEL_WARN, LOG_SITE, "slow request", fields,
                  ARRAY_COUNT(fields));
    }
    if (options->access_log) {
        log_write(options->log, LOG_LEVEL_INFO, NULL, "request", fields, ARRAY_COUNT(fields));
    }
}

void api_exchange_take_revision(struct exchange *x, const struct command_result *result)
{
    x->has_revision = result->e == OK || result->revision > 0;
    x->revision = result->revision;
}

/* X2: what every answer has and leaves behind. `size`: of the content, where it is known. */
static struct http_response begin_response(struct exchange *x, int status, size_t size)
{
    struct api *api = x->api;
    api_inflight_end(&api->inflight, &x->inflight);
    ASSERT(status >= 200);
    ASSERT(status < 600);
    uint64_t now_ns = env_now_ns(api->options.env);
    uint64_t started_ns = http_started_ns(x->request);
    uint64_t duration_us = now_ns > started_ns ? (now_ns - started_ns) / 1000 : 0;
    api_exchange_field_u64(x, "KV-Revision",
                           x->has_revision ? x->revision : node_revision(api->node));
    api_exchange_field(x, "KV-Request-Id", x->request_id);
    api_meter_count(&api->meter, x->route->id, x->method, status, duration_us);
    log_request(x, status, size, duration_us);
    return (struct http_response){
        .status = status,
        .fields = x->fields,
        .field_count = x->field_count,
        .head_length = size,
    };
}

void api_exchange_respond(struct exchange *x, int status, struct buf *body, struct slice content)
{
    struct http_response response = begin_response(x, status, content.size);
    response.body = body;
    response.content = content;
    http_respond(x->request, &response);
}

struct http_stream *api_exchange_respond_stream(struct exchange *x,
                                                const struct http_stream_handler *handler,
                                                void *ctx)
{
    const struct http_response response = begin_response(x, 200, 0);
    return http_respond_stream(x->request, &response, handler, ctx);
}

void api_exchange_respond_stream_head(struct exchange *x)
{
    ASSERT(x->method == HTTP_METHOD_HEAD);
    struct http_response response = begin_response(x, 200, 0);
    response.head_length = HTTP_HEAD_LENGTH_NONE;
    http_respond(x->request, &response);
}

void api_exchange_respond_json(struct exchange *x, int status, struct json_object *document,
                               bool is_pretty)
{
    int flags = JSON_C_TO_STRING_NOSLASHESCAPE;
    flags |= is_pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : JSON_C_TO_STRING_PLAIN;
    size_t size;
    const char *text = json_object_to_json_string_length(document, flags, &size);
    ASSERT(text != NULL);
    struct buf *body = buf_new(size + 1);
    memcpy(body->data, text, size);
    body->data[size] = '\n';
    (void)json_object_put(document);
    api_exchange_field_text(x, "Content-Type", "application/json");
    api_exchange_field_text(x, "Cache-Control", "no-store");
    api_exchange_respond(x, status, body, buf_slice(body));
    buf_unref(body);
}

/* Under /kv, and on pages, the same guards as on values: they may quote what a client sent. */
static void add_problem_fields(struct exchange *x, const struct problem *problem,
                               enum problem_form form, const char *allow)
{
    api_exchange_field_text(x, "Content-Type", api_problem_form_type(form));
    api_exchange_field_text(x, "Cache-Control", "no-store");
    bool is_kv = x->route->id == ROUTE_KV || x->route->id == ROUTE_KV_COLLECTION;
    if (is_kv || form == PROBLEM_FORM_HTML) {
        api_exchange_field_text(x, "X-Content-Type-Options", "nosniff");
        api_exchange_field_text(x, "Content-Security-Policy", "sandbox");
    }
    bool is_system = x->route->id == ROUTE_LEASES || x->route->id == ROUTE_LOCKS ||
                     x->route->id == ROUTE_ELECTIONS;
    if (is_kv || is_system) {
        api_exchange_add_lines(x, api_standing_lines(x->api, x->given, false));
    }
    if (allow != NULL) {
        api_exchange_field_text(x, "Allow", allow);
    }
    if (problem->etag > 0) {
        char *text = api_exchange_text(x, ETAG_SIZE_MAX);
        size_t size = api_etag_write(text, problem->etag);
        api_exchange_field(x, "ETag", (struct slice){(const uint8_t *)text, size});
    }
    uint64_t retry_after_s = api_problem_retry_after(problem);
    if (retry_after_s > 0) {
        api_exchange_field_u64(x, "Retry-After", retry_after_s);
    }
}

void api_exchange_respond_problem(struct exchange *x, const struct problem *problem)
{
    ASSERT(problem->e != OK);
    int status = err_http_status(problem->e);
    bool tells_methods = problem->e == ERR_METHOD_NOT_ALLOWED;
    char allow[ALLOW_SIZE];
    api_route_allow(x->route, allow);
    if (!x->has_revision) {
        x->has_revision = true;
        x->revision = node_revision(x->api->node);
    }
    const struct problem_context context = {
        .key = x->key,
        .request_id = x->request_id,
        .allow = tells_methods && x->route->methods != 0 ? allow : NULL,
        .revision = x->revision,
        .is_unsafe = api_method_is_unsafe(x->method),
    };
    enum problem_form form = api_problem_form_of(http_header(x->request, "accept"));
    add_problem_fields(x, problem, form, context.allow);
    struct writer document = {0};
    api_problem_form_write(form, problem, &context, &document);
    api_exchange_respond(x, status, NULL, writer_slice(&document));
    writer_deinit(&document);
}

void api_exchange_refuse(struct exchange *x, err e, const char *detail)
{
    struct problem problem = {.e = OK};
    err set = api_problem_set(&problem, e, "%s", detail);
    ASSERT(set == e);
    api_exchange_respond_problem(x, &problem);
}
