/* What the tests of main share: settings from given sources, without the process's own. */
#ifndef MAIN_TESTING_H
#define MAIN_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "main/options.h"

#define ARGUMENTS_MAX 16

/* What the command line, the environment (NULL-terminated both) and a file say; NULL: nothing. */
struct given {
    const char *flags[ARGUMENTS_MAX];
    const char *environment[ARGUMENTS_MAX];
    const char *file;
};

struct outcome_of_options {
    err e;
    struct options options;
    struct err_note note;
};

/* The caller calls outcome_deinit. */
static inline void load(struct outcome_of_options *out, const struct given *given)
{
    char *flags[ARGUMENTS_MAX];
    char *environment[ARGUMENTS_MAX];
    memcpy(flags, given->flags, sizeof(flags));
    memcpy(environment, given->environment, sizeof(environment));
    int count = 0;
    while (flags[count] != NULL) {
        count++;
    }
    *out = (struct outcome_of_options){.e = OK};
    main_options_init(&out->options);
    out->e = main_options_take_flags(&out->options, count, flags, &out->note);
    if (out->e == OK) {
        out->e = main_options_take_environment(&out->options, environment, &out->note);
    }
    if (out->e == OK && given->file != NULL) {
        out->e = main_options_take_file(&out->options, "a.conf", slice_from_text(given->file),
                                        &out->note);
    }
    if (out->e == OK) {
        out->e = main_options_finish(&out->options, &out->note);
    }
}

static inline void outcome_deinit(struct outcome_of_options *outcome)
{
    main_options_deinit(&outcome->options);
}

/* Loads what is given and asserts that it is refused with `words` in the note. */
static inline void assert_refused(const struct given *given, const char *words)
{
    struct outcome_of_options outcome;
    load(&outcome, given);
    assert_int_equal(outcome.e, ERR_BAD_REQUEST);
    if (strstr(outcome.note.text, words) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", words, outcome.note.text);
    }
    outcome_deinit(&outcome);
}

#endif
