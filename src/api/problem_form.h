/*
 * The forms of an error: JSON for programs and for who says nothing (curl), two lines of text or a
 * small HTML page for who would rather have that.
 */
#ifndef API_PROBLEM_FORM_H
#define API_PROBLEM_FORM_H

#include "api/problem.h"

enum problem_form {
    PROBLEM_FORM_JSON,
    PROBLEM_FORM_TEXT,
    PROBLEM_FORM_HTML,
};

/* What an Accept field wants; JSON if it wants none of them: an error is told in any case. */
enum problem_form api_problem_form_of(struct slice accept);
/* The Content-Type; static storage. */
const char *api_problem_form_type(enum problem_form form);
/* Appends the document in that form; it ends with a line end. As api_problem_write. */
void api_problem_form_write(enum problem_form form, const struct problem *problem,
                            const struct problem_context *context, struct writer *out);

#endif
