#include "http/http_parser.h"

#include <llhttp.h>
#include <string.h>

#include "base/assert.h"
#include "http/http_guard.h"

#define HEAD_SIZE_MIN 256u
#define METHOD_ROOM 64u /* what a request line may have beside its target */
#define LENGTH_DIGITS_MAX 19u

void http_parser_init(struct http_parser *parser, const struct http_parser_limits *limits)
{
    ASSERT(limits->head_size_max >= HEAD_SIZE_MIN);
    ASSERT(limits->head_size_max <= UINT32_MAX);
    *parser = (struct http_parser){.limits = limits};
}

/* P4. Does not move the input: what follows is nobody's. */
static enum http_event refuse(struct http_parser *parser, err e, const char *detail)
{
    ASSERT(e != OK);
    parser->state = HTTP_PARSER_REFUSED;
    parser->refusal = e;
    parser->detail = detail;
    return HTTP_EVENT_REFUSED;
}

static void advance(struct slice *input, size_t size)
{
    ASSERT(size <= input->size);
    if (size > 0) {
        input->data += size;
        input->size -= size;
    }
}

static bool equals_nocase(struct slice bytes, const char *text)
{
    return bytes.size == strlen(text) && slice_equal_nocase(bytes, slice_from_text(text));
}

/* ---- a whole head: llhttp splits it, then what it does not care about is checked ---- */

/* What llhttp's callbacks fill. */
struct splitting {
    struct http_head *head;
    const uint8_t *base;
    struct http_span target;
    uint32_t field_count; /* also those that head->fields has no room for */
};

static struct http_span span_at(const struct splitting *splitting, const char *at, size_t size)
{
    return (struct http_span){(uint32_t)((const uint8_t *)at - splitting->base), (uint32_t)size};
}

static int on_url(llhttp_t *llhttp, const char *at, size_t size)
{
    struct splitting *splitting = llhttp->data;
    splitting->target = span_at(splitting, at, size);
    return 0;
}

static int on_field(llhttp_t *llhttp, const char *at, size_t size)
{
    struct splitting *splitting = llhttp->data;
    if (splitting->field_count < HTTP_FIELDS_MAX) {
        splitting->head->fields[splitting->field_count] =
            (struct http_head_field){.name = span_at(splitting, at, size)};
    }
    splitting->field_count++;
    return 0;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static int on_value(llhttp_t *llhttp, const char *at, size_t size)
{
    struct splitting *splitting = llhttp->data;
    ASSERT(splitting->field_count > 0);
    while (size > 0 && is_blank(at[size - 1])) {
        size--;
    }
    if (splitting->field_count <= HTTP_FIELDS_MAX) {
        splitting->head->fields[splitting->field_count - 1].value = span_at(splitting, at, size);
    }
    return 0;
}

static enum http_method method_of(uint8_t method)
{
    switch (method) {
    case HTTP_GET:
        return HTTP_METHOD_GET;
    case HTTP_HEAD:
        return HTTP_METHOD_HEAD;
    case HTTP_PUT:
        return HTTP_METHOD_PUT;
    case HTTP_POST:
        return HTTP_METHOD_POST;
    case HTTP_DELETE:
        return HTTP_METHOD_DELETE;
    case HTTP_PATCH:
        return HTTP_METHOD_PATCH;
    case HTTP_OPTIONS:
        return HTTP_METHOD_OPTIONS;
    case HTTP_LOCK:
        return HTTP_METHOD_LOCK;
    case HTTP_UNLOCK:
        return HTTP_METHOD_UNLOCK;
    default:
        return HTTP_METHOD_OTHER;
    }
}

/*
 * The last moment at which llhttp's flags are whole: it clears them when the message is complete.
 */
static int on_headers_complete(llhttp_t *llhttp)
{
    struct splitting *splitting = llhttp->data;
    struct http_head *head = splitting->head;
    head->method = method_of(llhttp->method);
    head->is_http_1_0 = llhttp->http_minor == 0;
    head->keep_alive = llhttp_should_keep_alive(llhttp) != 0;
    head->content_length =
        (llhttp->flags & F_CHUNKED) != 0 ? HTTP_LENGTH_CHUNKED : llhttp->content_length;
    /* We offer no upgrade, so that an Upgrade field changes nothing about the framing. */
    llhttp->upgrade = 0;
    return 0;
}

static const llhttp_settings_t split_settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
};

