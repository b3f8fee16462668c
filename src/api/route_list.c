/*
 * /kv: the keys in order, their number, and what is deleted by a prefix. What is asked, who answers
 * it, and pages: one piece, made in one turn, with a cursor to where the next one begins.
 */
#include <inttypes.h>
#include <string.h>

#include "api/etag.h"
#include "api/kv_intent.h"
#include "api/kv_past.h"
#include "api/list_cursor.h"
#include "api/list_format.h"
#include "api/list_int.h"
#include "api/units.h"
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "proto/text.h"

#define PAGE_BYTES (4u << 20) /* then it ends, after one item at least */
#define PAGE_KEYS 32768u      /* looked at; then it ends, be it empty */

_Static_assert(PAGE_KEYS > LIST_LIMIT_MAX, "a page without a pattern has as many keys as it may");

/* ---- before the body ---- */

err api_list_prepare(struct exchange *x, struct problem *problem)
{
    bool is_delete = x->method == HTTP_METHOD_DELETE;
    struct list_params *params = http_alloc(x->request, sizeof(*params));
    *params = (struct list_params){.wants_values = true,
                                   .consistency = READ_LINEARIZABLE,
                                   .timeout_ms = x->api->options.request_timeout_ms};
    struct slice query = http_query(x->request);
    uint8_t *memory = query.size > 0 ? http_alloc(x->request, query.size) : NULL;
    err e = api_list_params_parse(query, memory, is_delete, params, problem);
    if (e != OK) {
        return e;
    }
    if (is_delete) {
        e = api_kv_intent_refuse(x->request, 0, ERR_NOT_IMPLEMENTED,
                                 "a DELETE of many keys does not look at it, and ignoring it would "
                                 "change what this request means",
                                 problem);
    }
    if (e != OK) {
        return e;
    }
    if (!params->has_format) {
        params->format = api_list_format_of(http_header(x->request, "accept"));
    }
    x->op.list = params;
    return OK;
}

/* ---- the object ---- */

static void own_text(struct key_list *list, struct slice *text, size_t *used)
{
    if (text->size > 0) {
        memcpy(list->texts + *used, text->data, text->size);
        text->data = list->texts + *used;
        *used += text->size;
    }
}

/* The texts outlive the request where the answer is a stream. */
static void own_texts(struct key_list *list)
{
    struct list_params *params = &list->params;
    struct slice *texts[] = {&params->prefix, &params->start,     &params->end,   &params->after,
                             &params->before, &params->delimiter, &params->match, &params->cursor};
    size_t size = 0;
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        size += texts[i]->size;
    }
    list->texts = size > 0 ? mem_alloc(size) : NULL;
    size = 0;
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        own_text(list, texts[i], &size);
    }
}

void api_list_free(struct key_list *list)
{
    list_remove(&list->link);
    writer_deinit(&list->out);
    mem_free(list->texts);
    mem_free(list);
}

err api_list_open_scan(struct key_list *list, struct node_scan *out_scan)
{
    struct node_scan_options options = api_list_walk_options(&list->walk, list->revision);
    return node_scan_open(list->node, &options, out_scan);
}

err api_list_put(struct key_list *list, struct node_scan *scan, const struct list_item *item)
{
    struct store_record record;
    struct writer *out = &list->out;
    if (list->is_export) {
        err e = node_scan_record(scan, true, &record);
        if (e == OK) {
            api_export_put_record(&list->sums, item->key, &record, out);
        }
        return e;
    }
    if (list->params.format == LIST_TEXT) {
        api_list_put_line(out, item->key);
        return OK;
    }
    if (item->is_prefix) {
        api_list_put_prefix(out, item->key);
    } else {
        err e = node_scan_record(scan, list->params.wants_values, &record);
        if (e != OK) {
            return e;
        }
        api_list_put_key(out, item->key, &record, list->params.wants_values);
    }
    if (list->params.format == LIST_NDJSON) {
        writer_u8(out, '\n');
    }
    return OK;
}

