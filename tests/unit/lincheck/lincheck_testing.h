/* What the tests of the checkers share: cmocka, and histories as texts. */
#ifndef LINCHECK_TESTING_H
#define LINCHECK_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/prng.h"
#include "lincheck/lincheck.h"

/* The history that `lines` are, without the first line of the file. The caller deinits it. */
static inline struct lincheck_history history_of(const char *lines)
{
    struct writer text = {0};
    struct lincheck_history history = {0};
    struct err_note note = {""};
    writer_format(&text, "pontoon-history 1\n%s", lines);
    if (lincheck_history_parse(writer_slice(&text), &history, &note) != OK) {
        fail_msg("%s", note.text);
    }
    writer_deinit(&text);
    return history;
}

/* Forgets everything that only a server could have said: what is left are values and instants. */
static inline void forget_revisions(struct lincheck_history *history)
{
    for (size_t i = 0; i < history->count; i++) {
        struct lincheck_op *op = &history->ops[i];
        op->outcome = op->outcome == LINCHECK_APPLIED ? LINCHECK_UNKNOWN : op->outcome;
        op->revision = LINCHECK_REVISION_UNKNOWN;
        op->mod_revision = 0;
    }
}

static inline void assert_text_contains(const struct lincheck_result *result, const char *words)
{
    if (memmem(result->text.data, result->text.size, words, strlen(words)) == NULL) {
        fail_msg("\"%s\" is not in:\n%.*s", words, (int)result->text.size,
                 (const char *)result->text.data);
    }
}

#endif
