/*
 * POST /import: the lines of an export, written key by key (docs/api.md, section 3).
 *
 *     body ──a piece a turn──> checked ──a piece a turn──> node_write, many at a time ──> answered
 *                                 └──refused: nothing was written
 *
 * M1  Nothing is written before all of it was read and its checksum is right.
 * M2  Each key is written as by PUT. After the first refusal none is begun; the answer, which names
 *     its line, comes when nothing is on its way any more.
 * M3  The body is parsed a piece a turn: nobody waits for it.
 */
#include <inttypes.h>
#include <string.h>

#include "api/export_format.h"
#include "api/kv_int.h"
#include "api/kv_intent.h"
#include "api/linger.h"
#include "base/assert.h"
#include "base/mem.h"

#define IMPORT_TURN_BYTES (128u << 10)
#define IMPORT_WRITES_MAX 64u

enum import_mode {
    IMPORT_OVERWRITE,
    IMPORT_CREATE, /* what is there stays */
};

struct import_query {
    enum import_mode mode;
    uint64_t timeout_ms; /* of each key */
};

struct import {
    struct exchange *x;
    struct import_query query;
    struct slice rest; /* of the body */
    struct export_parser parser;
    struct env_timer timer;
    struct lingerer linger;
    bool is_checked; /* M1 */
    bool is_stopped; /* none is begun any more */
    bool is_unknown; /* whether one was written */
    bool is_stepping;
    uint32_t write_count; /* on their way */
    uint64_t written;
    uint64_t skipped;
    uint64_t revision;      /* of the last one that was written */
    struct problem problem; /* of the first refusal */
};

struct import_write {
    struct node_write write;
    struct import *import;
    uint64_t line;
};

static void advance(struct import *import);

/* ---- the answer ---- */

static void import_free(struct import *import)
{
    struct api *api = import->x->api;
    ASSERT(import->write_count == 0);
    env_timer_deinit(&import->timer);
    api_linger_stop(api, &import->linger);
    api_export_parser_deinit(&import->parser);
    api->batch_bytes -= buf_slice(http_body(import->x->request)).size;
    mem_free(import);
}

/* Now that nothing is on its way any more. */
static void say_what_was_written(const struct import *import, struct problem *problem)
{
    char *detail = problem->detail;
    size_t size = strlen(detail);
    problem->is_partial = import->written > 0;
    problem->written = import->written;
    if (import->is_unknown) {
        problem->e = ERR_OUTCOME_UNKNOWN; /* of a later one, maybe */
    }
    const char *rest = "; nothing was written";
    if (import->is_unknown) {
        rest = "; of other keys some were written, and one may be: an import may be repeated";
    } else if (problem->is_partial) {
        rest = "; other keys were written: an import may be repeated";
    }
    size_t rest_size = strlen(rest) + 1;
    size_t at = size + rest_size <= PROBLEM_DETAIL_SIZE ? size : PROBLEM_DETAIL_SIZE - rest_size;
    memcpy(detail + at, rest, rest_size);
}

static void finish(struct import *import)
{
    struct exchange *x = import->x;
    if (import->problem.e != OK) {
        struct problem problem = import->problem;
        say_what_was_written(import, &problem);
        import_free(import);
        api_exchange_respond_problem(x, &problem);
        return;
    }
    struct writer document = {0};
    x->has_revision = import->revision > 0;
    x->revision = import->revision;
    writer_format(&document,
                  "{\"keys\":%" PRIu64 ",\"written\":%" PRIu64 ",\"skipped\":%" PRIu64 "}\n",
                  import->parser.sums.records, import->written, import->skipped);
    import_free(import);
    api_exchange_field_text(x, "Content-Type", "application/json");
    api_exchange_field_text(x, "Cache-Control", "no-store");
    api_exchange_respond(x, 200, NULL, writer_slice(&document));
    writer_deinit(&document);
}

/* Nothing more is begun; the first reason counts. */
static void stop(struct import *import, err e, uint64_t line, const char *why)
{
    import->is_stopped = true;
    if (import->problem.e != OK) {
        return;
    }
    err set = line > 0 ? api_problem_set(&import->problem, e, "line %" PRIu64 ": %s", line, why)
                       : api_problem_set(&import->problem, e, "%s", why);
    ASSERT(set == e);
}

