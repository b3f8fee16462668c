/* The answer that is there in one piece: its head is written into the request's arena. */
#include <string.h>

#include "base/assert.h"
#include "base/decimal.h"
#include "http/http_int.h"

/* Room for the status line, the layer's own fields and the empty line. */
#define OWN_SIZE_MAX 256u

struct status {
    int code;
    const char *line;
};

/* RFC 9110, section 15; 423 and 507 are WebDAV's, 428, 429 and 431 of RFC 6585. */
static const struct status statuses[] = {
    {200, "200 OK"},
    {201, "201 Created"},
    {404, "404 Not Found"},
    {204, "204 No Content"},
    {202, "202 Accepted"},
    {206, "206 Partial Content"},
    {301, "301 Moved Permanently"},
    {302, "302 Found"},
    {303, "303 See Other"},
    {304, "304 Not Modified"},
    {307, "307 Temporary Redirect"},
    {308, "308 Permanent Redirect"},
    {400, "400 Bad Request"},
    {401, "401 Unauthorized"},
    {403, "403 Forbidden"},
    {405, "405 Method Not Allowed"},
    {406, "406 Not Acceptable"},
    {408, "408 Request Timeout"},
    {409, "409 Conflict"},
    {410, "410 Gone"},
    {411, "411 Length Required"},
    {412, "412 Precondition Failed"},
    {413, "413 Content Too Large"},
    {414, "414 URI Too Long"},
    {415, "415 Unsupported Media Type"},
    {416, "416 Range Not Satisfiable"},
    {417, "417 Expectation Failed"},
    {421, "421 Misdirected Request"},
    {422, "422 Unprocessable Content"},
    {423, "423 Locked"},
    {426, "426 Upgrade Required"},
    {428, "428 Precondition Required"},
    {429, "429 Too Many Requests"},
    {431, "431 Request Header Fields Too Large"},
    {500, "500 Internal Server Error"},
    {501, "501 Not Implemented"},
    {502, "502 Bad Gateway"},
    {503, "503 Service Unavailable"},
    {504, "504 Gateway Timeout"},
    {505, "505 HTTP Version Not Supported"},
    {507, "507 Insufficient Storage"},
};

static uint8_t *put(uint8_t *cursor, struct slice bytes)
{
    if (bytes.size > 0) {
        memcpy(cursor, bytes.data, bytes.size);
    }
    return cursor + bytes.size;
}

static uint8_t *put_text(uint8_t *cursor, const char *text)
{
    return put(cursor, slice_from_text(text));
}

static uint8_t *put_u64(uint8_t *cursor, uint64_t value)
{
    return cursor + decimal_write((char *)cursor, value);
}

static uint8_t *put_status(uint8_t *cursor, int code)
{
    ASSERT(code >= 200);
    ASSERT(code <= 599);
    cursor = put_text(cursor, "HTTP/1.1 ");
    for (size_t i = 0; i < ARRAY_COUNT(statuses); i++) {
        if (statuses[i].code == code) {
            return put_text(cursor, statuses[i].line);
        }
    }
    cursor = put_u64(cursor, (uint64_t)code);
    return put_text(cursor, " "); /* the reason may be empty, the space may not */
}

/* Whether any of eight bytes is at or below '\r', as all are that may not be there (and a tab). */
static bool has_low_byte(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    const uint64_t ones = UINT64_MAX / 255;
    return ((word - ones * ('\r' + 1)) & ~word & ones * 0x80) != 0;
}

/* A value that could end its line would let its author write our header. */
static bool is_one_line(struct slice value)
{
    size_t begin = 0;
    while (value.size - begin >= sizeof(uint64_t) && !has_low_byte(value.data + begin)) {
        begin += sizeof(uint64_t);
    }
    for (size_t i = begin; i < value.size; i++) {
        if (value.data[i] == '\r' || value.data[i] == '\n' || value.data[i] == '\0') {
            return false;
        }
    }
    return true;
}

static size_t fields_size(const struct http_response *response)
{
    size_t size = 0;
    for (size_t i = 0; i < response->field_count; i++) {
        ASSERT(response->fields[i].name[0] != '\0');
        ASSERT(is_one_line(response->fields[i].value));
        size += strlen(response->fields[i].name) + response->fields[i].value.size + 4;
    }
    return size;
}

static uint8_t *put_fields(uint8_t *cursor, const struct http_response *response)
{
    for (size_t i = 0; i < response->field_count; i++) {
        cursor = put_text(cursor, response->fields[i].name);
        cursor = put_text(cursor, ": ");
        cursor = put(cursor, response->fields[i].value);
        cursor = put_text(cursor, "\r\n");
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
    cursor = put_text(cursor, "\r\nContent-Length: ");
    return put_u64(cursor, length);
}

static uint8_t *put_connection(uint8_t *cursor, const struct http_request *request)
{
    if (request->is_last) {
        return put_text(cursor, "\r\nConnection: close");
    }
    return request->is_http_1_0 ? put_text(cursor, "\r\nConnection: keep-alive") : cursor;
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
    cursor = put_text(cursor, "\r\nDate: ");
    cursor = put(cursor, http_server_date(request->conn->server));
    if (!is_stream) {
        cursor = put_length(cursor, request, response);
    } else if (request->stream.is_chunked) {
        cursor = put_text(cursor, "\r\nTransfer-Encoding: chunked");
    }
    cursor = put_connection(cursor, request);
    cursor = put_text(cursor, "\r\n");
    cursor = put_fields(cursor, response);
    cursor = put_text(cursor, "\r\n");
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
