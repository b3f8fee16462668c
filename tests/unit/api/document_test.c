#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "api/document.h"

static void members_stand_in_the_order_in_which_they_came(void **state)
{
    (void)state;
    struct json_object *document = json_object_new_object();
    api_document_add_text(document, "z", "a/b\"\n");
    api_document_add_u64(document, "u", UINT64_MAX);
    api_document_add_i64(document, "i", -1);
    api_document_add_bool(document, "b", true);
    api_document_add_null(document, "n");
    api_document_add_id(document, "a", 0xabc);
    api_document_add(document, "l", json_object_new_array());
    const char *text = json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN |
                                                                    JSON_C_TO_STRING_NOSLASHESCAPE);
    assert_string_equal(text,
                        "{\"z\":\"a/b\\\"\\n\",\"u\":18446744073709551615,\"i\":-1,\"b\":true,"
                        "\"n\":null,\"a\":\"0000000000000abc\",\"l\":[]}");
    (void)json_object_put(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_stand_in_the_order_in_which_they_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
