/*
 * /kv/KEY: one key (docs/api.md, sections 1 and 2). The hot path: no JSON, no printf, one copy of a
 * value on its way in (into the command), none on its way out. Here: what is checked before the
 * body comes, and what both kinds of answer have; kv_read.c and kv_write.c are the rest.
 */
#include <string.h>

#include "api/etag.h"
#include "api/key.h"
#include "api/kv_body.h"
#include "api/kv_int.h"
#include "api/kv_intent.h"
#include "api/kv_patch.h"
#include "api/kv_wait.h"
#include "api/ttl.h"
#include "base/assert.h"
#include "base/limits.h"
#include "http/http_date.h"
#include "node/notices.h"
#include "store/system_read.h"

/* ---- before the body ---- */

bool api_kv_is_field_text(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        if ((text.data[i] < ' ' && text.data[i] != '\t') || text.data[i] > '~') {
            return false;
        }
    }
    return true;
}

static err check_content_type(const struct http_request *request, struct problem *problem)
{
    struct slice type = http_header(request, "content-type");
    if (type.size > CONTENT_TYPE_SIZE_MAX) {
        problem->limit = CONTENT_TYPE_SIZE_MAX;
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "a Content-Type is at most %u bytes, this one has %zu",
                               CONTENT_TYPE_SIZE_MAX, type.size);
    }
    if (!api_kv_is_field_text(type)) {
        return api_problem_set(
            problem, ERR_BAD_REQUEST,
            "a Content-Type is visible ASCII, as it is sent back with the value");
    }
    return OK;
}

/* Whether this node may answer the request by itself, whoever leads. */
static bool is_local(const struct exchange *x, bool is_write)
{
    struct node_standing standing;
    node_standing(x->api->node, &standing);
    return !is_write && (x->params.consistency == READ_STALE ||
                         (x->params.consistency == READ_BOUNDED &&
                          standing.staleness_ms <= x->params.staleness_ms_max));
}

/* ?redirect: the request's own target at the leader, before the body is read. */
static err redirect(struct exchange *x, bool is_write, struct problem *problem)
{
    char address[ADDRESS_SIZE_MAX + 1];
    if (is_local(x, is_write) || node_leader_address(x->api->node, address)) {
        return OK;
    }
    if (address[0] == '\0') {
        return api_problem_set(
            problem, ERR_NO_LEADER,
            "no leader is known here to redirect to; without ?redirect this node "
            "waits for one");
    }
    struct slice path = http_path(x->request);
    struct slice query = http_query(x->request);
    struct writer location = {0};
    writer_format(&location, "http://%s", address);
    writer_bytes(&location, path);
    writer_u8(&location, '?');
    writer_bytes(&location, query);
    struct slice text = writer_slice(&location);
    uint8_t *copy = http_alloc(x->request, text.size);
    memcpy(copy, text.data, text.size);
    api_exchange_field(x, "Location", (struct slice){copy, text.size});
    writer_deinit(&location);
    return api_problem_set(problem, ERR_REDIRECT,
                           "the leader is at %s: send the same request there (Location); without "
                           "?redirect this node passes it on",
                           address);
}

err api_kv_prepare(struct exchange *x, struct problem *problem)
{
    bool is_write = api_method_is_unsafe(x->method);
    struct slice path = http_path(x->request);
    size_t prefix_size = x->route->path.size;
    struct slice raw = {path.data + prefix_size, path.size - prefix_size};
    x->params = (struct kv_params){.consistency = READ_LINEARIZABLE,
                                   .timeout_ms = x->api->options.request_timeout_ms};
    bool is_encoded = memchr(raw.data, '%', raw.size) != NULL;
    uint8_t *scratch = is_encoded ? http_alloc(x->request, raw.size) : NULL;
    err e = api_key_decode(raw, scratch, &x->key, problem);
    struct slice query = http_query(x->request);
    if (e == OK && query.size > 0) {
        struct http_query walk = http_query_of(query, http_alloc(x->request, query.size));
        e = api_params_parse_kv(&walk, is_write, &x->params, problem);
    }
    if (e == OK && is_write) {
        e = check_content_type(x->request, problem);
    }
    if (e == OK && x->method == HTTP_METHOD_PATCH) {
        e = api_kv_patch_check(x, problem);
    }
    if (e == OK && is_write && x->method != HTTP_METHOD_DELETE) {
        e = api_kv_body_prepare(x, problem);
    }
    if (e == OK && is_write) {
        e = api_kv_intent_parse(x, problem);
    }
    if (e == OK && !is_write) {
        e = api_kv_wait_prepare(x, problem);
    }
    if (e == OK && x->params.is_redirect) {
        e = redirect(x, is_write, problem);
    }
    return e;
}

