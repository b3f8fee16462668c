/*
 * What the tests of api's routes share: a node that is a small map in memory, a real HTTP server on
 * loopback in front of it, and a client that speaks bytes. Included once per test program: the
 * node's functions are defined here and take the place of the library's.
 */
#ifndef API_TESTING_H
#define API_TESTING_H

#include "fake_node.h"

/* ---- the server and its client ---- */

struct fixture {
    struct env *env;
    struct node node;
    struct metrics *metrics;
    struct log *log;
    struct writer log_lines;
    struct api *api;
    struct http_server *http;
    /* The last answer. */
    struct writer reply;
    int status;
    char *head; /* NUL-terminated, borrowed from `reply` */
    struct slice body;
};

static void fixture_log(void *ctx, enum log_level level, const char *line, size_t size)
{
    struct fixture *fixture = ctx;
    (void)level;
    writer_bytes(&fixture->log_lines, (struct slice){(const uint8_t *)line, size});
}

static uint64_t fixture_clock(void *ctx)
{
    (void)ctx;
    return 0;
}

static void fixture_open_with(struct fixture *fixture, struct api_options options)
{
    struct err_note note;
    *fixture = (struct fixture){.env = env_uv_open(), .metrics = metrics_new()};
    fixture->log = log_new(&(struct log_options){
        .level = LOG_LEVEL_INFO, .sink = fixture_log, .sink_ctx = fixture, .clock = fixture_clock});
    const struct history_options kept = {1 << 20, 1000, 0};
    fixture->node.history = history_new(&kept, 0);
    fixture->node.watches = watches_new(fixture->env, fixture->node.history);
    fixture->node.turn.run = fake_turn;
    env_turn_add(fixture->env, &fixture->node.turn);
    fixture->node.clock_ms = 784111777000; /* the date of RFC 9110's examples */
    fixture->node.status = (struct node_status){.cluster_id = 0xabc,
                                                .id = 1,
                                                .region = REGION_FIRST,
                                                .role = NODE_LEADER,
                                                .leader = 1,
                                                .leader_client_address = "127.0.0.1:3000",
                                                .has_quorum = true,
                                                .is_trusted = true,
                                                .divergence = "none",
                                                .term = 7,
                                                .commit_index = 42,
                                                .applied_index = 42,
                                                .last_index = 43,
                                                .snapshot_index = 9};
    options.env = fixture->env;
    options.log = fixture->log;
    options.metrics = fixture->metrics;
    options.version = "0.1.0";
    options.value_bytes_max = VALUE_BYTES_MAX;
    options.txn_bytes_max = TXN_BYTES_MAX;
    options.request_timeout_ms = 5000;
    fixture->api = api_new(&options);
    api_serve(fixture->api, &fixture->node);
    const struct http_options http_options = {.env = fixture->env,
                                              .log = fixture->log,
                                              .listen_address = "127.0.0.1:0",
                                              .body_bytes_max = VALUE_BYTES_MAX};
    assert_int_equal(
        http_server_open(&fixture->http, &http_options, api_http_handler(), fixture->api, &note),
        OK);
    api_show_http_stats(fixture->api, http_stats(fixture->http));
}

static int fixture_open(void **state)
{
    struct fixture *fixture = mem_calloc(1, sizeof(*fixture));
    fixture_open_with(fixture, (struct api_options){.is_loopback = true});
    *state = fixture;
    return 0;
}

static void fixture_close_parts(struct fixture *fixture)
{
    http_server_close(fixture->http);
    api_free(fixture->api);
    metrics_free(fixture->metrics);
    log_free(fixture->log);
    env_turn_remove(fixture->env, &fixture->node.turn);
    watches_free(fixture->node.watches);
    env_uv_close(fixture->env);
    writer_deinit(&fixture->reply);
    writer_deinit(&fixture->log_lines);
    buf_drop(&fixture->node.txn);
    writer_deinit(&fixture->node.txn_results);
    history_free(fixture->node.history);
    for (size_t i = 0; i < FAKE_RECORDS_MAX; i++) {
        fake_clear(&fixture->node.records[i]);
    }
}

static int fixture_close(void **state)
{
    fixture_close_parts(*state);
    mem_free(*state);
    return 0;
}

