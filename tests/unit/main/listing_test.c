#include <json-c/json_tokener.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "main/listing.h"

static void add(void *ctx, const struct listing_item *item)
{
    char *text = ctx;
    size_t size = strlen(text);
    assert_int_equal(item->is_prefix, item->row == NULL);
    snprintf(text + size, 256 - size, "%s%.*s ", item->is_prefix ? "+" : "", (int)item->name.size,
             (const char *)item->name.data);
}

static err list(const char *json, bool is_reverse, char text[256])
{
    struct json_object *page = json_tokener_parse(json);
    struct err_note note = {""};
    text[0] = '\0';
    err e = main_listing_each(page, is_reverse, add, text, &note);
    assert_int_equal(note.text[0] != '\0', e != OK);
    json_object_put(page);
    return e;
}

static void keys_and_prefixes_stand_in_one_order(void **state)
{
    (void)state;
    char text[256];
    assert_int_equal(list("{\"keys\":[{\"key\":\"a\"},{\"key\":\"b\"},{\"key_base64\":\"eno=\"}],"
                          "\"prefixes\":[\"a/\",\"c/\"],\"prefixes_base64\":[\"YmIv\",\"enov\"]}",
                          false, text),
                     OK);
    assert_string_equal(text, "a +a/ b +bb/ +c/ zz +zz/ ");
    assert_int_equal(
        list("{\"keys\":[{\"key\":\"b\"},{\"key\":\"a\"}],\"prefixes\":[\"c/\",\"a/\"]}", true,
             text),
        OK);
    assert_string_equal(text, "+c/ b +a/ a ");
    assert_int_equal(list("{\"keys\":[]}", false, text), OK);
    assert_string_equal(text, "");
}

static void what_is_no_page_is_refused(void **state)
{
    (void)state;
    static const char *const pages[] = {"[]",
                                        "{}",
                                        "{\"keys\":1}",
                                        "{\"keys\":[1]}",
                                        "{\"keys\":[{\"key\":1}]}",
                                        "{\"keys\":[{\"key_base64\":\"?\"}]}",
                                        "{\"keys\":[],\"prefixes\":[1]}",
                                        "{\"keys\":[],\"prefixes_base64\":[\"?\"]}"};
    char text[256];
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        assert_int_equal(list(pages[i], false, text), ERR_MALFORMED);
    }
}

/* A node says where to go on; nobody else is asked for that. */
static void the_next_page_is_one_of_keys(void **state)
{
    (void)state;
    static const struct {
        const char *page;
        const char *next;
    } rows[] = {
        {"{\"next\":\"/kv?prefix=a&cursor=x\"}", "/kv?prefix=a&cursor=x"},
        {"{\"next\":\"/kv/?cursor=x\"}", "/kv/?cursor=x"},
        {"{}", NULL},
        {"{\"next\":null}", NULL},
        {"{\"next\":\"/admin/drain\"}", NULL},
        {"{\"next\":\"@elsewhere/\"}", NULL},
        {"{\"next\":\"/kvs?a\"}", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct json_object *page = json_tokener_parse(rows[i].page);
        const char *next = main_listing_next(page, "/kv");
        if (rows[i].next == NULL) {
            assert_null(next);
        } else {
            assert_string_equal(next, rows[i].next);
        }
        json_object_put(page);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_and_prefixes_stand_in_one_order),
        cmocka_unit_test(what_is_no_page_is_refused),
        cmocka_unit_test(the_next_page_is_one_of_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