static struct slice span_slice(struct slice bytes, struct http_span span)
{
    ASSERT(span.offset <= bytes.size);
    ASSERT(span.size <= bytes.size - span.offset);
    return (struct slice){bytes.data + span.offset, span.size};
}

/* Where the path of an absolute target begins, or 0 if it is none. */
static size_t authority_end(struct slice target)
{
    size_t begin = 0;
    if (target.size > 7 && equals_nocase((struct slice){target.data, 7}, "http://")) {
        begin = 7;
    } else if (target.size > 8 && equals_nocase((struct slice){target.data, 8}, "https://")) {
        begin = 8;
    }
    size_t end = begin;
    while (begin > 0 && end < target.size && target.data[end] != '/' && target.data[end] != '?') {
        end++;
    }
    return end > begin ? end : 0;
}

/* Origin-form, absolute-form (whose authority means nothing to us) and "OPTIONS *". */
static bool split_target(struct http_head *head, struct http_span span, struct slice bytes)
{
    struct slice target = span_slice(bytes, span);
    size_t begin = 0;
    bool is_asterisk =
        head->method == HTTP_METHOD_OPTIONS && target.size == 1 && target.data[0] == '*';
    if (!is_asterisk && target.data[0] != '/') {
        begin = authority_end(target);
        if (begin == 0) {
            return false;
        }
    }
    const uint8_t *mark = memchr(target.data + begin, '?', target.size - begin);
    size_t end = mark != NULL ? (size_t)(mark - target.data) : target.size;
    head->path = (struct http_span){span.offset + (uint32_t)begin, (uint32_t)(end - begin)};
    size_t query = end < target.size ? end + 1 : end;
    head->query =
        (struct http_span){span.offset + (uint32_t)query, (uint32_t)(target.size - query)};
    return true;
}

/* How often the fields that decide about a message's framing and meaning occur. */
struct tally {
    unsigned hosts;
    unsigned lengths;
    unsigned codings;
};

static bool is_length(struct slice value)
{
    if (value.size == 0 || value.size > LENGTH_DIGITS_MAX) {
        return false;
    }
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            return false;
        }
    }
    return true;
}

static err check_field(struct http_head *head, struct slice name, struct slice value,
                       struct tally *tally, const char **out_detail)
{
    err e = OK;
    if (equals_nocase(name, "host")) {
        tally->hosts++;
        e = http_guard_is_host(value) ? OK : ERR_BAD_REQUEST;
        *out_detail = "Host is malformed";
    } else if (equals_nocase(name, "content-length")) {
        tally->lengths++;
        e = is_length(value) ? OK : ERR_BAD_REQUEST;
        *out_detail = "Content-Length is malformed";
    } else if (equals_nocase(name, "transfer-encoding")) {
        tally->codings++;
        e = equals_nocase(value, "chunked") ? OK : ERR_NOT_IMPLEMENTED;
        *out_detail = "the only transfer coding spoken here is chunked";
    } else if (equals_nocase(name, "expect") && !head->is_http_1_0) {
        head->expects_continue = true;
        e = equals_nocase(value, "100-continue") ? OK : ERR_EXPECTATION_FAILED;
        *out_detail = "the only expectation met here is 100-continue";
    }
    return e;
}

/* The rules of RFC 9112 sections 3.2 and 6 that are about more than one field. */
static err check_tally(const struct http_head *head, const struct tally *tally,
                       const char **out_detail)
{
    if (tally->hosts > 1) {
        *out_detail = "Host is given twice";
    } else if (tally->hosts == 0 && !head->is_http_1_0) {
        *out_detail = "Host is missing";
    } else if (tally->lengths > 1) {
        *out_detail = "Content-Length is given twice";
    } else if (tally->codings > 1) {
        *out_detail = "Transfer-Encoding is given twice";
    } else if (tally->codings > 0 && tally->lengths > 0) {
        *out_detail = "Transfer-Encoding and Content-Length exclude each other";
    } else if (tally->codings > 0 && head->is_http_1_0) {
        *out_detail = "HTTP/1.0 has no Transfer-Encoding";
    } else if ((tally->codings > 0) != (head->content_length == HTTP_LENGTH_CHUNKED)) {
        *out_detail = "the framing is contradictory";
    } else {
        return OK;
    }
    return ERR_BAD_REQUEST;
}

