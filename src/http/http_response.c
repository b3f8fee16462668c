/* The answer that is there in one piece: its head is written into the request's arena. */
#include <string.h>

#include "base/assert.h"
#include "base/decimal.h"
#include "http/http_int.h"

/* Room for the status line, the layer's own fields and the empty line. */
#define OWN_SIZE_MAX 256u

struct status {
    int code;
    struct slice begin; /* of the answer, to where the date goes */
};

#define STATUS(code, reason)                                                                       \
    {                                                                                              \
        code, SLICE_INIT("HTTP/1.1 " #code " " reason "\r\nDate: ")                                \
    }

/* RFC 9110, section 15; 423 and 507 are WebDAV's, 428, 429 and 431 of RFC 6585. */
static const struct status statuses[] = {
    STATUS(200, "OK"),
    STATUS(201, "Created"),
    STATUS(404, "Not Found"),
    STATUS(204, "No Content"),
    STATUS(202, "Accepted"),
    STATUS(206, "Partial Content"),
    STATUS(301, "Moved Permanently"),
    STATUS(302, "Found"),
    STATUS(303, "See Other"),
    STATUS(304, "Not Modified"),
    STATUS(307, "Temporary Redirect"),
    STATUS(308, "Permanent Redirect"),
    STATUS(400, "Bad Request"),
    STATUS(401, "Unauthorized"),
    STATUS(403, "Forbidden"),
    STATUS(405, "Method Not Allowed"),
    STATUS(406, "Not Acceptable"),
    STATUS(408, "Request Timeout"),
    STATUS(409, "Conflict"),
    STATUS(410, "Gone"),
    STATUS(411, "Length Required"),
    STATUS(412, "Precondition Failed"),
    STATUS(413, "Content Too Large"),
    STATUS(414, "URI Too Long"),
    STATUS(415, "Unsupported Media Type"),
    STATUS(416, "Range Not Satisfiable"),
    STATUS(417, "Expectation Failed"),
    STATUS(421, "Misdirected Request"),
    STATUS(422, "Unprocessable Content"),
    STATUS(423, "Locked"),
    STATUS(426, "Upgrade Required"),
    STATUS(428, "Precondition Required"),
    STATUS(429, "Too Many Requests"),
    STATUS(431, "Request Header Fields Too Large"),
    STATUS(500, "Internal Server Error"),
    STATUS(501, "Not Implemented"),
    STATUS(502, "Bad Gateway"),
    STATUS(503, "Service Unavailable"),
    STATUS(504, "Gateway Timeout"),
    STATUS(505, "HTTP Version Not Supported"),
    STATUS(507, "Insufficient Storage"),
};

static uint8_t *put(uint8_t *cursor, struct slice bytes)
{
    if (bytes.size > 0) {
        memcpy(cursor, bytes.data, bytes.size);
    }
    return cursor + bytes.size;
}

static uint8_t *put_u64(uint8_t *cursor, uint64_t value)
{
    return cursor + decimal_write((char *)cursor, value);
}

static uint8_t *put_status(uint8_t *cursor, int code)
{
    ASSERT(code >= 200);
    ASSERT(code <= 599);
    for (size_t i = 0; i < ARRAY_COUNT(statuses); i++) {
        if (statuses[i].code == code) {
            return put(cursor, statuses[i].begin);
        }
    }
    cursor = put(cursor, SLICE_LITERAL("HTTP/1.1 "));
    cursor = put_u64(cursor, (uint64_t)code);
    /* The reason may be empty, the space may not. */
    return put(cursor, SLICE_LITERAL(" \r\nDate: "));
}

/* Whether any of eight bytes is at or below '\r', as all are that may not be there (and a tab). */
static bool has_low_byte(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    const uint64_t ones = UINT64_MAX / 255;
    return ((word - ones * ('\r' + 1)) & ~word & ones * 0x80) != 0;
}

static bool ends_line(uint8_t byte)
{
    return byte == '\r' || byte == '\n' || byte == '\0';
}

/* A value that could end its line would let its author write our header. */
static bool is_one_line(struct slice value)
{
    const size_t step = sizeof(uint64_t);
    bool is_suspect = value.size < step;
    for (size_t i = 0; i + step < value.size && !is_suspect; i += step) {
        is_suspect = has_low_byte(value.data + i);
    }
    /* The last step ends where the value does, and may look at bytes again. */
    if (!is_suspect && !has_low_byte(value.data + value.size - step)) {
        return true;
    }
    for (size_t i = 0; i < value.size; i++) {
        if (ends_line(value.data[i])) {
            return false;
        }
    }
    return true;
}

static size_t field_size(const struct http_field *field)
{
    if (field->lines.size > 0) {
        ASSERT(field->name.size == 0);
        ASSERT(field->value.size == 0);
        ASSERT(field->lines.data[field->lines.size - 1] == '\n');
        return field->lines.size;
    }
    ASSERT(field->name.size > 0);
    ASSERT(is_one_line(field->value));
    return field->name.size + field->value.size + 4;
}

static size_t fields_size(const struct http_response *response)
{
    size_t size = 0;
    for (size_t i = 0; i < response->field_count; i++) {
        size += field_size(&response->fields[i]);
    }
    return size;
}

static uint8_t *put_field(uint8_t *cursor, const struct http_field *field)
{
    if (field->lines.size > 0) {
        return put(cursor, field->lines);
    }
    cursor = put(cursor, field->name);
    cursor = put(cursor, SLICE_LITERAL(": "));
    cursor = put(cursor, field->value);
    return put(cursor, SLICE_LITERAL("\r\n"));
}

static uint8_t *put_fields(uint8_t *cursor, const struct http_response *response)
{
    for (size_t i = 0; i < response->field_count; i++) {
        cursor = put_field(cursor, &response->fields[i]);
    }
    return cursor;
}

static bool is_bodiless(const struct http_request *request, int status)
{
    return request->method == HTTP_METHOD_HEAD || status == 204 || status == 304;
}

static uint8_t *put_length(uint8_t *cursor, const struct http_request *request,
                           const struct http_response *response)
{
    if (response->status == 204 || response->status == 304) {
        return cursor;
    }
    bool is_head = request->method == HTTP_METHOD_HEAD;
    uint64_t length =
        is_head && response->content.size == 0 ? response->head_length : response->content.size;
    if (is_head && length == HTTP_HEAD_LENGTH_NONE) {
        return cursor;
    }
    cursor = put(cursor, SLICE_LITERAL("\r\nContent-Length: "));
    return put_u64(cursor, length);
}

static uint8_t *put_connection(uint8_t *cursor, const struct http_request *request)
{
    if (request->is_last) {
        return put(cursor, SLICE_LITERAL("\r\nConnection: close"));
    }
    return request->is_http_1_0 ? put(cursor, SLICE_LITERAL("\r\nConnection: keep-alive")) : cursor;
}

/* Decides whether the connection ends with this answer. */
static void decide_end(struct http_request *request, const struct http_response *response)
{
    struct http_conn *conn = request->conn;
    bool is_newest = request->link.next == &conn->requests;
    request->is_last =
        response->close || !request->keep_alive || (conn->phase == HTTP_CONN_LAST && is_newest);
    if (response->close && conn->phase == HTTP_CONN_OPEN) {
        conn->phase = HTTP_CONN_LAST;
    }
}

void http_response_queue_head(struct http_request *request, const struct http_response *response,
                              bool is_stream)
{
    /* A small content that belongs to nobody rides along. */
    bool is_copied =
        !is_stream && response->body == NULL && !is_bodiless(request, response->status);
    struct slice copied = is_copied ? response->content : SLICE_EMPTY;
    decide_end(request, response);
    size_t size_max = OWN_SIZE_MAX + fields_size(response) + copied.size;
    uint8_t *begin = http_arena_alloc(&request->arena, size_max);
    uint8_t *cursor = put_status(begin, response->status);
    cursor = put(cursor, http_server_date(request->conn->server));
    if (!is_stream) {
        cursor = put_length(cursor, request, response);
    } else if (request->stream.is_chunked) {
        cursor = put(cursor, SLICE_LITERAL("\r\nTransfer-Encoding: chunked"));
    }
    cursor = put_connection(cursor, request);
    cursor = put(cursor, SLICE_LITERAL("\r\n"));
    cursor = put_fields(cursor, response);
    cursor = put(cursor, SLICE_LITERAL("\r\n"));
    cursor = put(cursor, copied);
    ASSERT((size_t)(cursor - begin) <= size_max);
    http_output_push(request, &request->head_part, (struct slice){begin, (size_t)(cursor - begin)});
}

void http_respond(struct http_request *request, const struct http_response *response)
{
    struct http_conn *conn = request->conn;
    if (!http_conn_is_writable(conn)) {
        http_request_finish(request);
        http_request_free(request);
        http_conn_release(conn);
        return;
    }
    http_conn_answer_begins(request);
    http_response_queue_head(request, response, false);
    bool has_content = response->body != NULL && response->content.size > 0;
    if (has_content && !is_bodiless(request, response->status)) {
        ASSERT(response->content.data >= response->body->data);
        ASSERT(response->content.data + response->content.size <=
               response->body->data + response->body->size);
        request->content_part.owner = buf_ref(response->body);
        http_output_push(request, &request->content_part, response->content);
    }
    http_request_finish(request);
    http_conn_schedule(conn);
}
