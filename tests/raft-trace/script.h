/* Scripts: files of commands with the output expected after each (data/README.md). */
#ifndef RAFT_TRACE_SCRIPT_H
#define RAFT_TRACE_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>

#include "text.h"

#define SCRIPT_ARGS_MAX 24
#define SCRIPT_VALUES_MAX 40

/* `key`, `key=value` or `key=(value,value)`. */
struct script_arg {
    char *key;
    char *values[SCRIPT_VALUES_MAX];
    unsigned value_count;
};

struct script_block {
    unsigned line;        /* of the command */
    unsigned output_line; /* of the first line of the expected output */
    char *name;
    struct script_arg args[SCRIPT_ARGS_MAX];
    unsigned arg_count;
    struct text input;
    struct text expected; /* without log lines; "ok" if nothing is left */
    char *storage;        /* what name and args point into */
};

/* A file being read. */
struct script {
    char *content;
    char *next; /* where the next line begins; NULL at the end */
    unsigned line;
};

/* False: the file cannot be read; `out_script` is as good as closed. */
bool script_open(struct script *out_script, const char *path);
void script_close(struct script *script);
/* The next block; false at the end. */
bool script_next(struct script *script, struct script_block *out_block);
void script_block_deinit(struct script_block *block);

/* The argument `key`, or NULL. */
const struct script_arg *script_find(const struct script_block *block, const char *key);
/* The only value of `key`, or `otherwise`. */
const char *script_value(const struct script_block *block, const char *key, const char *otherwise);
uint64_t script_number(const struct script_block *block, const char *key, uint64_t otherwise);
bool script_flag(const struct script_block *block, const char *key);
/* Arguments without a value that are numbers, in order; returns how many, at most `max`. */
unsigned script_ids(const struct script_block *block, uint64_t *out_ids, unsigned max);
/* 0 unless `word` is a decimal number. */
uint64_t script_parse_number(const char *word);

#endif
