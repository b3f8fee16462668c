#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "api/problem_pages.h"
#include "base/err.h"

/* The working directory is the tree (tests/CMakeLists.txt). */
#define LIST_PATH "docs/problems/README.md"

static bool has(struct slice text, const char *part)
{
    return memmem(text.data, text.size, part, strlen(part)) != NULL;
}

/* Of several errors with one slug the first one's title heads the page. */
static err first_of_slug(const char *slug)
{
    err e = OK + 1;
    while (e < ERR_COUNT && strcmp(err_slug(e), slug) != 0) {
        e++;
    }
    return e;
}

static void every_error_has_a_page_with_all_its_parts(void **state)
{
    (void)state;
    static const char *const parts[] = {"\n## Why\n", "\n## Is a retry safe?\n",
                                        "\n## What to do\n", "\n## For example\n\n    curl "};
    for (err e = OK + 1; e < ERR_COUNT; e++) {
        const struct problem_page *page = api_problem_page_find(slice_from_text(err_slug(e)));
        if (page == NULL) {
            fail_msg("docs/problems/%s.md is missing: %s has no page", err_slug(e), err_name(e));
        }
        char heading[100];
        err first = first_of_slug(err_slug(e));
        int size = snprintf(heading, sizeof(heading), "# %d %s\n\n", err_http_status(first),
                            err_title(first));
        assert_true(page->text.size > (size_t)size);
        assert_memory_equal(page->text.data, heading, (size_t)size);
        for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
            if (!has(page->text, parts[i])) {
                fail_msg("docs/problems/%s.md lacks the part \"%s\"", err_slug(e), parts[i]);
            }
        }
    }
}

static void no_page_is_of_no_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < api_problem_page_count; i++) {
        if (first_of_slug(api_problem_pages[i].slug) == ERR_COUNT) {
            fail_msg("docs/problems/%s.md: no error has this slug", api_problem_pages[i].slug);
        }
    }
}

static void a_page_in_html_has_the_same_words_escaped(void **state)
{
    (void)state;
    const struct problem_page *page = api_problem_page_find(SLICE_LITERAL("precondition-failed"));
    assert_non_null(page);
    assert_memory_equal(page->html.data, "<!DOCTYPE html>\n", 16);
    assert_true(has(page->html, "<title>412 Precondition failed</title>"));
    assert_true(has(page->html, "<h1>412 Precondition failed</h1>\n<p>"));
    assert_true(has(page->html, "<h2>Is a retry safe?</h2>\n<p>"));
    assert_true(has(page->html, "<code>If-None-Match: *</code>"));
    assert_true(has(page->html, "<pre>curl -i -X PUT -H &#x27;If-Match: &quot;41&quot;&#x27;"));
    assert_true(has(page->html, "<a href=\"/problems/\">"));
    page = api_problem_page_find(SLICE_LITERAL("length-required"));
    assert_non_null(page);
    assert_true(has(page->html, "&lt; file</pre>"));
}

static void a_wrong_name_is_nobody_s_and_may_have_been_meant(void **state)
{
    (void)state;
    assert_null(api_problem_page_find(SLICE_LITERAL("lokced")));
    assert_null(api_problem_page_find(SLICE_LITERAL("locked/")));
    assert_string_equal(api_problem_page_meant(SLICE_LITERAL("lokced")), "locked");
    assert_null(api_problem_page_meant(SLICE_LITERAL("sunshine")));
}

static void the_lists_have_each_slug_once(void **state)
{
    (void)state;
    struct writer text = {0};
    struct writer page = {0};
    api_problem_pages_write_text(&text);
    api_problem_pages_write_html(&page);
    size_t lines = 0;
    for (size_t i = 0; i < text.size; i++) {
        lines += text.data[i] == '\n';
    }
    assert_int_equal(lines, 4 + api_problem_page_count);
    for (size_t i = 0; i < api_problem_page_count; i++) {
        char part[100];
        (void)snprintf(part, sizeof(part), "  %-24s  ", api_problem_pages[i].slug);
        assert_true(has(writer_slice(&text), part));
        (void)snprintf(part, sizeof(part), "<a href=\"/problems/%s\">", api_problem_pages[i].slug);
        assert_true(has(writer_slice(&page), part));
    }
    writer_deinit(&text);
    writer_deinit(&page);
}

/* docs/problems/README.md, as it is read beside the sources. */
static void the_list_in_the_tree_is_the_same(void **state)
{
    (void)state;
    FILE *file = fopen(LIST_PATH, "r");
    assert_non_null(file);
    char line[200];
    size_t rows = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "| ", 2) != 0 || line[2] < '0' || line[2] > '9') {
            continue;
        }
        char slug[64] = "";
        assert_int_equal(sscanf(line, "| %*d | [%63[a-z-]](", slug), 1);
        err e = first_of_slug(slug);
        assert_int_not_equal(e, ERR_COUNT);
        char wanted[200];
        (void)snprintf(wanted, sizeof(wanted), "| %d | [%s](%s.md) | %s |\n", err_http_status(e),
                       slug, slug, err_title(e));
        assert_string_equal(line, wanted);
        rows++;
    }
    (void)fclose(file);
    assert_int_equal(rows, api_problem_page_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_a_page_with_all_its_parts),
        cmocka_unit_test(no_page_is_of_no_error),
        cmocka_unit_test(a_page_in_html_has_the_same_words_escaped),
        cmocka_unit_test(a_wrong_name_is_nobody_s_and_may_have_been_meant),
        cmocka_unit_test(the_lists_have_each_slug_once),
        cmocka_unit_test(the_list_in_the_tree_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
