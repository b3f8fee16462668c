#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

#define EVENTS_MAX 256
#define LOOK_MS 100                         /* how often the clock is looked at when all is quiet */
#define PATIENCE_NS (UINT64_C(10000000000)) /* without any answer: there will be none */
#define NS_PER_MS UINT64_C(1000000)

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

bool load_init(struct load *load, const struct options *options)
{
    memset(load, 0, sizeof(*load));
    load->options = *options;
    work_init(&load->work, options->operation, options->key_count, options->value_size,
              options->seed);
    if (options->count > 0) {
        load->work.count_max = options->count;
    }
    load->protocol_options =
        (struct protocol_options){&load->work, (unsigned)options->replica_count};
    load->connections = mem_calloc(options->connection_count, sizeof(*load->connections));
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    bool is_open = load->epoll >= 0;
    for (size_t i = 0; is_open && i < options->connection_count; i++) {
        struct connection *connection = &load->connections[i];
        is_open = connection_init(connection, options->protocol, &load->protocol_options,
                                  &options->address, options->pipeline);
        load->alive_count++; /* as load_deinit counts them */
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        is_open = is_open && epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->socket, &event) == 0;
    }
    return is_open;
}

void load_deinit(struct load *load)
{
    for (size_t i = 0; i < load->options.connection_count; i++) {
        if (load->connections[i].protocol != NULL) {
            connection_deinit(&load->connections[i]);
        }
    }
    mem_free(load->connections);
    if (load->epoll >= 0) {
        (void)close(load->epoll);
    }
    work_deinit(&load->work);
}

/* ---- what failed ---- */

static void fail(struct load *load, const struct problem *problem, uint64_t count)
{
    for (size_t i = 0; i < load->problem_count; i++) {
        if (strcmp(load->problems[i].problem.text, problem->text) == 0) {
            load->problems[i].count += count;
            return;
        }
    }
    if (load->problem_count < PROBLEMS_MAX) {
        load->problems[load->problem_count++] = (struct load_problem){*problem, count};
    } else {
        load->problems[PROBLEMS_MAX - 1].count += count;
    }
}

/* Ends the connection: what is on its way there has failed, for the reason `why`. */
static void drop(struct load *load, struct connection *connection, const char *why)
{
    if (connection->socket < 0) {
        return;
    }
    struct problem problem = {0};
    problem_set(&problem, slice_from_text(why));
    /* One that had nothing to do has ended all the same, and says so. */
    fail(load, &problem, connection->count > 0 ? connection->count : 1);
    load->flying_count -= connection->count;
    connection->count = 0;
    load->alive_count--;
    connection_end(connection); /* which also takes it off the epoll */
}

uint64_t load_error_count(const struct load *load)
{
    uint64_t count = 0;
    for (size_t i = 0; i < load->problem_count; i++) {
        count += load->problems[i].count;
    }
    return count;
}

/* ---- a turn ---- */

/* Sends what is queued, and has the socket watched for room while that does not fit. */
static void flush(struct load *load, struct connection *connection)
{
    if (!connection_flush(connection)) {
        drop(load, connection, strerrorname_np(errno));
        return;
    }
    bool is_waiting = connection->out.size > 0;
    if (is_waiting != connection->is_waiting) {
        connection->is_waiting = is_waiting;
        struct epoll_event event = {.events = EPOLLIN | (is_waiting ? EPOLLOUT : 0u),
                                    .data.ptr = connection};
        if (epoll_ctl(load->epoll, EPOLL_CTL_MOD, connection->socket, &event) != 0) {
            drop(load, connection, strerrorname_np(errno));
        }
    }
}

/* Puts as many requests on their way as may be. */
static void ask(struct load *load, struct connection *connection, uint64_t now)
{
    struct request request;
    while (now < load->window_end_ns && connection_has_room(connection) &&
           work_next(&load->work, &request)) {
        request.sent_ns = now;
        connection_ask(connection, &request);
        load->flying_count++;
    }
    if (connection->out.size > 0) {
        flush(load, connection);
    }
}

