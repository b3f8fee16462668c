/* What speaks HTTP/1.1: pontoon, etcd's JSON gateway, and what answers GET / with anything. */
#include <llhttp.h>
#include <string.h>

#include "base/mem.h"
#include "protocol.h"

#define JSON_HEAD " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"

struct http {
    const struct work *work;
    llhttp_t llhttp;
    struct writer body; /* of the answer that is coming in */
    struct writer json; /* a request's body while it is written */
};

static int on_body(llhttp_t *llhttp, const char *at, size_t size)
{
    struct http *http = llhttp->data;
    writer_bytes(&http->body, (struct slice){(const uint8_t *)at, size});
    return 0;
}

/* The parser stops behind each answer, so that it is judged before the next one is looked at. */
static int on_message_complete(llhttp_t *llhttp)
{
    (void)llhttp;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

static void *http_open(const struct protocol_options *options, struct writer *out)
{
    (void)out;
    struct http *http = mem_calloc(1, sizeof(*http));
    http->work = options->work;
    llhttp_init(&http->llhttp, HTTP_RESPONSE, &settings);
    http->llhttp.data = http;
    return http;
}

static void http_close(void *state)
{
    struct http *http = state;
    writer_deinit(&http->body);
    writer_deinit(&http->json);
    mem_free(http);
}

/* Reads one message. The status is the message's where that is whole. */
static enum taken take_message(struct http *http, struct slice *input)
{
    if (input->size == 0) {
        return TAKEN_NOTHING;
    }
    const char *begin = (const char *)input->data;
    llhttp_errno_t status = llhttp_execute(&http->llhttp, begin, input->size);
    if (status == HPE_OK) {
        *input = (struct slice){input->data + input->size, 0};
        return TAKEN_NOTHING;
    }
    if (status != HPE_PAUSED) {
        return TAKEN_NONSENSE;
    }
    size_t size = (size_t)(llhttp_get_error_pos(&http->llhttp) - begin);
    *input = (struct slice){input->data + size, input->size - size};
    llhttp_resume(&http->llhttp);
    return TAKEN_ANSWER;
}

/* Reads one message and judges its status. Whoever looks at the body empties it. */
static enum taken take_status(struct http *http, const struct request *request, struct slice *input,
                              struct problem *out_problem)
{
    enum taken taken = take_message(http, input);
    if (taken == TAKEN_ANSWER) {
        int status = http->llhttp.status_code;
        if (status != 200 && !(status == 201 && request->is_put)) {
            problem_set_number(out_problem, status);
        }
    }
    return taken;
}

/* ---- pontoon ---- */

static void pontoon_ask(void *state, const struct request *request, struct writer *out)
{
    const struct http *http = state;
    writer_bytes(out, slice_from_text(request->is_put ? "PUT /kv/" : "GET /kv/"));
    work_write_key(request->key, out);
    writer_bytes(out, slice_from_text(" HTTP/1.1\r\nHost: localhost\r\n"));
    if (request->is_put) {
        writer_format(out, "Content-Length: %zu\r\n\r\n", work_value_size(http->work));
        work_write_value(http->work, request->key, out);
    } else {
        writer_bytes(out, slice_from_text("\r\n"));
    }
}

static enum taken pontoon_take(void *state, const struct request *request, struct slice *input,
                               struct problem *out_problem)
{
    struct http *http = state;
    enum taken taken = take_status(http, request, input, out_problem);
    if (taken == TAKEN_ANSWER) {
        if (out_problem->text[0] == '\0' && !request->is_put &&
            !work_is_value(http->work, request->key, writer_slice(&http->body))) {
            problem_set(out_problem, slice_from_text("wrong_value"));
        }
        writer_reset(&http->body);
    }
    return taken;
}

/* ---- etcd ---- */

static void etcd_ask(void *state, const struct request *request, struct writer *out)
{
    struct http *http = state;
    writer_reset(&http->json);
    writer_bytes(&http->json, slice_from_text("{\"key\":\""));
    work_write_key_base64(request->key, &http->json);
    if (request->is_put) {
        writer_bytes(&http->json, slice_from_text("\",\"value\":\""));
        work_write_value_base64(http->work, request->key, &http->json);
    }
    writer_bytes(&http->json, slice_from_text("\"}"));
    writer_bytes(out, slice_from_text(request->is_put ? "POST /v3/kv/put" : "POST /v3/kv/range"));
    writer_format(out, JSON_HEAD "Content-Length: %zu\r\n\r\n", http->json.size);
    writer_bytes(out, writer_slice(&http->json));
}

/* The text of the answer's first "value"; empty: it has none. */
static struct slice find_value(struct slice body)
{
    static const char mark[] = "\"value\":\"";
    const uint8_t *end = body.data + body.size;
    const uint8_t *found = body.size > 0 ? memmem(body.data, body.size, mark, strlen(mark)) : NULL;
    if (found == NULL) {
        return (struct slice){0};
    }
    const uint8_t *begin = found + strlen(mark);
    const uint8_t *quote = memchr(begin, '"', (size_t)(end - begin));
    return (struct slice){begin, quote == NULL ? 0 : (size_t)(quote - begin)};
}

static enum taken etcd_take(void *state, const struct request *request, struct slice *input,
                            struct problem *out_problem)
{
    struct http *http = state;
    enum taken taken = take_status(http, request, input, out_problem);
    if (taken == TAKEN_ANSWER) {
        struct slice value = find_value(writer_slice(&http->body));
        if (out_problem->text[0] == '\0' && !request->is_put &&
            !work_is_value_base64(http->work, request->key, value)) {
            problem_set(out_problem, slice_from_text(value.size > 0 ? "wrong_value" : "missing"));
        }
        writer_reset(&http->body);
    }
    return taken;
}

/* ---- plain ---- */

static void plain_ask(void *state, const struct request *request, struct writer *out)
{
    (void)state;
    (void)request;
    writer_bytes(out, slice_from_text("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
}

static enum taken plain_take(void *state, const struct request *request, struct slice *input,
                             struct problem *out_problem)
{
    struct http *http = state;
    enum taken taken = take_status(http, request, input, out_problem);
    if (taken == TAKEN_ANSWER) {
        writer_reset(&http->body);
    }
    return taken;
}

const struct protocol protocol_pontoon = {"pontoon", http_open, http_close, pontoon_ask,
                                          pontoon_take};
const struct protocol protocol_etcd = {"etcd", http_open, http_close, etcd_ask, etcd_take};
const struct protocol protocol_plain = {"plain", http_open, http_close, plain_ask, plain_take};
