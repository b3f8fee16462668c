/*
 * What the server explains of each error: docs/problems, made a part of the program when it is
 * built (scripts/embed.py). One page a slug of ERR_LIST.
 */
#ifndef API_PROBLEM_PAGES_H
#define API_PROBLEM_PAGES_H

#include "base/buf.h"
#include "base/codec.h"

struct problem_page {
    const char *slug;
    struct slice text; /* Markdown, for people who read it as it is */
    struct slice html;
};

/* Sorted by slug; static storage. */
extern const struct problem_page api_problem_pages[];
extern const size_t api_problem_page_count;

/* The page of `slug`, or NULL. */
const struct problem_page *api_problem_page_find(struct slice slug);
/* Which slug was meant by a wrong one, or NULL. */
const char *api_problem_page_meant(struct slice slug);

/* Append the list of all, in the order of their statuses. */
void api_problem_pages_write_text(struct writer *out);
void api_problem_pages_write_html(struct writer *out);

#endif
