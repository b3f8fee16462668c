#include "api/problem.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "api/text.h"
#include "base/assert.h"

#define RETRY_AFTER_SECONDS 1u /* an election is over by then */

err api_problem_set(struct problem *problem, err e, const char *format, ...)
{
    ASSERT(e != OK);
    problem->e = e;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(problem->detail, sizeof(problem->detail), format, args);
    va_end(args);
    return e;
}

static void write_text(struct writer *out, const char *name, struct slice value)
{
    writer_format(out, ",\"%s\":", name);
    api_text_json(out, value);
}

static void write_bytes(struct writer *out, const char *name, struct slice value)
{
    writer_u8(out, ',');
    api_text_json_member(out, name, value);
}

static void write_u64(struct writer *out, const char *name, uint64_t value)
{
    writer_format(out, ",\"%s\":%" PRIu64, name, value);
}

static void write_state(struct writer *out, const struct problem *problem)
{
    if (problem->etag > 0) {
        writer_format(out, ",\"etag\":\"%" PRIu64 "\"", problem->etag);
    }
    if (problem->has_clause) {
        write_u64(out, "clause", problem->clause);
    }
    if (problem->has_operation) {
        write_u64(out, "operation", problem->operation);
    }
    if (problem->is_partial) {
        write_u64(out, "written", problem->written);
    }
    if (problem->oldest > 0) {
        write_u64(out, "oldest", problem->oldest);
    }
    if (problem->restart.size > 0) {
        write_text(out, "restart", problem->restart);
    }
    if (problem->holder.size > 0) {
        write_bytes(out, "holder", problem->holder);
    }
}

static void write_extensions(struct writer *out, const struct problem *problem)
{
    if (problem->limit > 0) {
        write_u64(out, "limit", problem->limit);
    }
    if (problem->used > 0) {
        write_u64(out, "used", problem->used);
    }
    if (problem->setting != NULL) {
        write_text(out, "setting", slice_from_text(problem->setting));
    }
    if (problem->parameter.size > 0) {
        write_text(out, "parameter", problem->parameter);
    }
    if (problem->did_you_mean != NULL) {
        write_text(out, "did_you_mean", slice_from_text(problem->did_you_mean));
    }
}

uint64_t api_problem_retry_after(const struct problem *problem)
{
    if (problem->retry_after_s > 0) {
        return problem->retry_after_s;
    }
    int status = err_http_status(problem->e);
    bool may_pass = status == 503 || status == 429 || status == 423 || problem->e == ERR_CONFLICT ||
                    problem->e == ERR_IDEMPOTENCY_IN_PROGRESS;
    return may_pass ? RETRY_AFTER_SECONDS : 0;
}

/* What a safe method was refused cannot have changed anything, whatever broke. */
const char *api_problem_outcome(const struct problem *problem, bool is_unsafe)
{
    err e = problem->e;
    if (!is_unsafe && err_http_status(e) < 500) {
        return NULL;
    }
    if (is_unsafe && err_outcome(e) == OUTCOME_UNKNOWN) {
        return "unknown";
    }
    return problem->is_partial ? "partial" : "not-applied";
}

void api_problem_write(const struct problem *problem, const struct problem_context *context,
                       struct writer *out)
{
    err e = problem->e;
    ASSERT(e != OK);
    writer_format(out, "{\"type\":\"/problems/%s\",\"title\":\"%s\",\"status\":%d", err_slug(e),
                  err_title(e), err_http_status(e));
    write_text(out, "detail", slice_from_text(problem->detail));
    if (context->key.size > 0) {
        write_bytes(out, "key", context->key);
    }
    write_state(out, problem);
    write_extensions(out, problem);
    if (context->allow != NULL) {
        write_text(out, "allow", slice_from_text(context->allow));
    }
    write_u64(out, "revision", context->revision);
    const char *outcome = api_problem_outcome(problem, context->is_unsafe);
    if (outcome != NULL) {
        write_text(out, "outcome", slice_from_text(outcome));
    }
    write_text(out, "request_id", context->request_id);
    writer_bytes(out, SLICE_LITERAL("}\n"));
}
