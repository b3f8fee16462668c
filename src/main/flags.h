/*
 * The flags of a command, from small tables: --name VALUE, --name=VALUE, -n VALUE, --name alone for
 * a switch. Whatever else there is are the command's words (files, keys, -1); behind "--" all are.
 * `pontoon serve` has its own, with more sources: options.h.
 *
 * F1  Nothing is ignored: what is unknown, bad, given twice or one word too many is refused by its
 *     name and, where one is near, with the name that was meant.
 */
#ifndef MAIN_FLAGS_H
#define MAIN_FLAGS_H

#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

#define FLAG_WORDS_MAX 8u
#define FLAG_COUNT_MAX 32u /* of all tables of a command */

enum flag_type {
    FLAG_TEXT,     /* const char *, borrowed from the arguments */
    FLAG_SWITCH,   /* bool */
    FLAG_U64,      /* uint64_t */
    FLAG_DURATION, /* uint64_t, milliseconds */
    FLAG_SIZE,     /* uint64_t, bytes */
    FLAG_CHOICE,   /* uint64_t, the index in `choices` */
};

struct flag {
    const char *name; /* without its dashes; NULL: the table ends here */
    char letter;      /* 0: has none */
    enum flag_type type;
    size_t offset;              /* of the value, in the struct of settings */
    const char *const *choices; /* NULL-terminated */
    const char *placeholder;    /* NULL: a switch */
    const char *help;
};

/* A table and where its values go. What is not given stays as it is: the caller sets defaults. */
struct flag_group {
    const struct flag *flags; /* NULL: the last group was before */
    void *settings;
};

/* What is not a flag, borrowed from the arguments. */
struct flag_words {
    const char *items[FLAG_WORDS_MAX];
    size_t count;
};

/*
 * Sorts `arguments` into `groups` and at most `words_max` words. Borrows all of them; texts point
 * into `arguments`. ERR_BAD_REQUEST, with a note (F1).
 */
MUST_USE err main_flags_parse(const struct flag_group *groups, int count, char *const *arguments,
                              size_t words_max, struct flag_words *out_words,
                              struct err_note *note);

/* Prints a flag, in a line, for --help. */
void main_flags_print_one(const struct flag *flag, FILE *out);

#endif
