/*
 * A real HTTP server on a real loop, and the api on it; one client in the same process that sends
 * sixteen requests at a time and takes the answers. What counts are the turns of the loop between:
 * receive, parse, route, encode, send; not the client. In place of the node stands one record, in
 * place of the clock a constant: the linker puts them there.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/api.h"
#include "base/assert.h"
#include "base/metrics.h"
#include "env/uv.h"
#include "micro.h"

#define PIPELINED (MICRO_BATCH / 2) /* requests that the client sends at a time */
#define REQUEST_SIZE_MAX 1024u
#define ANSWERS_SIZE_MAX (64u << 10)
#define REVISION UINT64_C(1000000000)
#define WALL_MS UINT64_C(784111777000)

/* ---- what stands in for the node and the clock ---- */

struct node {
    struct buf *value;
};

/* NOLINTBEGIN(readability-identifier-naming): the linker's names */

void __wrap_node_write(struct node *node, struct slice key, struct node_write *write);
void __wrap_node_read(struct node *node, struct node_read *read);
uint64_t __wrap_node_revision(const struct node *node);
void __wrap_node_standing(const struct node *node, struct node_standing *out_standing);
uint64_t __wrap_env_now_ns(struct env *env);
uint64_t __wrap_env_now_ms(struct env *env);
uint64_t __wrap_env_wall_ms(struct env *env);
uint64_t __wrap_env_random(struct env *env);

void __wrap_node_write(struct node *node, struct slice key, struct node_write *write)
{
    static const struct command_result result = {.e = OK,
                                                 .revision = REVISION,
                                                 .existed = true,
                                                 .create_revision = REVISION,
                                                 .mod_revision = REVISION,
                                                 .version = 1,
                                                 .modified_ms = WALL_MS};
    (void)node;
    ASSERT(key.size == MICRO_KEY_SIZE);
    buf_drop(&write->command);
    write->done(write, &result);
}

void __wrap_node_read(struct node *node, struct node_read *read)
{
    struct store_record record = {.owner = buf_ref(node->value),
                                  .value = buf_slice(node->value),
                                  .create_revision = REVISION,
                                  .mod_revision = REVISION,
                                  .version = 1,
                                  .modified_ms = WALL_MS};
    read->done(read, OK, &record);
}

uint64_t __wrap_node_revision(const struct node *node)
{
    (void)node;
    return REVISION;
}

void __wrap_node_standing(const struct node *node, struct node_standing *out_standing)
{
    (void)node;
    *out_standing = (struct node_standing){.leader = 1, .term = 7};
}

uint64_t __wrap_env_now_ns(struct env *env)
{
    (void)env;
    return UINT64_C(1000000000);
}

uint64_t __wrap_env_now_ms(struct env *env)
{
    (void)env;
    return UINT64_C(1000);
}

uint64_t __wrap_env_wall_ms(struct env *env)
{
    (void)env;
    return WALL_MS;
}

uint64_t __wrap_env_random(struct env *env)
{
    (void)env;
    return MICRO_SEED;
}

/* NOLINTEND(readability-identifier-naming) */

/* ---- server and client ---- */

struct bench {
    struct env *env;
    struct metrics *metrics;
    struct log *log;
    struct api *api;
    struct http_server *http;
    struct node node;
    struct prng prng;
    int client;
    size_t answer_size; /* of one */
    size_t answered;    /* bytes of this batch */
    uint8_t answers[ANSWERS_SIZE_MAX];
};

static void drop_line(void *ctx, enum log_level level, const char *line, size_t size)
{
    (void)ctx;
    (void)level;
    (void)line;
    (void)size;
}

static uint64_t log_clock(void *ctx)
{
    (void)ctx;
    return WALL_MS;
}

static int connect_to(const char *address)
{
    const char *colon = strrchr(address, ':');
    ASSERT(colon != NULL);
    struct sockaddr_in server = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT(client >= 0);
    int status = connect(client, (struct sockaddr *)&server, sizeof(server));
    ASSERT(status == 0);
    return client;
}

