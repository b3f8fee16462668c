#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "main/backup_text.h"

static void a_backup_is_told_as_a_line_of_json(void **state)
{
    (void)state;
    const struct store_backup backup = {
        .state = {.revision = 7,
                  .applied = {.term = 1, .index = 9},
                  .keys = 3,
                  .state_hash = {.low = 0xb, .high = 0xa}},
        .size_bytes = 500,
    };
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct json_object *document = json_object_new_object();
    main_backup_text_add(document, &backup);
    main_backup_text_print(document, out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "{\"revision\":7,\"applied_index\":9,\"keys\":3,\"size_bytes\":500,"
                              "\"state_hash\":\"000000000000000a000000000000000b\"}\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_backup_is_told_as_a_line_of_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
