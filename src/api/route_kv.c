/*
 * /kv/KEY: one key (docs/api.md, sections 1 and 2). The hot path: no JSON, no printf, one copy of a
 * value on its way in (into the command), none on its way out.
 */
#include <string.h>

#include "api/etag.h"
#include "api/exchange.h"
#include "api/key.h"
#include "api/timing.h"
#include "base/assert.h"
#include "base/limits.h"
#include "http/http_date.h"

/* ---- before the body ---- */

/*
 * Header fields that make a write conditional, guarded, limited in time or verified, and are not
 * there yet. Ignoring one would answer OK to something that was not done.
 */
static const struct slice fields_later[] = {
    SLICE_INIT("If-Match"),        SLICE_INIT("If-None-Match"), SLICE_INIT("If-Unmodified-Since"),
    SLICE_INIT("Idempotency-Key"), SLICE_INIT("KV-Fence"),      SLICE_INIT("KV-TTL"),
    SLICE_INIT("X-TTL"),           SLICE_INIT("Repr-Digest"),
};

static err check_write_fields(const struct http_request *request, struct problem *problem)
{
    for (size_t i = 0; i < ARRAY_COUNT(fields_later); i++) {
        if (http_header_find(request, fields_later[i]).data != NULL) {
            return api_problem_set(
                problem, ERR_NOT_IMPLEMENTED,
                "%.*s is not there yet, and a write that ignored it would not be "
                "what was asked for",
                SLICE_ARGS(fields_later[i]));
        }
    }
    struct slice encoding = http_header(request, "content-encoding");
    if (encoding.size > 0 && !api_text_equals_nocase(encoding, "identity")) {
        return api_problem_set(problem, ERR_UNSUPPORTED_ENCODING,
                               "encoded bodies are not taken yet; send the value as it is, without "
                               "Content-Encoding");
    }
    if (http_header(request, "content-range").data != NULL) {
        return api_problem_set(
            problem, ERR_BAD_REQUEST,
            "a part of a value cannot be written (Content-Range); send the whole "
            "value");
    }
    return OK;
}

/* Visible ASCII, spaces and tabs: what a header field can carry back. */
static bool is_field_text(struct slice text)
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
    if (!is_field_text(type)) {
        return api_problem_set(
            problem, ERR_BAD_REQUEST,
            "a Content-Type is visible ASCII, as it is sent back with the value");
    }
    return OK;
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
        e = check_write_fields(x->request, problem);
    }
    if (e == OK && is_write) {
        e = check_content_type(x->request, problem);
    }
    return e;
}

/* ---- answers ---- */

static const char explain_divergence[] =
    "this node's state differs from that of other members, so it serves nothing until that is "
    "mended; ask another member";

static const char *explain_write(const struct exchange *x, err e)
{
    switch ((int)e) {
    case ERR_NO_LEADER:
    case ERR_NOT_LEADER:
    case ERR_PROPOSAL_DROPPED:
        return "no leader could take this write in time: it was not applied and never will be, try "
               "again";
    case ERR_OUTCOME_UNKNOWN:
        return "the write was proposed and its outcome was not seen in time: it may or may not "
               "happen; read the key before you write it again";
    case ERR_DRAINING:
        return node_explain_draining(x->api->node);
    case ERR_DIVERGED:
        return explain_divergence;
    case ERR_OVERLOADED:
        return node_explain_overload(x->api->node);
    case ERR_QUOTA:
        return "revisions have come to their end: nothing was written, and nothing can be any more";
    case ERR_NO_SPACE:
        return "the disk is full: nothing was written; make room on the disks of the nodes, reads "
               "and deletes go on";
    default:
        return "the write failed inside the server; its log says more under this request's time";
    }
}

static const char *explain_read(const struct exchange *x, err e)
{
    switch ((int)e) {
    case ERR_NOT_FOUND:
        return "there is no such key";
    case ERR_CORRUPT:
        return "the stored record of this key is damaged (its checksum does not match); other "
               "members may have it whole";
    case ERR_MENDING:
        return "the stored record of this key is damaged here and is being fetched from another "
               "member, or was not found before all of the store was verified; try again a little "
               "later, or ask another member";
    case ERR_NO_LEADER:
    case ERR_NOT_LEADER:
    case ERR_PROPOSAL_DROPPED:
        return "no quorum confirmed this read in time; ?consistency=stale reads what this node has";
    case ERR_DRAINING:
        return node_explain_draining(x->api->node);
    case ERR_DIVERGED:
        return explain_divergence;
    case ERR_OVERLOADED:
        return "more reads wait than may (--max-pending-requests), or than this node can answer in "
               "time; try again a little later, with fewer at a time";
    default:
        return "the read failed inside the server; its log says more under this request's time";
    }
}

