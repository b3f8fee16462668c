#include "api/problem.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "api/text.h"
#include "base/assert.h"

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

static void write_key(struct writer *out, struct slice key)
{
    if (api_text_is_utf8(key)) {
        write_text(out, "key", key);
    } else {
        writer_format(out, ",\"key_base64\":\"");
        api_text_base64(out, key);
        writer_u8(out, '"');
    }
}

static void write_extensions(struct writer *out, const struct problem *problem)
{
    if (problem->limit > 0) {
        writer_format(out, ",\"limit\":%" PRIu64, problem->limit);
    }
    if (problem->used > 0) {
        writer_format(out, ",\"used\":%" PRIu64, problem->used);
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

/* P2. What a safe method was refused cannot have changed anything, whatever broke. */
static void write_outcome(struct writer *out, err e, bool is_unsafe)
{
    if (is_unsafe || err_http_status(e) >= 500) {
        bool is_unknown = is_unsafe && err_outcome(e) == OUTCOME_UNKNOWN;
        writer_format(out, ",\"outcome\":\"%s\"", is_unknown ? "unknown" : "not-applied");
    }
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
        write_key(out, context->key);
    }
    write_extensions(out, problem);
    if (context->allow != NULL) {
        write_text(out, "allow", slice_from_text(context->allow));
    }
    writer_format(out, ",\"revision\":%" PRIu64, context->revision);
    write_outcome(out, e, context->is_unsafe);
    write_text(out, "request_id", context->request_id);
    writer_bytes(out, SLICE_LITERAL("}\n"));
}
