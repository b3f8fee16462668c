#include "main/bench.h"

#include "api/text.h"
#include "base/assert.h"
#include "base/mem.h"
#include "base/prng.h"
#include "env/uv.h"
#include "main/bench_work.h"
#include "main/client_text.h"
#include "main/connection.h"
#include "main/process.h"

#define TICK_MS 20u
#define PAUSE_MS_MIN 20u
#define PAUSE_MS_MAX 1000u
#define MIXED_GETS 9u /* to a put */
#define WRONG_VALUE "wrong value"
#define PROBLEM_SIZE 65536u /* kept of an answer, at least */

/* A connection, and the request that it has or is to send. */
struct slot {
    struct bench *bench;
    struct connection connection;
    size_t endpoint;
    uint64_t again_ms; /* neither dialled nor sent on before */
    uint32_t pause_ms;
    bool has_request;
    bool is_sent;
    bool is_dialled; /* and not connected yet */
    bool is_spent;   /* to be closed, and dialled anew */
    bool is_settled; /* it had a request of this phase */
    enum bench_operation operation;
    uint64_t key;
    uint64_t first_ms;   /* when it was first to be sent */
    uint64_t give_up_ms; /* its answer, or its connection, has to be there by then */
    uint64_t sent_ns;
    bool may_be_done;
};

struct bench {
    struct env *env;
    const struct endpoints *endpoints;
    struct bench_settings settings;
    struct bench_work work;
    struct prng prng;
    struct env_timer tick;
    struct slot *slots;
    bool *is_left;   /* by key: it may be there */
    uint64_t number; /* of the next value */
    /* The phase that runs. */
    struct bench_result *result;
    uint64_t next;   /* how many requests were begun, or keys passed over */
    uint64_t end_ms; /* of a phase over time */
    bool is_stopped;
    size_t busy; /* slots with a request */
    enum exit_status failure;
    struct err_note failure_note;
    struct writer scratch;
};

bool main_bench_is_over_time(enum bench_phase phase)
{
    return phase == BENCH_PUT || phase == BENCH_GET || phase == BENCH_MIXED;
}

static bool is_over_time(const struct bench *bench)
{
    return main_bench_is_over_time(bench->result->phase);
}

/* ---- what is asked next ---- */

/* What was not answered well is not asked again. */
static bool is_given_up(const struct bench *bench)
{
    return bench->is_stopped || bench->failure != EXIT_OK ||
           (is_over_time(bench) && env_now_ms(bench->env) >= bench->end_ms);
}

/* Nothing new is begun. */
static bool has_ended(const struct bench *bench)
{
    bool is_settle = bench->result->phase == BENCH_SETTLE;
    uint64_t count = is_settle ? bench->settings.connections : bench->settings.keys;
    return is_given_up(bench) || (!is_over_time(bench) && bench->next == count);
}

static enum bench_operation draw_operation(struct bench *bench)
{
    switch (bench->result->phase) {
    case BENCH_FILL:
    case BENCH_PUT:
        return BENCH_OPERATION_PUT;
    case BENCH_GET:
    case BENCH_SETTLE:
        return BENCH_OPERATION_GET;
    case BENCH_MIXED:
        return prng_below(&bench->prng, MIXED_GETS + 1) == 0 ? BENCH_OPERATION_PUT
                                                             : BENCH_OPERATION_GET;
    case BENCH_REMOVE:
        return BENCH_OPERATION_DELETE;
    default:
        UNREACHABLE();
    }
}

/* False: nothing is left to ask. */
static bool take_request(struct bench *bench, struct slot *slot)
{
    enum bench_phase phase = bench->result->phase;
    while (phase == BENCH_REMOVE && bench->next < bench->settings.keys &&
           !bench->is_left[bench->next]) {
        bench->next++;
    }
    if (has_ended(bench) || (phase == BENCH_SETTLE && slot->is_settled)) {
        return false;
    }
    slot->key = phase == BENCH_FILL || phase == BENCH_REMOVE
                    ? bench->next
                    : prng_below(&bench->prng, bench->settings.keys);
    slot->is_settled = true;
    bench->next++;
    slot->operation = draw_operation(bench);
    slot->has_request = true;
    slot->may_be_done = false;
    slot->first_ms = env_now_ms(bench->env);
    bench->busy++;
    return true;
}

static void drop_request(struct slot *slot)
{
    ASSERT(slot->has_request);
    slot->has_request = false;
    slot->is_sent = false;
    slot->bench->busy--;
}