static void bench_open(struct bench *bench)
{
    struct err_note note;
    prng_init(&bench->prng, MICRO_SEED);
    bench->env = env_uv_open();
    bench->metrics = metrics_new();
    bench->log = log_new(
        &(struct log_options){.level = LOG_LEVEL_INFO, .sink = drop_line, .clock = log_clock});
    bench->node.value = micro_bytes(&bench->prng, MICRO_VALUE_SIZE);
    bench->api = api_new(&(struct api_options){.env = bench->env,
                                               .log = bench->log,
                                               .metrics = bench->metrics,
                                               .version = "0",
                                               .value_bytes_max = 1u << 20,
                                               .request_timeout_ms = 5000,
                                               .is_loopback = true});
    api_serve(bench->api, &bench->node);
    err e =
        http_server_open(&bench->http,
                         &(struct http_options){
                             .env = bench->env, .log = bench->log, .listen_address = "127.0.0.1:0"},
                         api_http_handler(), bench->api, &note);
    ASSERT(e == OK);
    bench->client = connect_to(http_server_address(bench->http));
}

static void bench_close(struct bench *bench)
{
    int status = close(bench->client);
    ASSERT(status == 0);
    http_server_close(bench->http);
    api_free(bench->api);
    metrics_free(bench->metrics);
    log_free(bench->log);
    env_uv_close(bench->env);
    buf_unref(bench->node.value);
}

static void write_request(struct bench *bench, struct writer *out, bool is_put)
{
    uint8_t bytes[MICRO_KEY_SIZE];
    struct slice key = micro_key(bytes, prng_below(&bench->prng, 100000));
    writer_format(out, "%s /kv/%.*s HTTP/1.1\r\nHost: 127.0.0.1:3000\r\n", is_put ? "PUT" : "GET",
                  (int)key.size, (const char *)key.data);
    if (is_put) {
        writer_format(out, "Content-Length: %u\r\n", MICRO_VALUE_SIZE);
    }
    writer_format(out, "\r\n");
    if (is_put) {
        writer_bytes(out, buf_slice(bench->node.value));
    }
}

/* Far below what a socket takes at once. */
static void send_requests(struct bench *bench, bool is_put, uint32_t count)
{
    struct writer out = {0};
    for (uint32_t i = 0; i < count; i++) {
        write_request(bench, &out, is_put);
    }
    ssize_t sent = send(bench->client, out.data, out.size, MSG_NOSIGNAL);
    ASSERT(sent == (ssize_t)out.size);
    writer_deinit(&out);
    bench->answered = 0;
}

static void take_answers(struct bench *bench)
{
    ssize_t size = recv(bench->client, bench->answers + bench->answered,
                        ANSWERS_SIZE_MAX - bench->answered, MSG_DONTWAIT);
    ASSERT(size > 0 || (size < 0 && errno == EAGAIN));
    bench->answered += size > 0 ? (size_t)size : 0;
}

static void turn(void *ctx)
{
    struct bench *bench = ctx;
    env_uv_run_once(bench->env, true);
}

/* The connection is accepted and an answer measured, and is the one that was meant. */
static void warm_up(struct bench *bench, bool is_put)
{
    send_requests(bench, is_put, 1);
    while (bench->answered == 0) {
        turn(bench);
        take_answers(bench);
    }
    static const char ok[] = "HTTP/1.1 200 OK\r\n";
    ASSERT(bench->answered > sizeof(ok));
    ASSERT(memcmp(bench->answers, ok, sizeof(ok) - 1) == 0);
    bench->answer_size = bench->answered;
}

static void run(struct micro *micro, bool is_put)
{
    static struct bench bench;
    bench = (struct bench){.env = NULL};
    bench_open(&bench);
    warm_up(&bench, is_put);
    while (micro->measured < micro->operations) {
        uint64_t operations = PIPELINED;
        send_requests(&bench, is_put, PIPELINED);
        while (bench.answered < PIPELINED * bench.answer_size) {
            micro_measure(micro, turn, &bench, operations);
            operations = 0; /* what a second turn brings belongs to the same requests */
            take_answers(&bench);
        }
        ASSERT(bench.answered == PIPELINED * bench.answer_size);
    }
    bench_close(&bench);
}

static void run_put(struct micro *micro)
{
    run(micro, true);
}

static void run_get(struct micro *micro)
{
    run(micro, false);
}

int main(int argc, char **argv)
{
    static const struct micro_scenario scenarios[] = {
        {"http-put", 8192, run_put},
        {"http-get", 8192, run_get},
    };
    return micro_main(argc, argv, scenarios, 2);
}
