/* Reads of one key: from the node's record to the answer. */
#include "api/etag.h"
#include "api/kv_int.h"
#include "api/timing.h"
#include "base/assert.h"

const char *api_kv_explain_read(const struct exchange *x, err e)
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
        return api_kv_explain_divergence;
    case ERR_OVERLOADED:
        return "more reads wait than may (--max-pending-requests), or than this node can answer in "
               "time; try again a little later, with fewer at a time";
    default:
        return "the read failed inside the server; its log says more under this request's time";
    }
}

/* The Content-Type as stored, unless it is none that a header field could carry. */
static struct slice content_type_to_send(const struct store_record *record)
{
    bool is_fit = record->content_type.size > 0 && api_kv_is_field_text(record->content_type);
    return is_fit ? record->content_type : SLICE_LITERAL("application/octet-stream");
}

bool api_kv_is_reply_admitted(struct exchange *x, uint64_t size)
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
        api_kv_add_etag(x, record->mod_revision);
        api_exchange_refuse(x, ERR_PRECONDITION_FAILED,
                            "the key is at another revision than If-Match asks for");
        return;
    }
    bool is_unchanged =
        if_none_match.data != NULL && api_etag_list_has(if_none_match, etag, ETAG_WEAK);
    bool has_content = !is_unchanged && x->method != HTTP_METHOD_HEAD;
    if (has_content && !api_kv_is_reply_admitted(x, record->value.size)) {
        return;
    }
    const struct kv_record_fields fields = {record->create_revision, record->mod_revision,
                                            record->version, record->modified_ms};
    api_kv_add_record_fields(x, &fields);
    api_kv_add_common_fields(x);
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
        api_exchange_refuse(x, e, api_kv_explain_read(x, e));
        return;
    }
    struct buf *owner = record->owner;
    respond_record(x, record);
    buf_unref(owner);
}

void api_kv_read(struct exchange *x)
{
    const struct api_options *options = &x->api->options;
    x->op.read.key = x->key;
    x->op.read.consistency = x->params.consistency;
    x->op.read.deadline_ms = env_now_ms(options->env) + x->params.timeout_ms;
    x->op.read.received_ns = http_started_ns(x->request);
    x->op.read.done = read_done;
    node_read(x->api->node, &x->op.read);
}
