#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "main/members.h"

static struct member members[MEMBERS_MAX];

static void members_are_sorted_by_id(void **state)
{
    (void)state;
    uint32_t count = 0;
    struct err_note note;
    assert_int_equal(main_members_parse("3=[::1]:4003,1=a:4001, 2=b:4002", members, &count, &note),
                     OK);
    assert_int_equal(count, 3);
    assert_int_equal(members[0].id, 1);
    assert_string_equal(members[0].peer_address, "a:4001");
    assert_int_equal(members[2].id, 3);
    assert_string_equal(members[2].peer_address, "[::1]:4003");
    for (uint32_t i = 0; i < count; i++) {
        assert_false(members[i].wants_vote); /* all fields are set: they go into the first entry */
    }
    assert_ptr_equal(main_members_find(members, count, 2), &members[1]);
    assert_null(main_members_find(members, count, 4));
}

static void what_is_no_cluster_is_refused_with_the_reason(void **state)
{
    (void)state;
    const char *const cases[][2] = {
        {"", "no member"},
        {"a:1", "ID=HOST:PORT"},
        {"0=a:1", "ID=HOST:PORT"},
        {"x=a:1", "ID=HOST:PORT"},
        {"9007199254740991=a:1", NULL},
        {"9007199254740992=a:1", "with an id from 1 to 9007199254740991"},
        {"1=", "no usable address"},
        {"1=a", "member 1"},
        {"1=a:0", "port 0"},
        {"1=a:1,1=b:1", "id 1 is given twice"},
        {"1=a:1,2=a:1", "members 1 and 2 have the same address"},
        {"1=a:1,", NULL},
        {"1=a:1,,2=b:1", "ID=HOST:PORT"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        uint32_t count = 0;
        struct err_note note = {""};
        err e = main_members_parse(cases[i][0], members, &count, &note);
        assert_int_equal(e, cases[i][1] == NULL ? OK : ERR_BAD_REQUEST);
        if (cases[i][1] != NULL && strstr(note.text, cases[i][1]) == NULL) {
            fail_msg("\"%s\" is not in \"%s\"", cases[i][1], note.text);
        }
    }
}

static void there_are_at_most_members_max(void **state)
{
    (void)state;
    char text[64 * (MEMBERS_MAX + 1)] = "";
    size_t size = 0;
    for (unsigned id = 1; id <= MEMBERS_MAX; id++) {
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%u=h:%u", id > 1 ? "," : "",
                                 id, id);
    }
    uint32_t count = 0;
    struct err_note note;
    assert_int_equal(main_members_parse(text, members, &count, &note), OK);
    assert_int_equal(count, MEMBERS_MAX);
    (void)snprintf(text + size, sizeof(text) - size, ",99=h:99");
    assert_int_equal(main_members_parse(text, members, &count, &note), ERR_BAD_REQUEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_sorted_by_id),
        cmocka_unit_test(what_is_no_cluster_is_refused_with_the_reason),
        cmocka_unit_test(there_are_at_most_members_max),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
