#include "api/problem_pages.h"

#include <string.h>

#include "api/suggest.h"
#include "base/err.h"

const struct problem_page *api_problem_page_find(struct slice slug)
{
    for (size_t i = 0; i < api_problem_page_count; i++) {
        if (slice_equal(slug, slice_from_text(api_problem_pages[i].slug))) {
            return &api_problem_pages[i];
        }
    }
    return NULL;
}

const char *api_problem_page_meant(struct slice slug)
{
    struct suggest suggest = {.name = slug};
    for (size_t i = 0; i < api_problem_page_count; i++) {
        api_suggest_offer(&suggest, api_problem_pages[i].slug);
    }
    return api_suggest_meant(&suggest);
}

/* Several errors are one to a client: the first of them stands for all. */
static bool is_first_of_its_slug(err e)
{
    for (err earlier = OK + 1; earlier < e; earlier++) {
        if (strcmp(err_slug(earlier), err_slug(e)) == 0) {
            return false;
        }
    }
    return true;
}

void api_problem_pages_write_text(struct writer *out)
{
    writer_format(out, "# What can go wrong\n\nMore about each: /problems/NAME\n\n");
    for (err e = OK + 1; e < ERR_COUNT; e++) {
        if (is_first_of_its_slug(e)) {
            writer_format(out, "    %d  %-24s  %s\n", err_http_status(e), err_slug(e),
                          err_title(e));
        }
    }
}

void api_problem_pages_write_html(struct writer *out)
{
    writer_format(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                       "<title>What can go wrong</title></head><body>\n"
                       "<h1>What can go wrong</h1>\n<table>\n");
    for (err e = OK + 1; e < ERR_COUNT; e++) {
        if (is_first_of_its_slug(e)) {
            writer_format(out,
                          "<tr><td>%d</td><td><a href=\"/problems/%s\">%s</a></td>"
                          "<td>%s</td></tr>\n",
                          err_http_status(e), err_slug(e), err_slug(e), err_title(e));
        }
    }
    writer_format(out, "</table>\n</body></html>\n");
}
