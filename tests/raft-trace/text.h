/* Text that grows, indented by lines. */
#ifndef RAFT_TRACE_TEXT_H
#define RAFT_TRACE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/* All zero is an empty one. */
struct text {
    char *data; /* NUL-terminated; NULL while empty */
    size_t size;
    size_t capacity;
    unsigned indent; /* spaces before each line begun from now on */
};

void text_deinit(struct text *text);
/* Appends; each line that begins gets text->indent spaces. */
void text_add(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);
/* Drops the newlines at the end. */
void text_trim(struct text *text);
/* "" for an empty one. Borrowed until the text changes. */
const char *text_get(const struct text *text);

#endif