static int client_connect(const struct fixture *fixture)
{
    const char *colon = strrchr(http_server_address(fixture->http), ':');
    struct sockaddr_in address = {.sin_family = AF_INET};
    unsigned port = 0;
    assert_int_equal(sscanf(colon + 1, "%u", &port), 1);
    address.sin_port = htons((uint16_t)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(client >= 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
    return client;
}

/* Sends what is left of `bytes` without waiting. */
static void client_send(int client, struct slice *bytes)
{
    if (bytes->size > 0) {
        ssize_t sent = send(client, bytes->data, bytes->size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            bytes->data += sent;
            bytes->size -= (size_t)sent;
        }
    }
}

/* Takes the answer in `fixture->reply` apart. */
static void take_reply(struct fixture *fixture)
{
    writer_u8(&fixture->reply, 0);
    char *text = (char *)fixture->reply.data;
    char *end = strstr(text, "\r\n\r\n");
    assert_non_null(end);
    assert_int_equal(sscanf(text, "HTTP/1.1 %d ", &fixture->status), 1);
    fixture->head = text;
    end[2] = '\0';
    size_t head_size = (size_t)(end + 4 - text);
    fixture->body = (struct slice){(const uint8_t *)end + 4, fixture->reply.size - 1 - head_size};
}

/* Sends `request` and everything there is to it, and reads until the server closes. */
static void send_bytes(struct fixture *fixture, struct slice request)
{
    int client = client_connect(fixture);
    bool has_ended = false;
    uint64_t deadline_ms = env_now_ms(fixture->env) + PATIENCE_MS;
    writer_reset(&fixture->reply);
    while (!has_ended) {
        uint8_t piece[4096];
        client_send(client, &request);
        env_uv_run_once(fixture->env, false);
        ssize_t count = recv(client, piece, sizeof(piece), MSG_DONTWAIT);
        if (count > 0) {
            writer_bytes(&fixture->reply, (struct slice){piece, (size_t)count});
        }
        has_ended = count == 0 || (count < 0 && errno == ECONNRESET);
        assert_true(env_now_ms(fixture->env) < deadline_ms);
    }
    (void)close(client);
    take_reply(fixture);
}

/*
 * METHOD TARGET with `fields` ("Name: value\r\n"…, "" for none) and `body` (NULL: none). Afterwards
 * status, head and body of the answer stand in the fixture.
 */
static void request_bytes(struct fixture *fixture, const char *start, const char *fields,
                          struct slice body)
{
    struct writer text = {0};
    writer_format(&text, "%s HTTP/1.1\r\n", start);
    if (strncmp(fields, "Host:", 5) != 0) {
        writer_format(&text, "Host: localhost:3000\r\n");
    }
    writer_format(&text, "Connection: close\r\n%s", fields);
    if (body.data != NULL) {
        writer_format(&text, "Content-Length: %zu\r\n", body.size);
    }
    writer_format(&text, "\r\n");
    writer_bytes(&text, body);
    send_bytes(fixture, writer_slice(&text));
    writer_deinit(&text);
}

static inline void request(struct fixture *fixture, const char *start, const char *fields,
                           const char *body)
{
    request_bytes(fixture, start, fields, body == NULL ? SLICE_EMPTY : slice_from_text(body));
}

/* The value of the answer's header field `name`, in static storage, or NULL. */
static inline const char *field_of(const struct fixture *fixture, const char *name)
{
    static char value[2048];
    char pattern[64];
    (void)snprintf(pattern, sizeof(pattern), "\r\n%s: ", name);
    const char *found = strcasestr(fixture->head, pattern);
    if (found == NULL) {
        return NULL;
    }
    found += strlen(pattern);
    size_t size = strcspn(found, "\r");
    assert_true(size < sizeof(value));
    memcpy(value, found, size);
    value[size] = '\0';
    return value;
}

static inline void assert_body(const struct fixture *fixture, const char *text)
{
    assert_int_equal(fixture->body.size, strlen(text));
    assert_memory_equal(fixture->body.data, text, strlen(text));
}

static inline void assert_field(const struct fixture *fixture, const char *name, const char *value)
{
    const char *found = field_of(fixture, name);
    assert_non_null(found);
    assert_string_equal(found, value);
}

/* The answer's body as JSON, with its newline at the end. The caller puts it. */
static inline struct json_object *json_body(const struct fixture *fixture)
{
    assert_true(fixture->body.size > 0);
    assert_int_equal(fixture->body.data[fixture->body.size - 1], '\n');
    struct json_object *document = json_tokener_parse((const char *)fixture->body.data);
    assert_non_null(document);
    return document;
}

static inline const char *json_text(struct json_object *document, const char *name)
{
    struct json_object *member = NULL;
    if (!json_object_object_get_ex(document, name, &member)) {
        fail_msg("no member %s", name);
    }
    return json_object_get_string(member);
}

static inline uint64_t json_u64(struct json_object *document, const char *name)
{
    struct json_object *member = NULL;
    assert_true(json_object_object_get_ex(document, name, &member));
    assert_true(json_object_is_type(member, json_type_int));
    return json_object_get_uint64(member);
}

/*
 * Asserts that the answer is a problem document of `status` and `slug`, and that its detail has
 * `words`.
 */
static inline void assert_problem(const struct fixture *fixture, int status, const char *slug,
                                  const char *words)
{
    char type[64];
    (void)snprintf(type, sizeof(type), "/problems/%s", slug);
    if (fixture->status != status) {
        fail_msg("%d instead of %d: %s", fixture->status, status, (const char *)fixture->body.data);
    }
    assert_field(fixture, "Content-Type", "application/problem+json");
    struct json_object *document = json_body(fixture);
    assert_string_equal(json_text(document, "type"), type);
    assert_int_equal(json_u64(document, "status"), status);
    const char *detail = json_text(document, "detail");
    if (strstr(detail, words) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", words, detail);
    }
    assert_string_equal(json_text(document, "request_id"), field_of(fixture, "KV-Request-Id"));
    (void)json_object_put(document);
}

/* Asserts that the document's member `name` is the text `value`; NULL: that it is not there. */
static inline void assert_member(const struct fixture *fixture, const char *name, const char *value)
{
    struct json_object *document = json_body(fixture);
    struct json_object *member = NULL;
    bool is_there = json_object_object_get_ex(document, name, &member);
    if (value == NULL) {
        assert_false(is_there);
    } else {
        assert_true(is_there);
        assert_string_equal(json_object_get_string(member), value);
    }
    (void)json_object_put(document);
}

#endif
