/* The table of settings, for the files that read it. */
#ifndef MAIN_OPTIONS_INT_H
#define MAIN_OPTIONS_INT_H

#include "main/options.h"

#define OPTION_NAME_SIZE_MAX 40u

enum option_type {
    OPTION_U64,
    OPTION_SIZE,     /* "8MiB" */
    OPTION_DURATION, /* "5s"; stored in milliseconds */
    OPTION_CHOICE,   /* one of `choices`; stored as its index */
    OPTION_BOOL,
    OPTION_ADDRESS, /* "HOST:PORT" */
    OPTION_TEXT,
};

struct option_row {
    const char *name; /* "max-value-bytes" */
    enum option_type type;
    size_t offset;        /* in struct options: a uint64_t, a bool or a const char * */
    const char *standard; /* the default, as it would be written; NULL: none */
    uint64_t min;         /* of numbers, sizes and durations */
    uint64_t max;
    const char *const *choices; /* NULL-terminated */
    const char *placeholder;
    const char *help;
};

extern const struct option_row main_options_table[OPTION_COUNT];

/* The environment's name of a setting: "PONTOON_MAX_VALUE_BYTES". */
void main_options_environment_name(const struct option_row *row, char target[OPTION_NAME_SIZE_MAX]);
/* The row called `name`, where '_' is as good as '-'; NULL if there is none. */
const struct option_row *main_options_find(struct slice name);
/* The row of which `name` is a misspelling, or NULL. */
const struct option_row *main_options_nearest(struct slice name);
/* Likewise, or the one that begins with `name`. Of the environment that would be too much: what is
 * there may be somebody else's. */
const struct option_row *main_options_meant(struct slice name);
/*
 * Sets the source of `row` unless a stronger one has it (O1). Copies `text`. ERR_BAD_REQUEST: it
 * was set before by the same source.
 */
MUST_USE err main_options_set(struct options *options, const struct option_row *row,
                              struct slice text, struct option_source place, struct err_note *note);
/* Where a setting stands, for messages: "--id", "PONTOON_ID", "a.conf:3: id". */
void main_options_place(const struct options *options, const struct option_row *row, char *target,
                        size_t size);

#endif