/* ---- answers ---- */

static void put_parameter(struct writer *out, const char *name, struct slice value)
{
    if (value.size > 0) {
        writer_format(out, "%s=", name);
        text_escape(value, out);
        writer_u8(out, '&');
    }
}

/* The list's path and what it was asked with, but for the cursor; ends in '?' or '&'. */
static void put_path(const struct key_list *list, struct writer *out)
{
    static const char *const formats[] = {
        [LIST_JSON] = "json", [LIST_NDJSON] = "ndjson", [LIST_TEXT] = "text"};
    const struct list_params *params = &list->params;
    writer_format(out, "/kv?");
    put_parameter(out, "prefix", params->prefix);
    put_parameter(out, "start", params->start);
    put_parameter(out, "end", params->end);
    put_parameter(out, "after", params->after);
    put_parameter(out, "before", params->before);
    put_parameter(out, "delimiter", params->delimiter);
    put_parameter(out, "match", params->match);
    api_list_filter_write(&params->filter, out);
    writer_format(out, "%s%s", params->is_reverse ? "reverse=1&" : "",
                  params->wants_values ? "" : "values=0&");
    if (params->has_limit) {
        writer_format(out, "limit=%" PRIu64 "&", params->limit);
    }
    if (params->has_format) {
        writer_format(out, "format=%s&", formats[params->format]);
    }
    if (params->consistency == READ_STALE) {
        writer_format(out, "consistency=stale&");
    } else if (params->consistency == READ_BOUNDED) {
        writer_format(out, "max-staleness=%" PRIu64 "ms&", params->staleness_ms_max);
    }
}

static const char *explain_revision(const struct key_list *list, err e)
{
    bool is_resumed = e == ERR_GONE && list->params.cursor.size > 0;
    return is_resumed ? "the revision at which this list was begun is not kept any more: restart "
                        "the list, without the cursor"
                      : api_kv_explain_past(e);
}

void api_list_refuse(struct key_list *list, err e, struct slice key)
{
    struct problem problem = {.e = OK};
    struct writer restart = {0};
    err set;
    if (key.size > 0 && (e == ERR_CORRUPT || e == ERR_MENDING)) {
        char hash[TEXT_HEX64_SIZE + 1] = "";
        api_text_hex64(hash, hash64(key, 0));
        set = api_problem_set(&problem, e, "in the list, the key with the hash %s: %s", hash,
                              api_kv_explain_read(list->x, e));
    } else if (e == ERR_GONE || e == ERR_BAD_REQUEST) {
        if (e == ERR_GONE) {
            problem.oldest = node_scan_oldest(list->node);
            put_path(list, &restart);
            restart.size--; /* the last '&', or '?' */
            problem.restart = writer_slice(&restart);
        }
        set = api_problem_set(&problem, e, "%s", explain_revision(list, e));
    } else {
        set = api_problem_set(&problem, e, "%s", api_kv_explain_read(list->x, e));
    }
    ASSERT(set == e);
    api_exchange_respond_problem(list->x, &problem);
    writer_deinit(&restart);
    api_list_free(list);
}

void api_list_add_fields(struct key_list *list, const char *content_type)
{
    struct exchange *x = list->x;
    x->has_revision = true;
    x->revision = list->revision;
    if (x->method != HTTP_METHOD_DELETE) {
        char *etag = api_exchange_text(x, ETAG_SIZE_MAX + 2);
        etag[0] = 'W'; /* of what is listed, not of these bytes */
        etag[1] = '/';
        size_t size = 2 + api_etag_write(etag + 2, list->revision);
        api_exchange_field(x, "ETag", (struct slice){(const uint8_t *)etag, size});
    }
    x->given = list->read.consistency == READ_STALE ? STANDING_STALE : STANDING_LINEARIZABLE;
    api_kv_add_common_fields(x);
    if (content_type != NULL) {
        api_exchange_field_text(x, "Content-Type", content_type);
    }
}

