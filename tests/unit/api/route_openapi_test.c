/*
 * The OpenAPI document against the table of routes and what /kv/KEY takes: what one has and the
 * other has not is named. What answers look like is tests/integration/test_openapi.py's.
 */
#include <json-c/json_object.h>
#include <json-c/linkhash.h>

#include "api/api_int.h"
#include "api/openapi.h"
#include "api/params.h"
#include "api/text.h"
#include "api_testing.h"

#define ROUTES_MAX 128u
#define KV_PATH "/kv/{key}"

/* OpenAPI 3.1 knows no such methods: docs/openapi tells of them in words. */
#define METHODS_UNTOLD (METHOD(OPTIONS) | METHOD(LOCK) | METHOD(UNLOCK))

static struct json_object *parse_document(void)
{
    char *text = mem_calloc(1, api_openapi_text.size + 1);
    memcpy(text, api_openapi_text.data, api_openapi_text.size);
    struct json_object *document = json_tokener_parse(text);
    mem_free(text);
    assert_non_null(document);
    return document;
}

static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;
    return json_object_object_get_ex(object, name, &value) ? value : NULL;
}

/* A member of a path that is a method; HTTP_METHOD_OTHER: it is something else. */
static enum http_method method_of(const char *name)
{
    enum http_method method = HTTP_METHOD_GET;
    while (method < HTTP_METHOD_OTHER && strcasecmp(http_method_name(method), name) != 0) {
        method++;
    }
    return method;
}

/* The template with a plain value in place of each parameter: "/members/{id}" is "/members/1". */
static struct slice fill_template(const char *template, char target[200])
{
    size_t size = 0;
    for (const char *at = template; *at != '\0'; at++) {
        assert_true(size < 200);
        target[size++] = *at == '{' ? '1' : *at;
        at = *at == '{' ? strchr(at, '}') : at;
        assert_non_null(at);
    }
    return (struct slice){(const uint8_t *)target, size};
}

/* What is missing, line by line; a test ends with all of it. */
static unsigned findings;

static void find(const char *format, ...) PRINTF_LIKE(1, 2);
static void find(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    findings++;
}

static size_t route_place(const struct route *route)
{
    size_t i = 0;
    while (api_route_at(i) != NULL && api_route_at(i) != route) {
        i++;
    }
    return i;
}

/* Which methods of each row the document has; what it has and no row has is a finding. */
static void match_document(struct json_object *document, unsigned told[ROUTES_MAX])
{
    struct lh_entry *path_entry;
    lh_foreach(json_object_get_object(member(document, "paths")), path_entry)
    {
        const char *template = lh_entry_k(path_entry);
        struct json_object *item = lh_entry_v(path_entry);
        struct lh_entry *method_entry;
        lh_foreach(json_object_get_object(item), method_entry)
        {
            const char *name = lh_entry_k(method_entry);
            enum http_method method = method_of(name);
            if (method == HTTP_METHOD_OTHER) {
                continue;
            }
            char path[200];
            const struct route *route = api_route_find(fill_template(template, path), method);
            unsigned methods = route->methods | METHOD(OPTIONS);
            if (route == api_route_none() || (methods & 1u << method) == 0) {
                find("%s %s stands in docs/openapi, and no route of src/api/api.c has it\n",
                     http_method_name(method), template);
                continue;
            }
            size_t place = route_place(route);
            assert_true(place < ROUTES_MAX);
            told[place] |= 1u << method;
        }
    }
}

/* The same path but for a slash at its end. */
static bool is_alias(const struct route *a, const struct route *b)
{
    struct slice shorter = a->path.size < b->path.size ? a->path : b->path;
    struct slice longer = a->path.size < b->path.size ? b->path : a->path;
    return !a->is_prefix && !b->is_prefix && longer.size == shorter.size + 1 &&
           longer.data[shorter.size] == '/' && memcmp(shorter.data, longer.data, shorter.size) == 0;
}

static unsigned told_of_aliases(size_t place, const unsigned told[ROUTES_MAX])
{
    unsigned methods = told[place];
    for (size_t i = 0; api_route_at(i) != NULL; i++) {
        if (is_alias(api_route_at(i), api_route_at(place))) {
            methods |= told[i];
        }
    }
    return methods;
}