static const char *method_of(enum bench_operation operation)
{
    static const char *const methods[BENCH_OPERATION_COUNT] = {"PUT", "GET", "DELETE"};
    ASSERT(operation < BENCH_OPERATION_COUNT);
    return methods[operation];
}

static void send_request(struct bench *bench, struct slot *slot)
{
    struct writer *head = &bench->scratch;
    struct buf *parts[2] = {NULL, NULL};
    size_t count = 1;
    writer_reset(head);
    writer_format(head, "%s ", method_of(slot->operation));
    main_bench_work_path(&bench->work, slot->key, head);
    if (slot->operation == BENCH_OPERATION_GET && bench->settings.is_stale &&
        bench->result->phase != BENCH_SETTLE) {
        writer_bytes(head, SLICE_LITERAL("?consistency=stale"));
    }
    writer_format(head, " HTTP/1.1\r\nHost: %s\r\nUser-Agent: pontoon/" PONTOON_VERSION "\r\n",
                  bench->endpoints->addresses[slot->endpoint]);
    if (slot->operation == BENCH_OPERATION_PUT) {
        writer_format(head, "Content-Length: %zu\r\n", bench->work.value_size);
        parts[1] = main_bench_work_value(&bench->work, slot->key, bench->number++);
        count = parts[1]->size > 0 ? 2 : 1;
    }
    writer_bytes(head, SLICE_LITERAL("\r\n"));
    parts[0] = writer_to_buf(head);
    slot->is_sent = true;
    slot->give_up_ms = env_now_ms(bench->env) + bench->settings.timeout_ms;
    slot->sent_ns = env_now_ns(bench->env);
    main_connection_send(&slot->connection, parts, count);
    buf_drop(&parts[0]);
    buf_drop(&parts[1]);
}

/* Sends what is to be sent, if it may be now. */
static void proceed(struct slot *slot)
{
    struct bench *bench = slot->bench;
    if (!slot->connection.is_up || slot->is_spent || slot->is_sent ||
        slot->again_ms > env_now_ms(bench->env)) {
        return;
    }
    if (slot->has_request || take_request(bench, slot)) {
        send_request(bench, slot);
    }
}

/* ---- how it ends ---- */

static void fail(struct bench *bench, enum exit_status status, struct slice why)
{
    if (bench->failure == EXIT_OK) {
        bench->failure = status;
        (void)err_note_set(&bench->failure_note, ERR_UNAVAILABLE, "%.*s", SLICE_ARGS(why));
    }
}

static void may_be_done(struct slot *slot)
{
    slot->may_be_done = true;
    if (slot->operation == BENCH_OPERATION_PUT) {
        slot->bench->is_left[slot->key] = true;
    }
}

static void rest(struct slot *slot, uint64_t retry_after_ms)
{
    slot->again_ms =
        env_now_ms(slot->bench->env) + (retry_after_ms > 0 ? retry_after_ms : slot->pause_ms);
    slot->pause_ms = slot->pause_ms < PAUSE_MS_MAX / 2 ? slot->pause_ms * 2 : PAUSE_MS_MAX;
}

/* An attempt came to nothing, and may be repeated (B2, B4). */
static void put_off(struct slot *slot, struct slice why)
{
    struct bench *bench = slot->bench;
    uint64_t tried_ms = env_now_ms(bench->env) - slot->first_ms;
    slot->is_sent = false;
    if (!is_over_time(bench) && !bench->is_stopped && tried_ms >= bench->settings.timeout_ms) {
        fail(bench, slot->may_be_done ? EXIT_UNKNOWN : EXIT_UNAVAILABLE, why);
    }
    if (is_given_up(bench)) {
        drop_request(slot);
    }
}

static bool is_as_it_has_to_be(const struct slot *slot, const struct connection_answer *answer)
{
    if (slot->operation == BENCH_OPERATION_DELETE) {
        return answer->status == 200 || answer->status == 204 || answer->status == 404;
    }
    return answer->status == 200 ||
           (slot->operation == BENCH_OPERATION_PUT && answer->status == 201);
}

static void count_failure(struct slot *slot, const struct connection_answer *answer)
{
    struct writer title = {0};
    const struct client_answer problem = {
        .status = answer->status, .content_type = answer->content_type, .body = answer->body};
    main_client_text_title(&title, &problem);
    main_bench_tally_fail(&slot->bench->result->tallies[slot->operation], writer_slice(&title));
    writer_deinit(&title);
}