/* The revision in a tag of ours, weak or not; UINT64_MAX: it is none. */
static uint64_t revision_of(struct slice tag)
{
    uint64_t revision;
    if (tag.size > 2 && tag.data[0] == 'W' && tag.data[1] == '/') {
        tag = (struct slice){tag.data + 2, tag.size - 2};
    }
    bool is_quoted = tag.size > 2 && tag.data[0] == '"' && tag.data[tag.size - 1] == '"';
    struct slice digits = {tag.data + 1, tag.size - 2};
    return is_quoted && api_units_parse_u64(digits, &revision) == OK ? revision : UINT64_MAX;
}

/*
 * Whether the client has this list, as of a revision since which none of its keys was changed: then
 * that is the list's revision.
 */
static bool is_known(struct key_list *list)
{
    struct slice tags = http_header(list->x->request, "if-none-match");
    bool is_present = list->revision == node_revision(list->node);
    if (list->x->method == HTTP_METHOD_DELETE) {
        return false;
    }
    while (tags.size > 0) {
        uint64_t known = revision_of(api_text_trim(api_text_split(&tags, ',')));
        struct store_range range = api_list_walk_options(&list->walk, 0).range;
        if (known == list->revision ||
            (is_present && known < list->revision && node_scan_is_same(list->node, range, known))) {
            list->revision = known;
            return true;
        }
    }
    return false;
}

/* ---- pages ---- */

/* Where the next page is: the same list, with another cursor. */
static void put_next(const struct key_list *list, struct writer *out)
{
    const struct list_params *params = &list->params;
    struct node_status status;
    node_status(list->node, &status);
    put_path(list, out);
    writer_format(out, "cursor=");
    const struct list_cursor cursor = {
        .is_reverse = params->is_reverse,
        .revision = list->revision,
        .list_hash = api_list_walk_hash(params),
        .place = api_list_walk_place(&list->walk),
    };
    api_list_cursor_write(&cursor, status.cluster_id, out);
}

struct page {
    struct writer prefixes;        /* JSON: texts, with commas */
    struct writer prefixes_base64; /* likewise */
    bool has_more;
    struct slice damaged; /* the key of the record that could not be read */
};

static void put_comma(struct writer *out, size_t begin)
{
    if (out->size > begin) {
        writer_u8(out, ',');
    }
}

static err put_item(struct key_list *list, struct page *page, struct node_scan *scan,
                    const struct list_item *item, size_t begin)
{
    if (list->params.format != LIST_JSON) {
        return api_list_put(list, scan, item);
    }
    if (!item->is_prefix) {
        put_comma(&list->out, begin);
        return api_list_put(list, scan, item);
    }
    bool is_text = api_text_is_utf8(item->key);
    struct writer *out = is_text ? &page->prefixes : &page->prefixes_base64;
    put_comma(out, 0);
    if (is_text) {
        api_text_json(out, item->key);
    } else {
        writer_u8(out, '"');
        api_text_base64(out, item->key);
        writer_u8(out, '"');
    }
    return OK;
}

/* Whether the page ends before the item, which the scan stands at. */
static bool is_full(const struct key_list *list, const struct page *page, struct node_scan *scan,
                    const struct list_item *item)
{
    struct store_record record;
    uint64_t size = list->out.size + page->prefixes.size + page->prefixes_base64.size;
    if (list->count == 0) {
        return list->params.limit == 0;
    }
    if (list->count == list->params.limit || size >= PAGE_BYTES) {
        return true;
    }
    return !item->is_prefix && list->params.wants_values && list->params.format != LIST_TEXT &&
           node_scan_record(scan, false, &record) == OK && record.value.size > PAGE_BYTES - size;
}