/* ---- answers ---- */

const char api_kv_explain_divergence[] =
    "this node's state differs from that of other members, so it serves nothing until that is "
    "mended; ask another member";

static void add_etag(struct exchange *x, uint64_t mod_revision)
{
    char *text = api_exchange_text(x, ETAG_SIZE_MAX);
    size_t size = api_etag_write(text, mod_revision);
    api_exchange_field(x, "ETag", (struct slice){(const uint8_t *)text, size});
}

struct kv_record_fields api_kv_fields_of(const struct exchange *x,
                                         const struct store_record *record)
{
    struct kv_record_fields fields = {
        .create_revision = record->create_revision,
        .mod_revision = record->mod_revision,
        .version = record->version,
        .modified_ms = record->modified_ms,
    };
    struct node_state state;
    struct system_lease lease = {.due_ms = record->expires_ms};
    /* Of the past it says nothing: what was left then is not known, a lease may have ended. */
    bool has_no_end = record->expires_ms == 0 || x->params.at != 0;
    if (LIKELY(has_no_end) || node_state_look(x->api->node, &state) != OK) {
        return fields;
    }
    if ((record->flags & STORE_RECORD_LEASED) != 0) {
        fields.lease = record->expires_ms;
        if (store_lease_get(state.store, fields.lease, &lease) != OK) {
            return fields; /* it has ended since the record was read */
        }
    }
    bool is_due = lease.due_ms <= state.elapsed_ms; /* and not gone yet */
    fields.ttl_ms = is_due ? 1 : lease.due_ms - state.elapsed_ms;
    return fields;
}

static void add_time(struct exchange *x, const struct kv_record_fields *record)
{
    if (record->ttl_ms != 0) {
        char *text = api_exchange_text(x, TTL_TEXT_SIZE);
        size_t size = api_ttl_write(text, record->ttl_ms);
        api_exchange_field(x, "KV-TTL", (struct slice){(const uint8_t *)text, size});
    }
    if (record->lease != 0) {
        char *text = api_exchange_text(x, LEASE_TEXT_SIZE);
        api_text_hex64(text, record->lease);
        api_exchange_field(x, "KV-Lease", (struct slice){(const uint8_t *)text, LEASE_TEXT_SIZE});
    }
}

static void add_coded_etag(struct exchange *x, uint64_t mod_revision)
{
    char *text = api_exchange_text(x, ETAG_SIZE_MAX);
    size_t size = api_etag_write_gzip(text, mod_revision);
    api_exchange_field(x, "ETag", (struct slice){(const uint8_t *)text, size});
}

void api_kv_add_record_fields(struct exchange *x, const struct kv_record_fields *record)
{
    if (UNLIKELY(record->is_coded)) {
        add_coded_etag(x, record->mod_revision);
    } else {
        add_etag(x, record->mod_revision);
    }
    api_exchange_field_u64(x, "KV-Create-Revision", record->create_revision);
    api_exchange_field_u64(x, "KV-Version", record->version);
    char *date = api_exchange_text(x, HTTP_DATE_SIZE + 1);
    http_date_format(record->modified_ms, date);
    api_exchange_field(x, "Last-Modified", (struct slice){(const uint8_t *)date, HTTP_DATE_SIZE});
    add_time(x, record);
}

void api_kv_add_common_fields(struct exchange *x)
{
    api_exchange_add_lines(x, api_standing_lines(x->api, x->given, true));
}

void api_kv_answer(struct exchange *x)
{
    ASSERT(x->key.size > 0);
    if (x->method == HTTP_METHOD_PATCH) {
        api_kv_patch(x);
    } else if (api_method_is_unsafe(x->method)) {
        api_kv_write(x);
    } else {
        api_kv_read(x);
    }
}