static void refused(struct slot *slot, const struct connection_answer *answer)
{
    struct bench *bench = slot->bench;
    struct writer why = {0};
    count_failure(slot, answer);
    main_connection_explain(answer, bench->endpoints->addresses[slot->endpoint], &why);
    rest(slot, answer->retry_after_ms);
    if (main_connection_may_be_done(answer->status)) {
        may_be_done(slot);
    }
    if (main_connection_may_repeat(answer->status)) {
        slot->is_spent = slot->is_spent || bench->endpoints->count > 1; /* B5 */
        put_off(slot, writer_slice(&why));
    } else {
        if (!is_over_time(bench)) {
            fail(bench, EXIT_FAILED, writer_slice(&why));
        }
        drop_request(slot);
    }
    writer_deinit(&why);
}

/* The answer has the status that it has to have. */
static void succeeded(struct slot *slot, const struct connection_answer *answer, uint64_t now_ns)
{
    struct bench *bench = slot->bench;
    struct bench_tally *tally = &bench->result->tallies[slot->operation];
    slot->pause_ms = PAUSE_MS_MIN;
    if (slot->operation == BENCH_OPERATION_GET &&
        !main_bench_work_is_value(&bench->work, slot->key, answer->body)) {
        main_bench_tally_fail(tally, SLICE_LITERAL(WRONG_VALUE));
        if (!is_over_time(bench)) {
            fail(bench, EXIT_FAILED, SLICE_LITERAL(WRONG_VALUE));
        }
    } else {
        main_bench_tally_add(tally, now_ns - slot->sent_ns,
                             slot->operation == BENCH_OPERATION_DELETE ? 0
                                                                       : bench->work.value_size);
    }
    bench->is_left[slot->key] = slot->operation != BENCH_OPERATION_DELETE;
    drop_request(slot);
}

static void on_answered(void *ctx, const struct connection_answer *answer)
{
    struct slot *slot = ctx;
    struct bench *bench = slot->bench;
    uint64_t now_ns = env_now_ns(bench->env);
    ASSERT(slot->is_sent);
    bench->result->end_ns = now_ns;
    slot->is_spent = answer->is_last;
    if (is_as_it_has_to_be(slot, answer)) {
        succeeded(slot, answer, now_ns);
    } else {
        refused(slot, answer);
    }
    proceed(slot);
}

/* ---- connections ---- */

static void on_connected(void *ctx)
{
    struct slot *slot = ctx;
    slot->is_dialled = false;
    proceed(slot);
}

static void on_lost(void *ctx, const char *why)
{
    struct slot *slot = ctx;
    struct bench *bench = slot->bench;
    bool is_failure = slot->is_sent || slot->is_dialled;
    struct writer text = {0};
    writer_format(&text, "%s: %s", bench->endpoints->addresses[slot->endpoint], why);
    slot->endpoint = (slot->endpoint + 1) % bench->endpoints->count;
    slot->is_spent = false;
    slot->is_dialled = false;
    if (slot->is_sent) {
        may_be_done(slot);
    }
    if (is_failure) {
        rest(slot, 0);
    }
    if (is_failure && slot->has_request) {
        main_bench_tally_fail(&bench->result->tallies[slot->operation], slice_from_text(why));
        bench->result->end_ns = env_now_ns(bench->env);
        put_off(slot, writer_slice(&text));
    }
    writer_deinit(&text);
}

/* What time brings: a node that is silent, a rest that is over, a connection to be made. */
static void tend(struct slot *slot, uint64_t now_ms)
{
    struct bench *bench = slot->bench;
    struct connection *connection = &slot->connection;
    if (slot->has_request && !slot->is_sent && is_given_up(bench)) {
        drop_request(slot);
        if (slot->is_dialled) {
            main_connection_close(connection);
            slot->is_dialled = false;
        }
    }
    if ((slot->is_sent || slot->is_dialled) && slot->give_up_ms <= now_ms) {
        main_connection_close(connection);
        on_lost(slot, slot->is_sent ? CONNECTION_NO_ANSWER : "no connection within --timeout");
    } else if (slot->is_spent && !slot->is_sent) {
        main_connection_close(connection);
        on_lost(slot, "");
    }
    if (connection->stream != NULL) {
        proceed(slot);
    } else if (slot->again_ms <= now_ms && (slot->has_request || take_request(bench, slot))) {
        slot->give_up_ms = now_ms + bench->settings.timeout_ms;
        slot->is_dialled = true;
        main_connection_dial(connection, bench->endpoints->addresses[slot->endpoint]);
    }
}

static void tend_all(struct bench *bench)
{
    uint64_t now_ms = env_now_ms(bench->env);
    for (size_t i = 0; i < bench->settings.connections; i++) {
        tend(&bench->slots[i], now_ms);
    }
}