static err check_fields(struct http_head *head, struct slice bytes, const char **out_detail)
{
    struct tally tally = {0};
    for (uint32_t i = 0; i < head->field_count; i++) {
        err e = check_field(head, span_slice(bytes, head->fields[i].name),
                            span_slice(bytes, head->fields[i].value), &tally, out_detail);
        if (e != OK) {
            return e;
        }
    }
    return check_tally(head, &tally, out_detail);
}

/* P2. `bytes` is a head that the guard has passed, of `line_count` lines with the empty one. */
static err split_head(struct slice bytes, uint32_t line_count, struct http_head *head,
                      const char **out_detail)
{
    struct splitting splitting = {.head = head, .base = bytes.data};
    memset(head, 0, offsetof(struct http_head, fields)); /* those fill as they come */
    head->method = HTTP_METHOD_OTHER;
    llhttp_t llhttp;
    llhttp_init(&llhttp, HTTP_REQUEST, &split_settings);
    llhttp.data = &splitting;
    llhttp_errno_t status = llhttp_execute(&llhttp, (const char *)bytes.data, bytes.size);
    if (splitting.field_count > HTTP_FIELDS_MAX) {
        *out_detail = "too many header fields";
        return ERR_HEADERS_TOO_LARGE;
    }
    if (status == HPE_INVALID_METHOD || (status == HPE_OK && llhttp.method == HTTP_CONNECT)) {
        *out_detail = "the method is not known here";
        return ERR_NOT_IMPLEMENTED;
    }
    if (status != HPE_OK) {
        const char *reason = llhttp_get_error_reason(&llhttp);
        *out_detail = reason != NULL ? reason : "the header is malformed";
        return ERR_BAD_REQUEST;
    }
    if (splitting.field_count + 2 != line_count) {
        *out_detail = "the header's lines are ambiguous";
        return ERR_BAD_REQUEST;
    }
    head->field_count = splitting.field_count;
    if (!split_target(head, splitting.target, bytes)) {
        *out_detail = "the target is neither a path nor a URL";
        return ERR_BAD_REQUEST;
    }
    return check_fields(head, bytes, out_detail);
}

/* ---- the head, line by line ---- */

/* Before a request line: at most one empty line, then a byte with which a method can begin. */
static enum http_event next_between(struct http_parser *parser, struct slice *input)
{
    if (input->size > 0 && input->data[0] == '\r' && !parser->blank_skipped) {
        if (input->size == 1) {
            return HTTP_EVENT_MORE;
        }
        if (input->data[1] == '\n') {
            parser->blank_skipped = true;
            advance(input, 2);
        }
    }
    if (input->size == 0) {
        return HTTP_EVENT_MORE;
    }
    if (input->data[0] == 0x16) {
        return refuse(parser, ERR_BAD_REQUEST, "this is TLS, but plain HTTP is spoken here");
    }
    if (!http_guard_is_token(input->data[0])) {
        return refuse(parser, ERR_BAD_REQUEST, "this does not begin like a request");
    }
    parser->state = HTTP_PARSER_HEAD;
    parser->line_count = 0;
    parser->checked = 0;
    parser->overhead = 0;
    return HTTP_EVENT_MORE;
}

/* The most that the next line of the head may have before its CR LF. */
static size_t line_size_max(const struct http_parser *parser)
{
    const struct http_parser_limits *limits = parser->limits;
    size_t room = limits->head_size_max - parser->checked;
    size_t size_max = room > 2 ? room - 2 : 0;
    if (parser->line_count == 0 && limits->target_size_max + METHOD_ROOM < size_max) {
        size_max = limits->target_size_max + METHOD_ROOM;
    }
    return size_max;
}

