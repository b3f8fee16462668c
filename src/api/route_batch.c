/*
 * POST /batch: operations, a line each, answered a line each and in order; not atomic (docs/api.md,
 * section 4). Many are on their way at a time, so that one fsync does for many.
 *
 *     body ──next line──> parsed ──node_write──> at work ──> done ──the first of them──> stream
 *                           └───────malformed───────────────^
 *
 * B1  Lines are answered in the order of their coming, and at most BATCH_LINES_MAX of them are
 *     between the body and the stream; of those whose answer may be large, BATCH_READS_MAX.
 * B2  A client that does not take its answers stops its batch, and nobody else's; one that is gone
 *     ends it: what is at work is carried out, the rest is not begun.
 */
#include <inttypes.h>
#include <string.h>

#include "api/kv_int.h"
#include "api/txn_answer.h"
#include "api/txn_call.h"
#include "base/assert.h"
#include "base/mem.h"

#define BATCH_LINES_MAX 256u
#define BATCH_READS_MAX 8u
#define BATCH_PIECE_SIZE 16384u

/* It outlives its request: the answer is streamed. */
struct batch {
    struct api *api;
    struct http_stream *stream; /* NULL: the client is gone */
    struct buf *body;
    struct slice rest; /* of the body */
    struct slice request_id;
    uint64_t timeout_ms;
    uint64_t line_number; /* of the last one that was taken, from 1 on */
    struct list lines;    /* in the order of their coming */
    uint32_t line_count;
    uint32_t read_count;
    uint32_t write_count;       /* at work */
    struct batch_line *waiting; /* taken, and one of too many reads; NULL: none */
    struct writer piece;
    bool is_blocked;
    bool is_pumping;
};

struct batch_line {
    struct list link;
    struct batch *batch;
    struct node_write write;
    struct txn_plan plan;
    uint64_t number;
    bool is_read; /* its answer may be large */
    bool is_done;
    struct writer answer;
};

static void pump(struct batch *batch);

/* ---- one line's answer ---- */

static void write_problem(struct batch_line *line, const struct problem *problem, struct slice key,
                          uint64_t revision)
{
    const struct problem_context context = {
        .key = key,
        .request_id = line->batch->request_id,
        .revision = revision > 0 ? revision : node_revision(line->batch->api->node),
        .is_unsafe = true,
    };
    struct writer document = {0};
    api_problem_write(problem, &context, &document);
    struct slice members = writer_slice(&document);
    writer_format(&line->answer, "{\"line\":%" PRIu64 ",", line->number);
    writer_bytes(&line->answer, (struct slice){members.data + 1, members.size - 1});
    writer_deinit(&document);
}

/* The only operation's result, or those of a transaction, after the line's number and status. */
static void write_success(struct batch_line *line, const struct command_result *result)
{
    struct writer *out = &line->answer;
    writer_format(out, "{\"line\":%" PRIu64 ",\"status\":200,", line->number);
    if (!line->plan.is_single) {
        struct writer text = {0};
        api_txn_write_answer(&text, &line->plan, result);
        struct slice members = writer_slice(&text);
        writer_bytes(out, (struct slice){members.data + 1, members.size - 1});
        writer_deinit(&text);
        return;
    }
    struct reader names = reader_of(writer_slice(&line->plan.names[0]));
    struct reader results = reader_of(result->results);
    struct txn_name name;
    struct txn_result one;
    bool has_name = api_txn_next_name(&names, &name);
    ASSERT(has_name);
    err e = txn_result_decode(&results, &one);
    ASSERT(e == OK); /* it was checked when it came */
    writer_format(out, "\"revision\":%" PRIu64 ",", result->revision);
    api_txn_write_result(out, &name, &one);
    writer_bytes(out, SLICE_LITERAL("}\n"));
}

static void write_done(struct node_write *write, const struct command_result *result)
{
    struct batch_line *line = CONTAINER_OF(write, struct batch_line, write);
    struct batch *batch = line->batch;
    if (result->e == OK) {
        write_success(line, result);
    } else {
        struct problem problem = {.e = OK};
        struct slice key;
        api_txn_set_refusal(batch->api->node, &line->plan, result, &problem, &key);
        write_problem(line, &problem, key, result->revision);
    }
    api_txn_plan_deinit(&line->plan);
    line->is_done = true;
    batch->write_count--;
    pump(batch);
}

/* ---- from the body ---- */

/* {"if":…}, {"then":…} and {"else":…} are a whole transaction. */
static bool is_transaction(struct slice text)
{
    static const char *const parts[] = {"\"if\"", "\"then\"", "\"else\""};
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t' || text.data[0] == '{')) {
        text.data++;
        text.size--;
    }
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        size_t size = strlen(parts[i]);
        if (text.size >= size && memcmp(text.data, parts[i], size) == 0) {
            return true;
        }
    }
    return false;
}