static void on_tick(struct env_timer *timer)
{
    tend_all(CONTAINER_OF(timer, struct bench, tick));
}

/* ---- what callers see ---- */

struct bench *main_bench_open(struct env *env, const struct endpoints *endpoints,
                              const struct bench_settings *settings)
{
    static const struct connection_handler handler = {
        .connected = on_connected, .answered = on_answered, .lost = on_lost};
    struct bench *bench = mem_calloc(1, sizeof(*bench));
    size_t body_size_max =
        settings->value_bytes < PROBLEM_SIZE ? PROBLEM_SIZE : settings->value_bytes + 1;
    bench->env = env;
    bench->endpoints = endpoints;
    bench->settings = *settings;
    bench->slots = mem_calloc(settings->connections, sizeof(*bench->slots));
    bench->is_left = mem_calloc(settings->keys, sizeof(*bench->is_left));
    main_bench_work_init(&bench->work, settings->prefix, env_random(env), settings->value_bytes);
    prng_init(&bench->prng, env_random(env));
    env_timer_init(env, &bench->tick, on_tick);
    for (size_t i = 0; i < settings->connections; i++) {
        struct slot *slot = &bench->slots[i];
        slot->bench = bench;
        slot->endpoint = i % endpoints->count;
        slot->pause_ms = PAUSE_MS_MIN;
        main_connection_init(&slot->connection, env, body_size_max, &handler, slot);
    }
    return bench;
}

void main_bench_close(struct bench *bench)
{
    if (bench == NULL) {
        return;
    }
    for (size_t i = 0; i < bench->settings.connections; i++) {
        main_connection_deinit(&bench->slots[i].connection);
    }
    env_timer_deinit(&bench->tick);
    main_bench_work_deinit(&bench->work);
    writer_deinit(&bench->scratch);
    mem_free(bench->is_left);
    mem_free(bench->slots);
    mem_free(bench);
}

enum exit_status main_bench_run(struct bench *bench, enum bench_phase phase,
                                struct bench_result *result, struct err_note *note)
{
    *result = (struct bench_result){.phase = phase};
    bench->result = result;
    bench->next = 0;
    bench->is_stopped = false;
    bench->failure = EXIT_OK;
    bench->end_ms = UINT64_MAX;
    env_uv_run_once(bench->env, false); /* its clock goes on with its turns */
    double cpu_seconds = main_process_cpu_seconds();
    bench->end_ms = env_now_ms(bench->env) + bench->settings.duration_ms;
    result->begin_ns = env_now_ns(bench->env);
    result->end_ns = result->begin_ns;
    for (size_t i = 0; i < bench->settings.connections; i++) {
        bench->slots[i].is_settled = false;
    }
    env_timer_start(&bench->tick, TICK_MS, TICK_MS);
    tend_all(bench);
    while (bench->busy > 0 || !has_ended(bench)) {
        env_uv_run_once(bench->env, true);
    }
    env_timer_stop(&bench->tick);
    if (main_bench_good(result) == 0) {
        result->end_ns = env_now_ns(bench->env);
    }
    result->cpu_seconds = main_process_cpu_seconds() - cpu_seconds;
    if (bench->failure != EXIT_OK) {
        *note = bench->failure_note;
    }
    return bench->failure;
}

void main_bench_stop(struct bench *bench)
{
    bench->is_stopped = true;
}

struct slice main_bench_prefix(const struct bench *bench)
{
    return writer_slice(&bench->work.prefix);
}

uint64_t main_bench_keys_left(const struct bench *bench)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < bench->settings.keys; i++) {
        count += bench->is_left[i];
    }
    return count;
}

uint64_t main_bench_good(const struct bench_result *result)
{
    uint64_t count = 0;
    for (size_t i = 0; i < BENCH_OPERATION_COUNT; i++) {
        count += result->tallies[i].latency.count;
    }
    return count;
}

uint64_t main_bench_failed(const struct bench_result *result)
{
    uint64_t count = 0;
    for (size_t i = 0; i < BENCH_OPERATION_COUNT; i++) {
        count += result->tallies[i].failed;
    }
    return count;
}

const char *main_bench_phase_name(enum bench_phase phase)
{
    static const char *const names[] = {"fill", "settle", "put", "get", "mixed", "remove"};
    return names[phase];
}

const char *main_bench_operation_name(enum bench_operation operation)
{
    static const char *const names[BENCH_OPERATION_COUNT] = {"put", "get", "delete"};
    return names[operation];
}