static err fill_page(struct key_list *list, struct page *page)
{
    struct node_scan scan;
    struct list_item item;
    uint64_t budget = PAGE_KEYS;
    size_t begin = list->out.size;
    err e = api_list_open_scan(list, &scan);
    if (e != OK) {
        return e;
    }
    while ((e = api_list_walk_next(&list->walk, &scan, &budget, &item)) == OK) {
        if (is_full(list, page, &scan, &item)) {
            api_list_walk_back(&list->walk, &item);
            page->has_more = true;
            break;
        }
        e = put_item(list, page, &scan, &item, begin);
        if (e != OK) {
            break;
        }
        list->count++;
    }
    page->has_more = page->has_more || e == ERR_OVERLOADED;
    page->damaged = scan.key; /* if that is what `e` says */
    node_scan_close(&scan);
    return e == ERR_NOT_FOUND || e == ERR_OVERLOADED ? OK : e;
}

static void put_array(struct writer *out, const char *name, const struct writer *items)
{
    writer_format(out, ",\"%s\":[", name);
    writer_bytes(out, writer_slice(items));
    writer_u8(out, ']');
}

static void end_document(struct key_list *list, const struct page *page, struct slice next)
{
    writer_u8(&list->out, ']');
    if (list->params.delimiter.size > 0) {
        put_array(&list->out, "prefixes", &page->prefixes);
    }
    if (page->prefixes_base64.size > 0) {
        put_array(&list->out, "prefixes_base64", &page->prefixes_base64);
    }
    if (next.size > 0) {
        writer_format(&list->out, ",\"next\":");
        api_text_json(&list->out, next);
    }
    writer_bytes(&list->out, SLICE_LITERAL("}\n"));
}

static void respond_page(struct key_list *list, const struct page *page)
{
    static const char *const types[] = {[LIST_JSON] = "application/json",
                                        [LIST_NDJSON] = "application/x-ndjson",
                                        [LIST_TEXT] = "text/plain"};
    struct exchange *x = list->x;
    struct writer link = {0};
    struct slice next = SLICE_EMPTY;
    if (page->has_more && list->params.limit > 0) {
        writer_u8(&link, '<');
        put_next(list, &link);
        next = (struct slice){link.data + 1, link.size - 1};
    }
    if (list->params.format == LIST_JSON) {
        end_document(list, page, next);
    }
    if (next.size > 0) {
        writer_format(&link, ">; rel=\"next\"");
        api_exchange_field(x, "Link", writer_slice(&link));
    }
    if (api_kv_is_reply_admitted(x, list->out.size)) {
        struct buf *body = writer_to_buf(&list->out);
        api_list_add_fields(list, types[list->params.format]);
        api_exchange_respond(x, 200, body, buf_slice(body));
        buf_unref(body);
    }
    writer_deinit(&link);
    api_list_free(list);
}

static void answer_page(struct key_list *list)
{
    struct page page = {.has_more = false};
    struct list_params *params = &list->params;
    uint64_t limit = params->has_limit ? params->limit : LIST_LIMIT_DEFAULT;
    params->limit = limit < LIST_LIMIT_MAX ? limit : LIST_LIMIT_MAX;
    if (params->format == LIST_JSON) {
        writer_format(&list->out, "{\"revision\":%" PRIu64 ",\"keys\":[", list->revision);
    }
    err e = fill_page(list, &page);
    if (e == OK) {
        respond_page(list, &page);
    } else {
        api_list_refuse(list, e, page.damaged);
    }
    writer_deinit(&page.prefixes);
    writer_deinit(&page.prefixes_base64);
}

/* ---- the read ---- */

static bool is_stream(const struct key_list *list)
{
    const struct list_params *params = &list->params;
    return params->format != LIST_JSON && (!params->has_limit || params->limit > LIST_LIMIT_MAX);
}

/* As it is now: state and revision belong together. */
static void take_present(struct key_list *list)
{
    struct node_status status;
    list->revision = node_revision(list->node);
    if (list->is_export) {
        node_status(list->node, &status);
        list->state_hash = status.state != NULL ? status.state->state_hash : (struct hash128){0, 0};
    }
}

void api_list_restart(struct key_list *list)
{
    api_list_walk_init(&list->walk, &list->params);
    take_present(list);
}