/* ---- writing ---- */

static void write_done(struct node_write *write, const struct command_result *result)
{
    struct import_write *one = CONTAINER_OF(write, struct import_write, write);
    struct import *import = one->import;
    bool is_there = result->e == ERR_PRECONDITION_FAILED && import->query.mode == IMPORT_CREATE;
    import->write_count--;
    if (result->e == OK) {
        import->written++;
        import->revision =
            result->revision > import->revision ? result->revision : import->revision;
    } else if (is_there) {
        import->skipped++;
    } else {
        struct problem problem = {.e = OK};
        api_kv_set_refusal(import->x->api->node, result, &problem);
        if (import->problem.e == OK) {
            import->problem.setting = problem.setting;
            import->problem.limit = problem.limit;
            import->problem.used = problem.used;
        }
        import->is_unknown = import->is_unknown || result->e == ERR_OUTCOME_UNKNOWN;
        stop(import, result->e, one->line, problem.detail);
    }
    mem_free(one);
    advance(import);
}

static struct buf *encode(const struct import *import, struct slice key)
{
    struct slice value = writer_slice(&import->parser.value);
    struct slice content_type = writer_slice(&import->parser.content_type);
    struct command command = {
        .type = COMMAND_PUT, .key = key, .value = value, .content_type = content_type};
    if (import->query.mode == IMPORT_OVERWRITE) {
        return command_encode(&command);
    }
    struct txn_builder builder = {0};
    const struct txn_check check = {
        .target = TXN_MOD_REVISION, .relation = TXN_EQUAL, .key = key, .number = 0};
    const struct txn_op op = {
        .type = TXN_PUT, .key = key, .value = value, .content_type = content_type};
    txn_add_check(&builder, &check);
    txn_add_op(&builder, &op, false);
    const struct txn txn = txn_builder_result(&builder);
    command = (struct command){.type = COMMAND_TXN, .key = key, .txn = &txn};
    struct buf *encoded = command_encode(&command);
    txn_builder_deinit(&builder);
    return encoded;
}

static void submit(struct import *import)
{
    struct api *api = import->x->api;
    struct slice key = writer_slice(&import->parser.key);
    struct import_write *one = mem_calloc(1, sizeof(*one));
    one->import = import;
    one->line = import->parser.lines;
    one->write.command = encode(import, key);
    one->write.deadline_ms = env_now_ms(api->options.env) + import->query.timeout_ms;
    one->write.received_ns = env_now_ns(api->options.env);
    one->write.done = write_done;
    import->write_count++;
    node_write(api->node, key, &one->write);
}

/* ---- reading ---- */

/* What PUT would refuse of a record. */
static void check_record(struct import *import)
{
    const struct export_parser *parser = &import->parser;
    uint64_t limit = import->x->api->options.value_bytes_max;
    if (parser->value.size > limit) {
        import->problem.limit = limit;
        import->problem.setting = "max-value-bytes";
        stop(import, ERR_TOO_LARGE, parser->lines, "its value is larger than a value may be");
    } else if (!api_kv_is_field_text(writer_slice(&parser->content_type))) {
        stop(import, ERR_BAD_REQUEST, parser->lines,
             "a content type is visible ASCII, as it is sent back with the value");
    }
}

static void take_line(struct import *import)
{
    struct slice line = api_text_split(&import->rest, '\n');
    enum export_line kind;
    struct err_note note = {.text = ""};
    err e = api_export_take(&import->parser, line, &kind, &note);
    if (e != OK) {
        ASSERT(!import->is_checked);
        stop(import, ERR_BAD_REQUEST, import->parser.lines, note.text);
    } else if (kind == EXPORT_RECORD && import->is_checked) {
        submit(import);
    } else if (kind == EXPORT_RECORD) {
        check_record(import);
    }
}

/* All of it was read. */
static void end_check(struct import *import)
{
    struct err_note note = {.text = ""};
    if (api_export_finish(&import->parser, &note) != OK) {
        stop(import, ERR_BAD_REQUEST, 0, note.text);
        return;
    }
    api_export_parser_deinit(&import->parser);
    import->parser = (struct export_parser){.lines = 0};
    import->is_checked = true;
    import->rest = buf_slice(http_body(import->x->request));
}

