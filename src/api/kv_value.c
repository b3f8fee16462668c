/*
 * A record as the answer to a read: preconditions, then the form that was asked for (RFC 9110,
 * section 13.2.2): a part, compressed, with its digest, what is known of it, or as it is stored.
 * The last is what nearly every read asks for; it looks at nothing else.
 */
#include <string.h>

#include "api/digest.h"
#include "api/document.h"
#include "api/encoding.h"
#include "api/etag.h"
#include "api/kv_int.h"
#include "api/precondition.h"
#include "api/range.h"
#include "api/ttl.h"
#include "base/assert.h"
#include "http/http_date.h"

/* Of what a read may ask of any value; the names alone are looked at first. */
#define NAMES (PRECONDITION_NAMES | HTTP_NAME_BIT("Range") | HTTP_NAME_BIT("Want-Repr-Digest"))

/* The Content-Type as stored, unless it is none that a header field could carry. */
static struct slice content_type_to_send(const struct store_record *record)
{
    bool is_fit = record->content_type.size > 0 && api_kv_is_field_text(record->content_type);
    return is_fit ? record->content_type : SLICE_LITERAL("application/octet-stream");
}

/* A client that takes no answers must not fill the memory with them. */
bool api_kv_is_reply_admitted(struct exchange *x, uint64_t size)
{
    if (x->method == HTTP_METHOD_HEAD) {
        return true;
    }
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

static void add_fields(struct exchange *x, const struct store_record *record, bool is_coded)
{
    struct kv_record_fields fields = api_kv_fields_of(x, record);
    fields.is_coded = is_coded;
    api_kv_add_record_fields(x, &fields);
    api_kv_add_common_fields(x);
}

static void respond_stored(struct exchange *x, const struct store_record *record)
{
    if (api_kv_is_reply_admitted(x, record->value.size)) {
        add_fields(x, record, false);
        api_exchange_field(x, "Content-Type", content_type_to_send(record));
        api_exchange_respond(x, 200, record->owner, record->value);
    }
}

/* ---- a part ---- */

static void add_content_range(struct exchange *x, const struct range *range, uint64_t size)
{
    char *text = http_alloc(x->request, RANGE_CONTENT_SIZE_MAX);
    size_t text_size = api_range_write(text, range, size);
    api_exchange_field(x, "Content-Range", (struct slice){(const uint8_t *)text, text_size});
}

/* What the request asks of the stored form. Ranges are GET's alone (RFC 9110, section 14.2). */
static enum range_verdict range_of(const struct exchange *x, const struct validators *validators,
                                   uint64_t size, struct range *out_range)
{
    struct slice text = http_header(x->request, "range");
    if (text.data == NULL || x->method == HTTP_METHOD_HEAD ||
        !api_precondition_range(x->request, validators)) {
        return RANGE_IGNORED;
    }
    return api_range_parse(text, size, out_range);
}

static void respond_range(struct exchange *x, const struct store_record *record,
                          const struct range *range)
{
    if (api_kv_is_reply_admitted(x, range->size)) {
        add_fields(x, record, false);
        add_content_range(x, range, record->value.size);
        api_exchange_field(x, "Content-Type", content_type_to_send(record));
        api_exchange_respond(x, 206, record->owner,
                             (struct slice){record->value.data + range->first, range->size});
    }
}

static void refuse_range(struct exchange *x, const struct store_record *record)
{
    struct problem problem = {.e = OK};
    add_content_range(x, NULL, record->value.size);
    err e = api_problem_set(&problem, ERR_RANGE,
                            "the value has %zu bytes and ends before this range begins",
                            record->value.size);
    ASSERT(e == ERR_RANGE);
    api_exchange_respond_problem(x, &problem);
}

/* ---- compressed ---- */

/* Whether the answer is compressed: what is sent does not depend on how well that works out. */
static bool is_to_be_coded(const struct exchange *x, const struct store_record *record)
{
    size_t size = record->value.size;
    struct slice accept = http_header(x->request, "accept-encoding");
    if (accept.data == NULL || size > ENCODING_GZIP_BYTES_MAX) {
        return false;
    }
    enum encoding_choice choice = api_encoding_choose(accept);
    return choice == ENCODING_CHOICE_FORCED ||
           (choice == ENCODING_CHOICE_GZIP && size >= ENCODING_GZIP_BYTES_MIN &&
            api_encoding_is_compressible(record->content_type));
}

static void respond_coded(struct exchange *x, const struct store_record *record)
{
    if (!api_kv_is_reply_admitted(x, record->value.size)) {
        return;
    }
    add_fields(x, record, true);
    api_exchange_field(x, "Content-Encoding", SLICE_LITERAL("gzip"));
    api_exchange_field(x, "Content-Type", content_type_to_send(record));
    if (x->method == HTTP_METHOD_HEAD) {
        api_exchange_respond_stream_head(x); /* its length would have to be worked out */
        return;
    }
    struct buf *coded = api_encoding_gzip(record->value);
    api_exchange_respond(x, 200, coded, buf_slice(coded));
    buf_unref(coded);
}

/* ---- what is known of it ---- */

static void add_key(struct json_object *document, struct slice key)
{
    bool is_text = api_text_is_utf8(key);
    struct writer text = {0};
    if (is_text) {
        writer_bytes(&text, key);
    } else {
        api_text_base64(&text, key);
    }
    struct json_object *value = json_object_new_string_len((const char *)text.data, (int)text.size);
    api_document_add(document, is_text ? "key" : "key_base64", value);
    writer_deinit(&text);
}

/* Seconds, and a lease as its path has it. */
static void add_time(struct json_object *document, const struct kv_record_fields *fields)
{
    if (fields->ttl_ms != 0) {
        char text[TTL_TEXT_SIZE + 1];
        text[api_ttl_write(text, fields->ttl_ms)] = '\0';
        double seconds = (double)fields->ttl_ms / 1000;
        api_document_add(document, "ttl", json_object_new_double_s(seconds, text));
    } else {
        api_document_add_null(document, "ttl");
    }
    if (fields->lease != 0) {
        api_document_add_id(document, "lease", fields->lease);
    } else {
        api_document_add_null(document, "lease");
    }
}

static void respond_meta(struct exchange *x, const struct store_record *record)
{
    struct kv_record_fields fields = api_kv_fields_of(x, record);
    struct json_object *document = json_object_new_object();
    char etag[ETAG_SIZE_MAX];
    char modified[HTTP_DATE_SIZE + 1];
    size_t etag_size = api_etag_write(etag, record->mod_revision);
    http_date_format(record->modified_ms, modified);
    add_key(document, x->key);
    api_document_add(document, "etag", json_object_new_string_len(etag + 1, (int)etag_size - 2));
    api_document_add_u64(document, "create_revision", record->create_revision);
    api_document_add_u64(document, "mod_revision", record->mod_revision);
    api_document_add_u64(document, "version", record->version);
    api_document_add_u64(document, "size", record->value.size);
    struct slice type = content_type_to_send(record);
    api_document_add(document, "content_type",
                     json_object_new_string_len((const char *)type.data, (int)type.size));
    api_document_add_text(document, "modified", modified);
    api_document_add_u64(document, "modified_ms", record->modified_ms);
    add_time(document, &fields);
    api_exchange_add_lines(x, api_standing_lines(x->api, x->given, false));
    api_exchange_respond_json(x, 200, document, false);
}

/* ---- which of them ---- */

static void refuse_condition(struct exchange *x, const struct store_record *record)
{
    struct problem problem = {.e = OK, .etag = record->mod_revision};
    err e = api_problem_set(&problem, ERR_PRECONDITION_FAILED,
                            "the key is at another revision than If-Match asks for, or was changed "
                            "after If-Unmodified-Since");
    ASSERT(e == ERR_PRECONDITION_FAILED);
    api_exchange_respond_problem(x, &problem);
}

static void respond_unchanged(struct exchange *x, const struct store_record *record)
{
    add_fields(x, record, is_to_be_coded(x, record));
    api_exchange_respond(x, 304, NULL, SLICE_EMPTY);
}

/* Repr-Digest of the stored form, if it is wanted; true if it is: then that form is sent. */
static bool add_digest(struct exchange *x, const struct store_record *record)
{
    struct slice want = http_header(x->request, "want-repr-digest");
    if (want.data == NULL) {
        return false;
    }
    char *text = http_alloc(x->request, DIGEST_FIELD_SIZE_MAX);
    size_t size = api_digest_write(want, record->value, text);
    if (size > 0) {
        api_exchange_field(x, "Repr-Digest", (struct slice){(const uint8_t *)text, size});
    }
    return size > 0;
}

static struct validators validators_of(const struct store_record *record, char etag[ETAG_SIZE_MAX])
{
    return (struct validators){
        .etag = {(const uint8_t *)etag, api_etag_write(etag, record->mod_revision)},
        .modified_ms = record->modified_ms,
        .version = record->version,
    };
}

bool api_kv_is_unchanged(const struct exchange *x, const struct store_record *record)
{
    char etag[ETAG_SIZE_MAX];
    const struct validators validators = validators_of(record, etag);
    return api_precondition_of_read(x->request, &validators) == PRECONDITION_UNCHANGED;
}

static void respond_as_asked(struct exchange *x, const struct store_record *record)
{
    char etag[ETAG_SIZE_MAX];
    const struct validators validators = validators_of(record, etag);
    switch (api_precondition_of_read(x->request, &validators)) {
    case PRECONDITION_FAILED:
        refuse_condition(x, record);
        return;
    case PRECONDITION_UNCHANGED:
        respond_unchanged(x, record);
        return;
    case PRECONDITION_HOLDS:
        break;
    }
    struct range range;
    enum range_verdict verdict = range_of(x, &validators, record->value.size, &range);
    if (verdict == RANGE_UNSATISFIABLE) {
        refuse_range(x, record);
        return;
    }
    bool has_digest = add_digest(x, record);
    if (verdict == RANGE_PART) {
        respond_range(x, record, &range);
    } else if (!has_digest && is_to_be_coded(x, record)) {
        respond_coded(x, record);
    } else {
        respond_stored(x, record);
    }
}

void api_kv_respond_record(struct exchange *x, const struct store_record *record)
{
    if (UNLIKELY(x->params.is_meta)) {
        respond_meta(x, record);
    } else if (http_may_have(x->request, NAMES | HTTP_NAME_BIT("Accept-Encoding"))) {
        respond_as_asked(x, record);
    } else {
        respond_stored(x, record);
    }
}
