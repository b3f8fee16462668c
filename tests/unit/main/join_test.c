#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "main/join.h"

static void the_answer_says_who_it_is_and_whom_to_dial(void **state)
{
    (void)state;
    struct join_place place;
    struct err_note note = {""};
    struct slice answer = SLICE_LITERAL(
        "{\"id\":4,\"cluster_id\":\"00000000000000ab\",\"members\":["
        "{\"id\":1,\"peer_address\":\"a:1\"},{\"id\":2,\"peer_address\":\"b:2\",\"more\":null},"
        "{\"id\":4,\"peer_address\":\"\"}]}\n");
    assert_int_equal(main_join_parse(answer, &place, &note), OK);
    assert_int_equal(place.id, 4);
    assert_int_equal(place.cluster_id, 0xab);
    assert_true(place.is_joining);
    assert_int_equal(place.member_count, 2);
    assert_int_equal(place.members[1].id, 2);
    assert_string_equal(place.members[1].peer_address, "b:2");
}

static void an_answer_of_somebody_else_is_refused(void **state)
{
    (void)state;
    static const char *const table[] = {
        "",
        "hello",
        "[]",
        "{}",
        "{\"id\":0,\"cluster_id\":\"00000000000000ab\",\"members\":[{\"id\":1,\"peer_address\":\"a:"
        "1\"}]}",
        "{\"id\":4,\"cluster_id\":\"000000000000000g\",\"members\":[{\"id\":1,\"peer_address\":\"a:"
        "1\"}]}",
        "{\"id\":4,\"cluster_id\":\"0000000000000000\",\"members\":[{\"id\":1,\"peer_address\":\"a:"
        "1\"}]}",
        "{\"id\":4,\"cluster_id\":\"0123456789abcdef0\",\"members\":[]}",
        "{\"id\":4,\"cluster_id\":\"00000000000000ab\",\"members\":[]}",
        "{\"id\":4,\"cluster_id\":\"00000000000000ab\",\"members\":{}}",
        "{\"id\":4,\"cluster_id\":\"00000000000000ab\",\"members\":[{\"id\":1}]}",
        "{\"id\":4,\"cluster_id\":\"00000000000000ab\",\"members\":[{\"id\":\"1\",\"peer_address\":"
        "\"a:1\"}]}",
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct join_place place;
        struct err_note note = {""};
        struct slice answer = slice_from_text(table[i]);
        assert_int_equal(main_join_parse(answer, &place, &note), ERR_MALFORMED);
        assert_non_null(strstr(note.text, "look at the URL"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_says_who_it_is_and_whom_to_dial),
        cmocka_unit_test(an_answer_of_somebody_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