static enum http_event refuse_line(struct http_parser *parser, enum http_line verdict)
{
    if (verdict == HTTP_LINE_BARE_LF) {
        return refuse(parser, ERR_BAD_REQUEST, "a line ends in LF without CR");
    }
    ASSERT(verdict == HTTP_LINE_LONG);
    if (parser->state == HTTP_PARSER_HEAD && parser->line_count == 0) {
        return refuse(parser, ERR_URI_TOO_LONG, "the request line is too long");
    }
    if (parser->state == HTTP_PARSER_CHUNK_LINE) {
        return refuse(parser, ERR_BAD_REQUEST, "a chunk size line is too long");
    }
    return refuse(parser, ERR_HEADERS_TOO_LARGE, "the header fields are too large");
}

static enum http_event end_head(struct http_parser *parser, struct slice *input,
                                struct http_head *head, struct slice *out_bytes)
{
    struct slice bytes = {input->data, parser->checked};
    const char *detail = NULL;
    err e = split_head(bytes, parser->line_count, head, &detail);
    if (e != OK) {
        return refuse(parser, e, detail);
    }
    bool is_chunked = head->content_length == HTTP_LENGTH_CHUNKED;
    parser->state = is_chunked ? HTTP_PARSER_CHUNK_LINE : HTTP_PARSER_BODY;
    parser->left = is_chunked ? 0 : head->content_length;
    *out_bytes = bytes;
    advance(input, bytes.size);
    return HTTP_EVENT_HEAD;
}

static enum http_event next_head(struct http_parser *parser, struct slice *input,
                                 struct http_head *head, struct slice *out_bytes)
{
    for (;;) {
        ASSERT(parser->checked <= input->size);
        struct slice rest = {input->data + parser->checked, input->size - parser->checked};
        struct slice line;
        enum http_line verdict = http_guard_find_line(rest, line_size_max(parser), &line);
        if (verdict == HTTP_LINE_PART) {
            return HTTP_EVENT_MORE;
        }
        if (verdict != HTTP_LINE_WHOLE) {
            return refuse_line(parser, verdict);
        }
        err e = OK;
        const char *detail = NULL;
        if (parser->line_count == 0) {
            e = http_guard_request_line(line, parser->limits->target_size_max, &detail);
        } else if (line.size > 0) {
            e = http_guard_field_line(line, &detail);
        }
        if (e != OK) {
            return refuse(parser, e, detail);
        }
        parser->checked += line.size + 2;
        if (parser->checked > parser->limits->head_size_max) {
            return refuse_line(parser, HTTP_LINE_LONG);
        }
        parser->line_count++;
        if (line.size == 0) {
            return end_head(parser, input, head, out_bytes);
        }
    }
}

/* ---- bodies ---- */

static enum http_event end_message(struct http_parser *parser)
{
    parser->state = HTTP_PARSER_BETWEEN;
    parser->blank_skipped = false;
    return HTTP_EVENT_END;
}

/* As much as there is of the `left` bytes; they are not looked at. */
static enum http_event take_body(struct http_parser *parser, struct slice *input,
                                 struct slice *out_bytes)
{
    ASSERT(parser->left > 0);
    if (input->size == 0) {
        return HTTP_EVENT_MORE;
    }
    size_t size = input->size < parser->left ? input->size : (size_t)parser->left;
    *out_bytes = (struct slice){input->data, size};
    parser->left -= size;
    advance(input, size);
    return HTTP_EVENT_BODY;
}

/* MORE here means that the state has changed, too: the caller looks at that. */
static enum http_event next_chunk_line(struct http_parser *parser, struct slice *input)
{
    struct slice line;
    enum http_line verdict = http_guard_find_line(*input, HTTP_CHUNK_LINE_SIZE_MAX, &line);
    if (verdict == HTTP_LINE_PART) {
        return HTTP_EVENT_MORE;
    }
    if (verdict != HTTP_LINE_WHOLE) {
        return refuse_line(parser, verdict);
    }
    const char *detail = NULL;
    size_t extension_size = 0;
    err e = http_guard_chunk_line(line, &parser->left, &extension_size, &detail);
    if (e != OK) {
        return refuse(parser, e, detail);
    }
    parser->overhead += extension_size;
    if (parser->overhead > HTTP_CHUNK_OVERHEAD_MAX) {
        return refuse(parser, ERR_BAD_REQUEST, "the chunk extensions are too large");
    }
    advance(input, line.size + 2);
    parser->state = parser->left > 0 ? HTTP_PARSER_CHUNK_DATA : HTTP_PARSER_TRAILER;
    return HTTP_EVENT_MORE;
}