/* The state may be read: is there the revision that is wanted? */
static void read_state(struct key_list *list)
{
    struct node_scan scan;
    if (list->revision == 0) {
        take_present(list);
    }
    err e = api_list_open_scan(list, &scan);
    if (e != OK) {
        api_list_refuse(list, e, SLICE_EMPTY);
        return;
    }
    node_scan_close(&scan);
    if (is_known(list)) {
        api_list_add_fields(list, NULL);
        api_exchange_respond(list->x, 304, NULL, SLICE_EMPTY);
        api_list_free(list);
    } else {
        list->ready(list);
    }
}

static void read_done(struct node_read *read, err e, struct store_record *record)
{
    struct key_list *list = CONTAINER_OF(read, struct key_list, read);
    ASSERT(record == NULL);
    if (e == OK) {
        read_state(list);
    } else {
        api_list_refuse(list, e, SLICE_EMPTY);
    }
}

/* Takes place and revision out of the cursor, if there is one. */
static err take_cursor(struct key_list *list)
{
    const struct list_params *params = &list->params;
    struct writer scratch = {0};
    struct list_cursor cursor;
    struct node_status status;
    if (params->cursor.size == 0) {
        return OK;
    }
    node_status(list->node, &status);
    err e = api_list_cursor_read(params->cursor, status.cluster_id, &scratch, &cursor);
    if (e == OK && (cursor.is_reverse != params->is_reverse ||
                    cursor.list_hash != api_list_walk_hash(params))) {
        e = ERR_BAD_REQUEST;
    }
    if (e == OK) {
        list->revision = cursor.revision;
        api_list_walk_resume(&list->walk, cursor.place);
    }
    writer_deinit(&scratch);
    return e;
}

err api_list_new(struct exchange *x, const struct list_params *params, struct key_list **out_list)
{
    struct key_list *list = mem_calloc(1, sizeof(*list));
    list_init(&list->link);
    list->x = x;
    list->api = x->api;
    list->node = x->api->node;
    list->params = *params;
    own_texts(list);
    api_list_walk_init(&list->walk, &list->params);
    list->revision = list->params.at;
    err e = take_cursor(list);
    if (e != OK) {
        api_list_free(list);
        return e;
    }
    *out_list = list;
    return OK;
}

void api_list_read(struct key_list *list, void (*ready)(struct key_list *list))
{
    struct exchange *x = list->x;
    list->ready = ready;
    list->read = (struct node_read){
        .key = api_list_walk_options(&list->walk, 0).range.begin,
        .is_scan = true,
        .consistency = list->params.consistency,
        .staleness_ms_max = list->params.staleness_ms_max,
        .revision_min = list->params.revision_min,
        .deadline_ms = env_now_ms(x->api->options.env) + list->params.timeout_ms,
        .received_ns = http_started_ns(x->request),
        .done = read_done,
    };
    if (list->params.cursor.size > 0 && list->read.revision_min < list->revision) {
        list->read.revision_min = list->revision; /* it is another node's, which was ahead */
    }
    node_read(list->node, &list->read);
}

static void answer(struct key_list *list)
{
    if (list->params.is_count || list->params.is_dry_run || list->x->method == HTTP_METHOD_HEAD) {
        api_list_count(list, api_list_respond_count);
    } else if (is_stream(list)) {
        api_list_stream(list);
    } else {
        answer_page(list);
    }
}

void api_list_answer(struct exchange *x)
{
    struct key_list *list = NULL;
    if (x->method == HTTP_METHOD_DELETE && !x->op.list->is_dry_run) {
        api_list_delete(x);
        return;
    }
    if (api_list_new(x, x->op.list, &list) == OK) {
        api_list_read(list, answer);
        return;
    }
    api_exchange_refuse(x, ERR_BAD_REQUEST,
                        "the cursor is none of this list: take \"next\" of the page before as it "
                        "is, or restart the list without a cursor");
}
