#include "api/problem_form.h"

#include <string.h>

#include "api/accept.h"
#include "api/text.h"
#include "base/assert.h"

enum problem_form api_problem_form_of(struct slice accept)
{
    static const char *const offers[] = {"application/problem+json", "application/json",
                                         "text/plain", "text/html"};
    static const enum problem_form forms[ARRAY_COUNT(offers) + 1] = {
        PROBLEM_FORM_JSON, PROBLEM_FORM_JSON, PROBLEM_FORM_TEXT, PROBLEM_FORM_HTML,
        PROBLEM_FORM_JSON};
    return forms[api_accept_choose(accept, offers, ARRAY_COUNT(offers))];
}

const char *api_problem_form_type(enum problem_form form)
{
    switch (form) {
    case PROBLEM_FORM_TEXT:
        return "text/plain; charset=utf-8";
    case PROBLEM_FORM_HTML:
        return "text/html; charset=utf-8";
    case PROBLEM_FORM_JSON:
    default:
        return "application/problem+json";
    }
}

/* What became of the request, for a person; empty if that is not in question. */
static const char *outcome_sentence(const struct problem *problem, bool is_unsafe)
{
    const char *outcome = api_problem_outcome(problem, is_unsafe);
    if (outcome == NULL) {
        return "";
    }
    if (strcmp(outcome, "unknown") == 0) {
        return "It may yet happen (outcome: unknown). ";
    }
    return problem->is_partial ? "A part of it was done, and stays (outcome: partial). "
                               : "Nothing was changed (outcome: not-applied). ";
}

static void write_text(const struct problem *problem, const struct problem_context *context,
                       struct writer *out)
{
    err e = problem->e;
    writer_format(out, "%d %s: ", err_http_status(e), err_title(e));
    api_text_plain(out, slice_from_text(problem->detail));
    writer_format(out, "\n%sMore: /problems/%s (request ",
                  outcome_sentence(problem, context->is_unsafe), err_slug(e));
    api_text_plain(out, context->request_id);
    writer_bytes(out, SLICE_LITERAL(")\n"));
}

static void write_html(const struct problem *problem, const struct problem_context *context,
                       struct writer *out)
{
    err e = problem->e;
    writer_format(out,
                  "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                  "<title>%d %s</title></head><body>\n<h1>%d %s</h1>\n<p>",
                  err_http_status(e), err_title(e), err_http_status(e), err_title(e));
    api_text_html(out, slice_from_text(problem->detail));
    writer_format(out,
                  "</p>\n<p>%s<a href=\"/problems/%s\">What this means and what to do</a></p>\n"
                  "<p>Request ",
                  outcome_sentence(problem, context->is_unsafe), err_slug(e));
    api_text_html(out, context->request_id);
    writer_bytes(out, SLICE_LITERAL("</p>\n</body></html>\n"));
}

void api_problem_form_write(enum problem_form form, const struct problem *problem,
                            const struct problem_context *context, struct writer *out)
{
    ASSERT(problem->e != OK);
    switch (form) {
    case PROBLEM_FORM_TEXT:
        write_text(problem, context, out);
        break;
    case PROBLEM_FORM_HTML:
        write_html(problem, context, out);
        break;
    case PROBLEM_FORM_JSON:
    default:
        api_problem_write(problem, context, out);
        break;
    }
}
