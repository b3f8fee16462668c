#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "api/accept.h"
#include "base/compiler.h"

static const char *const offers[] = {"application/json", "text/plain", "text/html"};

static const char *choose(const char *field)
{
    size_t chosen = api_accept_choose(slice_from_text(field), offers, ARRAY_COUNT(offers));
    return chosen == ARRAY_COUNT(offers) ? "none" : offers[chosen];
}

static void the_best_of_the_offers_is_chosen(void **state)
{
    (void)state;
    const struct {
        const char *field;
        const char *chosen;
    } cases[] = {
        {"", "application/json"},
        {"  ", "application/json"},
        {"*/*", "application/json"}, /* curl */
        {"*", "application/json"},
        {"text/plain", "text/plain"},
        {"TEXT/Plain", "text/plain"},
        {"text/*", "text/plain"},
        {"text/html", "text/html"},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
         "text/html"},                                             /* Firefox */
        {"application/json, text/plain, */*", "application/json"}, /* axios */
        {"text/plain, */*", "text/plain"},
        {"text/html, image/gif, *; q=.2, */*; q=0.2", "text/html"}, /* Java */
        {"text/plain;q=0.5, text/html;q=0.501", "text/html"},
        {"text/plain;q=0.5, application/json;q=0.4", "text/plain"},
        {"text/*, text/plain;q=0", "text/html"},
        {"text/plain;q=0, text/*", "text/html"}, /* the narrower entry, wherever it stands */
        {"*/*, application/json;q=0.1", "text/plain"},
        {"application/json;charset=utf-8", "application/json"},
        {"text/plain;note=\"a,b;q=0\";q=0.3, text/html;q=0.2", "text/plain"},
        {"text/plain;note=\"\\\",\";q=0.1, text/html;q=0.2", "text/html"},
        {" text/html ; q=0.2 ,text/plain ;Q=0.1", "text/html"},
        {"text/html;q=1.000", "text/html"},
        {"image/png", "none"},
        {"application/json;q=0, */*;q=0", "none"},
        {",,;,", "none"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_string_equal(choose(cases[i].field), cases[i].chosen);
    }
}

static void a_malformed_entry_is_passed_over(void **state)
{
    (void)state;
    const char *const malformed[] = {
        "text/html;q=2",      "text/html;q=",   "text/html;q=1.001",
        "text/html;q=0.1234", "text/html;q=-1", "text/html;q=0,5x",
        "text/html;q=0x1",    "text",           "/*",
        "text/htm",           "text/html/*",
    };
    for (size_t i = 0; i < ARRAY_COUNT(malformed); i++) {
        char field[64];
        (void)snprintf(field, sizeof(field), "%s, text/plain;q=0.001", malformed[i]);
        assert_string_equal(choose(field), "text/plain");
    }
}

static void a_quality_counts_in_thousandths(void **state)
{
    (void)state;
    const struct {
        const char *field;
        const char *offer;
        unsigned quality;
    } cases[] = {
        {"gzip", "gzip", 1000},
        {"gzip;q=0.25, br", "gzip", 250},
        {"br", "gzip", 0},
        {"*;q=0.1", "gzip", 100},
        {"gzip;q=0, *", "gzip", 0},
        {"", "gzip", 0},
        {"text/*;q=0.007", "text/html", 7},
        {"text/*", "text", 0},
        {"text/*", "texture/html", 0},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_int_equal(api_accept_quality(slice_from_text(cases[i].field), cases[i].offer),
                         cases[i].quality);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_of_the_offers_is_chosen),
        cmocka_unit_test(a_malformed_entry_is_passed_over),
        cmocka_unit_test(a_quality_counts_in_thousandths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