static void add_etag(struct exchange *x, uint64_t mod_revision)
{
    char *text = api_exchange_text(x, ETAG_SIZE_MAX);
    size_t size = api_etag_write(text, mod_revision);
    api_exchange_field(x, "ETag", (struct slice){(const uint8_t *)text, size});
}

struct record_fields {
    uint64_t create_revision;
    uint64_t mod_revision;
    uint64_t version;
    uint64_t modified_ms;
};

/* What describes the record that is now there. */
static void add_record_fields(struct exchange *x, const struct record_fields *record)
{
    add_etag(x, record->mod_revision);
    api_exchange_field_u64(x, "KV-Create-Revision", record->create_revision);
    api_exchange_field_u64(x, "KV-Version", record->version);
    char *date = api_exchange_text(x, HTTP_DATE_SIZE + 1);
    http_date_format(record->modified_ms, date);
    api_exchange_field(x, "Last-Modified", (struct slice){(const uint8_t *)date, HTTP_DATE_SIZE});
}

/* What every answer under /kv says: nobody may take a stored value for a page of this origin. */
static void add_common_fields(struct exchange *x)
{
    api_exchange_add_lines(x, SLICE_LITERAL("X-Content-Type-Options: nosniff\r\n"
                                            "Content-Security-Policy: sandbox\r\n"
                                            "Cache-Control: no-cache\r\n"
                                            "Vary: Accept, Accept-Encoding\r\n"));
}

/* ---- writes ---- */

static void refuse_by_quota(struct exchange *x)
{
    struct problem problem = {.e = OK};
    struct node_status status;
    node_status(x->api->node, &status);
    problem.setting = "quota-bytes";
    problem.limit = status.quota_bytes;
    problem.used = status.state != NULL ? store_region_used(status.state) : 0;
    err e = api_problem_set(&problem, ERR_QUOTA,
                            "the storage quota is reached: nothing was written; delete keys, or "
                            "raise --quota-bytes on every node; reads and deletes go on");
    ASSERT(e == ERR_QUOTA);
    api_exchange_respond_problem(x, &problem);
}

/* Before any answer: a refusal took its time, too. */
static void add_write_times(struct exchange *x)
{
    const struct write_times *times = &x->op.write.times;
    const struct timing_row rows[] = {{"queue", times->queue_us},
                                      {"fsync", times->fsync_us},
                                      {"replicate", times->replicate_us},
                                      {"apply", times->apply_us}};
    api_timing_add(x, rows, ARRAY_COUNT(rows));
}

static void write_done(struct node_write *write, const struct command_result *result)
{
    struct exchange *x = CONTAINER_OF(write, struct exchange, op.write);
    add_write_times(x);
    if (result->e == ERR_QUOTA && result->revision < REVISION_MAX) {
        refuse_by_quota(x);
        return;
    }
    if (result->e != OK) {
        api_exchange_refuse(x, result->e, explain_write(x, result->e));
        return;
    }
    x->has_revision = true;
    x->revision = result->revision;
    int status = x->method == HTTP_METHOD_PUT && !result->existed ? 201 : 200;
    if (x->method == HTTP_METHOD_DELETE) {
        api_exchange_field_text(x, "KV-Deleted", result->existed ? "1" : "0");
    } else {
        const struct record_fields record = {result->create_revision, result->mod_revision,
                                             result->version, result->modified_ms};
        add_record_fields(x, &record);
    }
    api_exchange_field(x, "Content-Type", SLICE_LITERAL("text/plain"));
    add_common_fields(x);
    api_exchange_respond(x, status, NULL, SLICE_LITERAL("OK"));
}

/* curl -d says "form" of whatever it sends: not stored (docs/api.md, section 1, content type). */
static struct slice content_type_to_store(const struct http_request *request)
{
    struct slice type = http_header(request, "content-type");
    struct slice rest = type;
    struct slice essence = api_text_trim(api_text_split(&rest, ';'));
    return api_text_equals_nocase(essence, "application/x-www-form-urlencoded") ? SLICE_EMPTY
                                                                                : type;
}