static enum http_event next_chunk_end(struct http_parser *parser, struct slice *input)
{
    if (input->size == 0 || (input->size == 1 && input->data[0] == '\r')) {
        return HTTP_EVENT_MORE;
    }
    if (input->data[0] != '\r' || input->data[1] != '\n') {
        return refuse(parser, ERR_BAD_REQUEST, "a chunk does not end where its size says");
    }
    advance(input, 2);
    parser->state = HTTP_PARSER_CHUNK_LINE;
    return HTTP_EVENT_MORE;
}

/* Trailers are checked like fields, counted and dropped. */
static enum http_event next_trailer(struct http_parser *parser, struct slice *input)
{
    ASSERT(parser->overhead <= HTTP_CHUNK_OVERHEAD_MAX);
    struct slice line;
    size_t room = HTTP_CHUNK_OVERHEAD_MAX - parser->overhead;
    enum http_line verdict = http_guard_find_line(*input, room, &line);
    if (verdict == HTTP_LINE_PART) {
        return HTTP_EVENT_MORE;
    }
    if (verdict != HTTP_LINE_WHOLE) {
        return refuse_line(parser, verdict);
    }
    if (line.size == 0) {
        advance(input, 2);
        return end_message(parser);
    }
    const char *detail = NULL;
    err e = http_guard_field_line(line, &detail);
    if (e != OK) {
        return refuse(parser, e, detail);
    }
    parser->overhead += line.size;
    advance(input, line.size + 2);
    return HTTP_EVENT_MORE;
}

static enum http_event next_chunk_data(struct http_parser *parser, struct slice *input,
                                       struct slice *out_bytes)
{
    enum http_event event = take_body(parser, input, out_bytes);
    if (parser->left == 0) {
        parser->state = HTTP_PARSER_CHUNK_END;
    }
    return event;
}

/* One step; MORE with another state than before means: step again. */
static enum http_event step(struct http_parser *parser, struct slice *input, struct http_head *head,
                            struct slice *out_bytes)
{
    switch (parser->state) {
    case HTTP_PARSER_BETWEEN:
        return next_between(parser, input);
    case HTTP_PARSER_HEAD:
        return next_head(parser, input, head, out_bytes);
    case HTTP_PARSER_BODY:
        return parser->left == 0 ? end_message(parser) : take_body(parser, input, out_bytes);
    case HTTP_PARSER_CHUNK_LINE:
        return next_chunk_line(parser, input);
    case HTTP_PARSER_CHUNK_DATA:
        return next_chunk_data(parser, input, out_bytes);
    case HTTP_PARSER_CHUNK_END:
        return next_chunk_end(parser, input);
    case HTTP_PARSER_TRAILER:
        return next_trailer(parser, input);
    case HTTP_PARSER_REFUSED:
        return HTTP_EVENT_REFUSED;
    }
    UNREACHABLE();
}

enum http_event http_parser_next(struct http_parser *parser, struct slice *input,
                                 struct http_head *head, struct slice *out_bytes)
{
    ASSERT(parser->limits != NULL);
    for (;;) {
        enum http_parser_state state = parser->state;
        size_t size = input->size;
        enum http_event event = step(parser, input, head, out_bytes);
        bool has_moved = parser->state != state || input->size != size;
        if (event != HTTP_EVENT_MORE || !has_moved) {
            return event;
        }
    }
}

uint64_t http_parser_body_left(const struct http_parser *parser)
{
    return parser->state == HTTP_PARSER_BODY ? parser->left : 0;
}

void http_parser_body_taken(struct http_parser *parser, uint64_t size)
{
    ASSERT(parser->state == HTTP_PARSER_BODY);
    ASSERT(size <= parser->left);
    parser->left -= size;
}

bool http_parser_is_between(const struct http_parser *parser)
{
    return parser->state == HTTP_PARSER_BETWEEN;
}