static bool returns_values(const struct txn_plan *plan)
{
    struct reader names = reader_of(writer_slice(&plan->names[0]));
    struct txn_name name = {.word = TXN_WORD_GET};
    (void)api_txn_next_name(&names, &name);
    return !plan->is_single || name.word == TXN_WORD_GET ||
           (name.flags & (TXN_RETURN_OLD | TXN_RETURN_NEW)) != 0;
}

static err parse_line(struct batch_line *line, struct slice text, struct problem *problem)
{
    const struct txn_limits limits = {line->batch->api->options.value_bytes_max};
    line->plan.is_single = !is_transaction(text);
    if (!line->plan.is_single) {
        return api_txn_parse(text, &limits, &line->plan, problem);
    }
    err e = api_txn_parse_op(text, &limits, &line->plan, problem);
    return e == OK ? api_txn_finish(&line->plan, problem) : e;
}

/* The next line that has something in it; false: there is none. */
static bool take_text(struct slice *rest, uint64_t *number, struct slice *out_text)
{
    while (rest->size > 0) {
        struct slice text = api_text_split(rest, '\n');
        if (text.size > 0 && text.data[text.size - 1] == '\r') {
            text.size--;
        }
        (*number)++;
        *out_text = api_text_trim(text);
        if (out_text->size > 0) {
            return true;
        }
    }
    return false;
}

/* NULL: that was all. A line that is malformed comes out done. */
static struct batch_line *take_line(struct batch *batch)
{
    struct slice text;
    if (!take_text(&batch->rest, &batch->line_number, &text)) {
        return NULL;
    }
    struct batch_line *line = mem_calloc(1, sizeof(*line));
    line->batch = batch;
    line->number = batch->line_number;
    struct problem problem = {.e = OK};
    if (parse_line(line, text, &problem) != OK) {
        write_problem(line, &problem, SLICE_EMPTY, 0);
        api_txn_plan_deinit(&line->plan);
        line->is_done = true;
        return line;
    }
    line->is_read = returns_values(&line->plan);
    return line;
}

static void submit(struct batch *batch, struct batch_line *line)
{
    struct env *env = batch->api->options.env;
    struct txn txn = txn_builder_result(&line->plan.builder);
    const struct command command = {.type = COMMAND_TXN, .key = line->plan.key, .txn = &txn};
    line->write.command = command_encode(&command);
    txn_builder_deinit(&line->plan.builder);
    line->write.deadline_ms = env_now_ms(env) + batch->timeout_ms;
    line->write.received_ns = env_now_ns(env);
    line->write.done = write_done;
    batch->write_count++;
    node_write(batch->api->node, line->plan.key, &line->write);
}

/* Puts as many lines on their way as may be (B1). */
static void begin_lines(struct batch *batch)
{
    while (batch->line_count < BATCH_LINES_MAX) {
        struct batch_line *line = batch->waiting != NULL ? batch->waiting : take_line(batch);
        batch->waiting = NULL;
        if (line == NULL) {
            return;
        }
        if (line->is_read && batch->read_count == BATCH_READS_MAX) {
            batch->waiting = line;
            return;
        }
        list_push_back(&batch->lines, &line->link);
        batch->line_count++;
        batch->read_count += line->is_read ? 1 : 0;
        if (!line->is_done) {
            submit(batch, line);
        }
    }
}

/* ---- to the stream ---- */

static void free_line(struct batch *batch, struct batch_line *line)
{
    list_remove(&line->link);
    batch->line_count--;
    batch->read_count -= line->is_read ? 1 : 0;
    writer_deinit(&line->answer);
    mem_free(line);
}

static void send_piece(struct batch *batch)
{
    if (batch->piece.size == 0) {
        return;
    }
    struct buf *piece = writer_to_buf(&batch->piece);
    writer_reset(&batch->piece);
    batch->is_blocked = !http_stream_write(batch->stream, piece);
    buf_unref(piece);
}

/* False: the first line is not done, or there is no room. */
static bool send_first(struct batch *batch)
{
    struct list *first = batch->lines.next;
    if (first == &batch->lines || batch->is_blocked) {
        return false;
    }
    struct batch_line *line = CONTAINER_OF(first, struct batch_line, link);
    if (!line->is_done) {
        return false;
    }
    if (batch->stream != NULL) {
        writer_bytes(&batch->piece, writer_slice(&line->answer));
    }
    free_line(batch, line);
    if (batch->piece.size >= BATCH_PIECE_SIZE) {
        send_piece(batch);
    }
    return true;
}

static void send_lines(struct batch *batch)
{
    while (send_first(batch)) {
    }
    if (batch->stream != NULL && !batch->is_blocked) {
        send_piece(batch);
    }
}

/* ---- the whole ---- */

static void free_waiting(struct batch *batch)
{
    if (batch->waiting != NULL) {
        api_txn_plan_deinit(&batch->waiting->plan);
        mem_free(batch->waiting);
        batch->waiting = NULL;
    }
}