static void begin_write(struct exchange *x)
{
    bool is_delete = x->method == HTTP_METHOD_DELETE;
    const struct command command = {
        .type = is_delete ? COMMAND_DELETE : COMMAND_PUT,
        .key = x->key,
        .value = is_delete ? SLICE_EMPTY : buf_slice(http_body(x->request)),
        .content_type = is_delete ? SLICE_EMPTY : content_type_to_store(x->request),
    };
    const struct api_options *options = &x->api->options;
    x->op.write.command = command_encode(&command);
    http_body_release(x->request); /* the command has the value now, and is what counts */
    x->op.write.deadline_ms = env_now_ms(options->env) + x->params.timeout_ms;
    x->op.write.received_ns = http_started_ns(x->request);
    x->op.write.done = write_done;
    node_write(x->api->node, x->key, &x->op.write);
}

/* ---- reads ---- */

/* The Content-Type as stored, unless it is none that a header field could carry. */
static struct slice content_type_to_send(const struct store_record *record)
{
    bool is_fit = record->content_type.size > 0 && is_field_text(record->content_type);
    return is_fit ? record->content_type : SLICE_LITERAL("application/octet-stream");
}

/* A client that takes no answers must not fill the memory with them. */
static bool is_reply_admitted(struct exchange *x, uint64_t size)
{
    err e = http_admit_reply(x->request, size);
    if (e == ERR_TOO_MANY_REQUESTS) {
        api_exchange_refuse(x, e,
                            "more answers wait for this connection to take them than its share; "
                            "read them before asking for more");
    } else if (e != OK) {
        api_exchange_refuse(x, e,
                            "more answers wait for clients to take them than this node may hold; "
                            "try again a little later");
    }
    return e == OK;
}

static void respond_record(struct exchange *x, const struct store_record *record)
{
    char etag_text[ETAG_SIZE_MAX];
    struct slice etag = {(const uint8_t *)etag_text,
                         api_etag_write(etag_text, record->mod_revision)};
    struct slice if_match = http_header(x->request, "if-match");
    struct slice if_none_match = http_header(x->request, "if-none-match");
    if (if_match.data != NULL && !api_etag_list_has(if_match, etag, ETAG_STRONG)) {
        add_etag(x, record->mod_revision);
        api_exchange_refuse(x, ERR_PRECONDITION_FAILED,
                            "the key is at another revision than If-Match asks for");
        return;
    }
    bool is_unchanged =
        if_none_match.data != NULL && api_etag_list_has(if_none_match, etag, ETAG_WEAK);
    bool has_content = !is_unchanged && x->method != HTTP_METHOD_HEAD;
    if (has_content && !is_reply_admitted(x, record->value.size)) {
        return;
    }
    const struct record_fields fields = {record->create_revision, record->mod_revision,
                                         record->version, record->modified_ms};
    add_record_fields(x, &fields);
    add_common_fields(x);
    if (is_unchanged) {
        api_exchange_respond(x, 304, NULL, SLICE_EMPTY);
        return;
    }
    api_exchange_field(x, "Content-Type", content_type_to_send(record));
    api_exchange_respond(x, 200, record->owner, record->value);
}

static void read_done(struct node_read *read, err e, struct store_record *record)
{
    struct exchange *x = CONTAINER_OF(read, struct exchange, op.read);
    const struct timing_row rows[] = {{"index", read->index_us}};
    api_timing_add(x, rows, ARRAY_COUNT(rows));
    if (e == OK || e == ERR_NOT_FOUND) {
        api_exchange_field_text(x, "KV-Consistency",
                                x->params.consistency == READ_STALE ? "stale" : "linearizable");
    }
    if (e != OK) {
        api_exchange_refuse(x, e, explain_read(x, e));
        return;
    }
    struct buf *owner = record->owner;
    respond_record(x, record);
    buf_unref(owner);
}

static void begin_read(struct exchange *x)
{
    const struct api_options *options = &x->api->options;
    x->op.read.key = x->key;
    x->op.read.consistency = x->params.consistency;
    x->op.read.deadline_ms = env_now_ms(options->env) + x->params.timeout_ms;
    x->op.read.received_ns = http_started_ns(x->request);
    x->op.read.done = read_done;
    node_read(x->api->node, &x->op.read);
}

void api_kv_answer(struct exchange *x)
{
    ASSERT(x->key.size > 0);
    if (api_method_is_unsafe(x->method)) {
        begin_write(x);
    } else {
        begin_read(x);
    }
}