static void answer(struct load *load, const struct request *request, const struct problem *problem,
                   uint64_t now)
{
    load->flying_count--;
    load->last_answer_ns = now;
    if (problem->text[0] != '\0') {
        fail(load, problem, 1);
        return;
    }
    load->answered_count++;
    if (request->sent_ns >= load->window_begin_ns) {
        latency_add(&load->latency, now - request->sent_ns);
    }
}

static void receive(struct load *load, struct connection *connection)
{
    if (!connection_receive(connection)) {
        drop(load, connection, "closed");
        return;
    }
    uint64_t now = now_ns();
    bool is_broken = false;
    for (;;) {
        struct request request;
        struct problem problem = {0};
        if (!connection_take(connection, &request, &problem, &is_broken)) {
            break;
        }
        answer(load, &request, &problem, now);
    }
    if (is_broken) {
        drop(load, connection, "nonsense");
        return;
    }
    ask(load, connection, now);
}

/* Whether there is anything left to wait for. */
static bool goes_on(const struct load *load)
{
    uint64_t now = now_ns();
    if (load->alive_count == 0 || now > load->last_answer_ns + PATIENCE_NS) {
        return false;
    }
    return load->flying_count > 0;
}

void load_run(struct load *load)
{
    uint64_t now = now_ns();
    bool has_count = load->work.count_max > 0;
    load->window_begin_ns = now + (has_count ? 0 : load->options.warm_up_ms * NS_PER_MS);
    load->window_end_ns =
        has_count ? UINT64_MAX : load->window_begin_ns + load->options.duration_ms * NS_PER_MS;
    load->last_answer_ns = now;
    for (size_t i = 0; i < load->options.connection_count; i++) {
        ask(load, &load->connections[i], now_ns());
    }
    while (goes_on(load)) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(load->epoll, events, EVENTS_MAX, LOOK_MS);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if ((events[i].events & EPOLLOUT) != 0) {
                flush(load, connection);
            }
            if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0 && connection->socket >= 0) {
                receive(load, connection);
            }
        }
    }
    for (size_t i = 0; i < load->options.connection_count; i++) {
        if (load->connections[i].count > 0) {
            drop(load, &load->connections[i], "unanswered");
        }
    }
}

/* ---- the result ---- */

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

void load_report(const struct load *load, struct writer *out)
{
    const struct latency *latency = &load->latency;
    double seconds = 0;
    if (load->last_answer_ns > load->window_begin_ns) {
        seconds = (double)(load->last_answer_ns - load->window_begin_ns) / 1e9;
    }
    struct rusage usage = {0};
    (void)getrusage(RUSAGE_SELF, &usage);
    writer_format(out, "{\"ops\": %" PRIu64 ", \"seconds\": %.6f, \"rate\": %.1f", latency->count,
                  seconds, seconds > 0 ? (double)latency->count / seconds : 0);
    static const struct {
        const char *name;
        double q;
    } quantiles[] = {{"p50_us", 0.5}, {"p90_us", 0.9}, {"p99_us", 0.99}, {"p999_us", 0.999}};
    for (size_t i = 0; i < ARRAY_COUNT(quantiles); i++) {
        writer_format(out, ", \"%s\": %.2f", quantiles[i].name,
                      latency_quantile_us(latency, quantiles[i].q));
    }
    writer_format(out, ", \"max_us\": %.2f, \"answered\": %" PRIu64 ", \"cpu_seconds\": %.6f",
                  (double)latency->max_ns / 1000, load->answered_count,
                  seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
    writer_format(out, ", \"errors\": {");
    for (size_t i = 0; i < load->problem_count; i++) {
        writer_format(out, "%s\"%s\": %" PRIu64, i > 0 ? ", " : "", load->problems[i].problem.text,
                      load->problems[i].count);
    }
    writer_format(out, "}}\n");
}