static void finish(struct batch *batch)
{
    if (batch->stream != NULL) {
        http_stream_end(batch->stream, true);
    }
    ASSERT(batch->write_count == 0);
    batch->api->batch_bytes -= buf_slice(batch->body).size;
    buf_unref(batch->body);
    writer_deinit(&batch->piece);
    mem_free(batch);
}

/* Does what can be done now; the batch may be gone afterwards. */
static void pump(struct batch *batch)
{
    if (batch->is_pumping) { /* a write was answered from within node_write */
        return;
    }
    batch->is_pumping = true;
    uint32_t left;
    do {
        begin_lines(batch);
        left = batch->line_count;
        send_lines(batch);
    } while (batch->line_count < left && (batch->rest.size > 0 || batch->waiting != NULL));
    batch->is_pumping = false;
    if (batch->line_count == 0 && batch->waiting == NULL && batch->rest.size == 0 &&
        !batch->is_blocked) {
        finish(batch);
    }
}

static void stream_writable(void *ctx, struct http_stream *stream)
{
    struct batch *batch = ctx;
    (void)stream;
    batch->is_blocked = false;
    pump(batch);
}

static void stream_closed(void *ctx, struct http_stream *stream)
{
    struct batch *batch = ctx;
    (void)stream;
    batch->stream = NULL;
    batch->is_blocked = false;
    batch->rest = SLICE_EMPTY;
    free_waiting(batch);
    writer_reset(&batch->piece);
    pump(batch);
}

static void respond_lines(struct exchange *x)
{
    static const struct http_stream_handler handler = {stream_writable, stream_closed};
    struct slice body = buf_slice(http_body(x->request));
    if (body.size > API_BATCH_BYTES_MAX - x->api->batch_bytes) {
        api_exchange_refuse(x, ERR_OVERLOADED,
                            "too many batches are at work; try again a little later");
        return;
    }
    x->api->batch_bytes += body.size;
    struct batch *batch = mem_calloc(1, sizeof(*batch) + x->request_id.size);
    uint8_t *id = (uint8_t *)(batch + 1);
    memcpy(id, x->request_id.data, x->request_id.size);
    batch->api = x->api;
    batch->body = buf_ref(http_body(x->request));
    batch->rest = body;
    batch->request_id = (struct slice){id, x->request_id.size};
    batch->timeout_ms = x->txn->timeout_ms;
    list_init(&batch->lines);
    api_exchange_field(x, "Content-Type", SLICE_LITERAL("application/x-ndjson"));
    api_exchange_field(x, "Cache-Control", SLICE_LITERAL("no-store"));
    batch->stream = api_exchange_respond_stream(x, &handler, batch);
    if (batch->stream == NULL) {
        batch->rest = SLICE_EMPTY;
    }
    pump(batch);
}

/* ---- all or nothing ---- */

static err parse_all(struct exchange *x, struct problem *problem)
{
    const struct txn_limits limits = {x->api->options.value_bytes_max};
    struct txn_plan *plan = &x->txn->plan;
    struct slice rest = buf_slice(http_body(x->request));
    struct slice text;
    uint64_t number = 0;
    while (take_text(&rest, &number, &text)) {
        err e = api_txn_parse_op(text, &limits, plan, problem);
        if (e != OK) {
            char detail[PROBLEM_DETAIL_SIZE];
            memcpy(detail, problem->detail, sizeof(detail));
            return api_problem_set(problem, e, "line %" PRIu64 ": %s; no line was carried out",
                                   number, detail);
        }
    }
    return api_txn_finish(plan, problem);
}

/* ---- the route ---- */

static err take_atomic(void *ctx, struct slice value, struct problem *problem)
{
    struct txn_call *call = ctx;
    call->is_atomic = value.size == 0 || slice_equal(value, SLICE_LITERAL("1")) ||
                      slice_equal(value, SLICE_LITERAL("true"));
    if (!call->is_atomic && !slice_equal(value, SLICE_LITERAL("0")) &&
        !slice_equal(value, SLICE_LITERAL("false"))) {
        return api_problem_set(problem, ERR_BAD_REQUEST, "atomic is 1 or 0");
    }
    return OK;
}

err api_batch_prepare(struct exchange *x, struct problem *problem)
{
    static const struct param_own params[] = {{"atomic", take_atomic},
                                              {"timeout", api_txn_call_timeout}};
    err e = api_txn_call_new(x, params, ARRAY_COUNT(params), problem);
    if (e == OK && x->txn->idempotency_key.size > 0 && !x->txn->is_atomic) {
        e = api_problem_set(problem, ERR_BAD_REQUEST,
                            "a batch is answered line by line, so there is no one answer to an "
                            "Idempotency-Key; ?atomic=1 makes it one transaction, which has one");
    }
    return e;
}

void api_batch_answer(struct exchange *x)
{
    if (!x->txn->is_atomic) {
        respond_lines(x);
        return;
    }
    struct problem problem = {.e = OK};
    if (parse_all(x, &problem) != OK) {
        api_txn_call_refuse(x, &problem);
        return;
    }
    api_txn_call_run(x);
}