static void the_document_has_every_route_and_no_other(void **state)
{
    (void)state;
    struct json_object *document = parse_document();
    unsigned told[ROUTES_MAX] = {0};
    findings = 0;
    match_document(document, told);
    for (size_t i = 0; api_route_at(i) != NULL; i++) {
        const struct route *route = api_route_at(i);
        unsigned untold = route->methods & ~told_of_aliases(i, told);
        for (unsigned method = 0; method < HTTP_METHOD_OTHER; method++) {
            if ((untold & ~METHODS_UNTOLD & 1u << method) != 0) {
                find("%s %.*s%s is a route of src/api/api.c, and docs/openapi does not have it\n",
                     http_method_name((enum http_method)method), SLICE_ARGS(route->path),
                     route->is_prefix ? "…" : "");
            }
        }
    }
    (void)json_object_put(document);
    assert_int_equal(findings, 0);
}

/* Whether an operation or a path of the document has the query parameter `name`. */
static bool has_query_parameter(struct json_object *document, struct json_object *owner,
                                const char *name)
{
    struct json_object *parameters = member(owner, "parameters");
    for (size_t i = 0; parameters != NULL && i < json_object_array_length(parameters); i++) {
        struct json_object *parameter = json_object_array_get_idx(parameters, i);
        struct json_object *reference = member(parameter, "$ref");
        if (reference != NULL) {
            const char *last = strrchr(json_object_get_string(reference), '/') + 1;
            parameter = member(member(member(document, "components"), "parameters"), last);
            assert_non_null(parameter);
        }
        if (strcmp(json_text(parameter, "in"), "query") == 0 &&
            strcmp(json_text(parameter, "name"), name) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_kv_parameter(struct json_object *document, const char *name)
{
    struct lh_entry *entry;
    lh_foreach(json_object_get_object(member(member(document, "paths"), KV_PATH)), entry)
    {
        const char *method = lh_entry_k(entry);
        struct json_object *operation = lh_entry_v(entry);
        if (method_of(method) != HTTP_METHOD_OTHER &&
            has_query_parameter(document, operation, name)) {
            return true;
        }
    }
    return false;
}

static void a_key_s_parameters_are_those_that_work(void **state)
{
    (void)state;
    struct json_object *document = parse_document();
    findings = 0;
    const char *name = NULL;
    for (size_t i = 0; (name = api_params_kv_name(i)) != NULL; i++) {
        if (!has_kv_parameter(document, name)) {
            find("?%s works on " KV_PATH " (src/api/params.c), and docs/openapi/kv.yaml does not "
                 "have it\n",
                 name);
        }
    }
    (void)json_object_put(document);
    assert_int_equal(findings, 0);
}

static void the_document_is_served_and_the_root_links_to_it(void **state)
{
    struct fixture *f = *state;
    request(f, "GET /openapi.json", "", NULL);
    assert_int_equal(f->status, 200);
    assert_field(f, "Content-Type", "application/json");
    struct json_object *document = json_body(f);
    assert_string_equal(json_text(document, "openapi"), "3.1.0");
    (void)json_object_put(document);
    request(f, "GET /", "", NULL);
    assert_field(f, "Link", "</openapi.json>; rel=\"service-desc\"");
}

/* Each link of the root is a route; "/kv/{key}" is one of a template. */
static void the_links_of_the_root_lead_somewhere(void **state)
{
    struct fixture *f = *state;
    request(f, "GET /", "", NULL);
    struct json_object *document = json_body(f);
    struct lh_entry *entry;
    lh_foreach(json_object_get_object(member(document, "links")), entry)
    {
        const char *name = lh_entry_k(entry);
        struct json_object *link = lh_entry_v(entry);
        char path[200];
        struct slice filled = fill_template(json_object_get_string(link), path);
        const struct route *route = api_route_find(filled, HTTP_METHOD_GET);
        if ((route->methods & METHOD(GET)) == 0) {
            fail_msg("GET / links to %s at %s, where nothing is", name,
                     json_object_get_string(link));
        }
    }
    (void)json_object_put(document);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_document_has_every_route_and_no_other),
        cmocka_unit_test(a_key_s_parameters_are_those_that_work),
        TEST(the_document_is_served_and_the_root_links_to_it),
        TEST(the_links_of_the_root_lead_somewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
