/* /problems/: what each error means, and what to do about it. Where the `type` of one points. */
#include "api/accept.h"
#include "api/exchange.h"
#include "api/problem_pages.h"
#include "base/assert.h"

/* A page that is static text of ours and refers to nothing but itself. */
#define PAGE_POLICY "default-src 'none'; style-src 'unsafe-inline'; sandbox"

enum page_form {
    PAGE_TEXT,
    PAGE_MARKDOWN, /* the same bytes */
    PAGE_HTML,
    PAGE_FORM_COUNT
};

static enum page_form form_of(const struct exchange *x)
{
    static const char *const offers[PAGE_FORM_COUNT] = {
        [PAGE_TEXT] = "text/plain", [PAGE_MARKDOWN] = "text/markdown", [PAGE_HTML] = "text/html"};
    size_t chosen = api_accept_choose(http_header(x->request, "accept"), offers, PAGE_FORM_COUNT);
    return chosen == PAGE_FORM_COUNT ? PAGE_TEXT : (enum page_form)chosen;
}

static void respond_page(struct exchange *x, enum page_form form, struct slice content)
{
    static const char *const types[PAGE_FORM_COUNT] = {[PAGE_TEXT] = "text/plain; charset=utf-8",
                                                       [PAGE_MARKDOWN] =
                                                           "text/markdown; charset=utf-8",
                                                       [PAGE_HTML] = "text/html; charset=utf-8"};
    api_exchange_field_text(x, "Content-Type", types[form]);
    api_exchange_field_text(x, "Cache-Control", "max-age=300");
    api_exchange_field_text(x, "Vary", "Accept");
    api_exchange_field_text(x, "X-Content-Type-Options", "nosniff");
    api_exchange_field_text(x, "Content-Security-Policy", PAGE_POLICY);
    api_exchange_respond(x, 200, NULL, content);
}

static void refuse_page(struct exchange *x, struct slice slug)
{
    struct problem problem = {.e = OK, .did_you_mean = api_problem_page_meant(slug)};
    err e = problem.did_you_mean != NULL
                ? api_problem_set(&problem, ERR_NOT_FOUND,
                                  "no error has this name: did you mean \"%s\"? /problems/ lists "
                                  "them all",
                                  problem.did_you_mean)
                : api_problem_set(&problem, ERR_NOT_FOUND,
                                  "no error has this name; /problems/ lists them all");
    ASSERT(e == ERR_NOT_FOUND);
    api_exchange_respond_problem(x, &problem);
}

void api_problem_page_answer(struct exchange *x)
{
    struct slice path = http_path(x->request);
    size_t prefix_size = x->route->path.size;
    ASSERT(path.size > prefix_size);
    struct slice slug = {path.data + prefix_size, path.size - prefix_size};
    const struct problem_page *page = api_problem_page_find(slug);
    if (page == NULL) {
        refuse_page(x, slug);
        return;
    }
    enum page_form form = form_of(x);
    respond_page(x, form, form == PAGE_HTML ? page->html : page->text);
}

void api_problem_list_answer(struct exchange *x)
{
    enum page_form form = form_of(x);
    struct writer list = {0};
    if (form == PAGE_HTML) {
        api_problem_pages_write_html(&list);
    } else {
        api_problem_pages_write_text(&list);
    }
    respond_page(x, form, writer_slice(&list));
    writer_deinit(&list);
}
