#include "main/connection.h"

#include "api/text.h"
#include "api/units.h"
#include "base/assert.h"
#include "main/client_text.h"

#define RETRY_AFTER_SECONDS_MAX 3600u

/* ---- answers ---- */

static void append(struct writer *out, const char *at, size_t size)
{
    writer_bytes(out, (struct slice){(const uint8_t *)at, size});
}

static int on_message_begin(llhttp_t *llhttp)
{
    struct connection *connection = llhttp->data;
    writer_reset(&connection->field);
    writer_reset(&connection->value);
    writer_reset(&connection->content_type);
    writer_reset(&connection->retry_after);
    writer_reset(&connection->body);
    connection->body_size = 0;
    return 0;
}

static int on_field(llhttp_t *llhttp, const char *at, size_t size)
{
    append(&((struct connection *)llhttp->data)->field, at, size);
    return 0;
}

static int on_value(llhttp_t *llhttp, const char *at, size_t size)
{
    append(&((struct connection *)llhttp->data)->value, at, size);
    return 0;
}

static int on_value_complete(llhttp_t *llhttp)
{
    struct connection *connection = llhttp->data;
    struct slice field = writer_slice(&connection->field);
    if (api_text_equals_nocase(field, "content-type")) {
        writer_bytes(&connection->content_type, writer_slice(&connection->value));
    } else if (api_text_equals_nocase(field, "retry-after")) {
        writer_bytes(&connection->retry_after, writer_slice(&connection->value));
    }
    writer_reset(&connection->field);
    writer_reset(&connection->value);
    return 0;
}

static int on_body(llhttp_t *llhttp, const char *at, size_t size)
{
    struct connection *connection = llhttp->data;
    size_t room = connection->body_size_max - connection->body.size;
    connection->body_size += size;
    append(&connection->body, at, size < room ? size : room);
    return 0;
}

/* RFC 9110, 10.2.3: seconds; nodes send no dates. */
static uint64_t retry_after_ms(const struct connection *connection)
{
    uint64_t seconds = 0;
    struct slice text = api_text_trim(writer_slice(&connection->retry_after));
    if (api_units_parse_u64(text, &seconds) != OK) {
        return 0;
    }
    return 1000 * (seconds < RETRY_AFTER_SECONDS_MAX ? seconds : RETRY_AFTER_SECONDS_MAX);
}

static int on_message_complete(llhttp_t *llhttp)
{
    struct connection *connection = llhttp->data;
    if (llhttp->status_code < 200) {
        return 0; /* the answer is still to come */
    }
    if (connection->unanswered == 0) {
        return -1; /* N1 */
    }
    connection->unanswered--;
    writer_u8(&connection->content_type, '\0');
    const struct connection_answer answer = {
        .status = llhttp->status_code,
        .is_last = llhttp_should_keep_alive(llhttp) == 0,
        .retry_after_ms = retry_after_ms(connection),
        .content_type = (const char *)connection->content_type.data,
        .body = writer_slice(&connection->body),
        .body_size = connection->body_size,
    };
    connection->handler->answered(connection->ctx, &answer);
    ASSERT(connection->stream != NULL);
    return 0;
}

/* ---- the stream ---- */

static void lose(struct connection *connection, const char *why)
{
    main_connection_close(connection);
    connection->handler->lost(connection->ctx, why);
}

static void on_connected(void *ctx, struct env_stream *stream, err e)
{
    static const llhttp_settings_t settings = {
        .on_message_begin = on_message_begin,
        .on_header_field = on_field,
        .on_header_value = on_value,
        .on_header_value_complete = on_value_complete,
        .on_body = on_body,
        .on_message_complete = on_message_complete,
    };
    struct connection *connection = ctx;
    ASSERT(connection->stream == stream);
    if (e != OK) {
        lose(connection, err_title(e));
        return;
    }
    llhttp_init(&connection->llhttp, HTTP_RESPONSE, &settings);
    connection->llhttp.data = connection;
    connection->is_up = true;
    if (connection->handler->connected != NULL) {
        connection->handler->connected(connection->ctx);
    }
}

static void on_received(void *ctx, struct env_stream *stream, struct slice bytes)
{
    struct connection *connection = ctx;
    ASSERT(connection->stream == stream);
    if (llhttp_execute(&connection->llhttp, (const char *)bytes.data, bytes.size) != HPE_OK) {
        lose(connection, "what it answers is no HTTP");
    }
}

static void on_ended(void *ctx, struct env_stream *stream)
{
    struct connection *connection = ctx;
    ASSERT(connection->stream == stream);
    (void)llhttp_finish(&connection->llhttp); /* an answer may end with its connection */
    lose(connection, "it closed the connection");
}

/* ---- what callers see ---- */

void main_connection_init(struct connection *connection, struct env *env, size_t body_size_max,
                          const struct connection_handler *handler, void *ctx)
{
    *connection = (struct connection){
        .env = env, .handler = handler, .ctx = ctx, .body_size_max = body_size_max};
}

void main_connection_deinit(struct connection *connection)
{
    main_connection_close(connection);
    writer_deinit(&connection->field);
    writer_deinit(&connection->value);
    writer_deinit(&connection->content_type);
    writer_deinit(&connection->retry_after);
    writer_deinit(&connection->body);
}

void main_connection_dial(struct connection *connection, const char *address)
{
    static const struct env_stream_handler handler = {
        .connected = on_connected, .received = on_received, .ended = on_ended};
    ASSERT(connection->stream == NULL);
    connection->stream = env_stream_dial(connection->env, address, &handler, connection);
}

void main_connection_send(struct connection *connection, struct buf *const *parts,
                          size_t part_count)
{
    ASSERT(connection->is_up);
    connection->unanswered++;
    env_stream_write(connection->stream, parts, part_count);
}

void main_connection_close(struct connection *connection)
{
    env_stream_close(connection->stream);
    connection->stream = NULL;
    connection->is_up = false;
    connection->unanswered = 0;
}

bool main_connection_may_repeat(int status)
{
    return status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
}

bool main_connection_may_be_done(int status)
{
    return status >= 500 && status != 503;
}

void main_connection_explain(const struct connection_answer *answer, const char *address,
                             struct writer *out)
{
    bool is_unknown;
    const struct client_answer problem = {
        .status = answer->status,
        .url = "",
        .content_type = answer->content_type,
        .body = answer->body,
    };
    writer_format(out, "%s: ", address);
    main_client_text_problem(out, &problem, &is_unknown);
}