static void step(struct env_timer *timer)
{
    struct import *import = CONTAINER_OF(timer, struct import, timer);
    size_t begun = import->rest.size;
    import->is_stepping = true;
    while (!import->is_stopped && import->rest.size > 0 &&
           import->write_count < IMPORT_WRITES_MAX &&
           begun - import->rest.size < IMPORT_TURN_BYTES) {
        take_line(import);
    }
    if (!import->is_stopped && import->rest.size == 0 && !import->is_checked) {
        end_check(import);
    }
    import->is_stepping = false;
    advance(import);
}

/* It goes on in the next turn, or waits for a write, or has come to its end. */
static void advance(struct import *import)
{
    if (import->is_stepping) { /* a write was answered from within node_write */
        return;
    }
    bool has_more = !import->is_stopped && import->rest.size > 0;
    if (!has_more && import->write_count == 0) {
        finish(import);
    } else if (has_more && import->write_count < IMPORT_WRITES_MAX) {
        env_timer_start(&import->timer, 0, 0);
    }
}

static void visit(struct lingerer *linger, enum linger_reason reason)
{
    struct import *import = CONTAINER_OF(linger, struct import, linger);
    struct exchange *x = import->x;
    if (reason == LINGER_END) {
        stop(import, ERR_DRAINING, 0, node_explain_draining(x->api->node));
    } else if (!http_is_connected(x->request)) {
        stop(import, ERR_DRAINING, 0, "the client has gone");
    } else {
        return;
    }
    env_timer_stop(&import->timer);
    advance(import);
}

/* ---- the route ---- */

static err take_mode(void *ctx, struct slice value, struct problem *problem)
{
    struct import_query *query = ctx;
    query->mode = slice_equal(value, SLICE_LITERAL("create")) ? IMPORT_CREATE : IMPORT_OVERWRITE;
    if (query->mode != IMPORT_CREATE && !slice_equal(value, SLICE_LITERAL("overwrite"))) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "mode is \"overwrite\" (the default: keys that are there are "
                               "replaced) or \"create\" (they stay as they are)");
    }
    return OK;
}

static err take_timeout(void *ctx, struct slice value, struct problem *problem)
{
    return api_params_take_timeout(value, &((struct import_query *)ctx)->timeout_ms, problem);
}

err api_import_prepare(struct exchange *x, struct problem *problem)
{
    static const struct param_own rows[] = {{"mode", take_mode}, {"timeout", take_timeout}};
    struct import_query *query = http_alloc(x->request, sizeof(*query));
    *query = (struct import_query){.timeout_ms = x->api->options.request_timeout_ms};
    x->import = query;
    x->is_patient = true;
    struct slice text = http_query(x->request);
    uint8_t *memory = text.size > 0 ? http_alloc(x->request, text.size) : NULL;
    err e =
        api_kv_intent_refuse(x->request, 0, ERR_NOT_IMPLEMENTED,
                             "an import does not look at it; ?mode=create leaves what is there, "
                             "and an import may be repeated",
                             problem);
    return e == OK ? api_params_parse_own(text, memory, rows, ARRAY_COUNT(rows), query, problem)
                   : e;
}

void api_import_answer(struct exchange *x)
{
    struct api *api = x->api;
    struct slice body = buf_slice(http_body(x->request));
    struct import *import = mem_calloc(1, sizeof(*import));
    *import = (struct import){.x = x, .query = *x->import, .rest = body};
    import->linger.visit = visit;
    if (body.size > API_BATCH_BYTES_MAX - api->batch_bytes ||
        api_linger_start(api, &import->linger) != OK) {
        mem_free(import);
        api_exchange_refuse(x, ERR_OVERLOADED,
                            "too many imports and batches are at work: nothing was written; try "
                            "again a little later");
        return;
    }
    api->batch_bytes += body.size;
    env_timer_init(api->options.env, &import->timer, step);
    env_timer_start(&import->timer, 0, 0);
}
