#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "env/uv.h"
#include "main/join.h"
#include "node/identity.h"

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

/* What --join makes of a directory that has this identity. */
static void join_with(const struct identity *identity, err expected, const char *words)
{
    char directory[] = "/tmp/pontoon-test-XXXXXX";
    struct env *env = env_uv_open();
    struct err_note note = {""};
    struct join_place place;
    struct options options;
    assert_non_null(mkdtemp(directory));
    assert_int_equal(identity_save(env, directory, identity, &note), OK);
    main_options_init(&options);
    options.data = directory;
    options.join = "http://127.0.0.1:1";
    assert_int_equal(main_join(env, NULL, &options, &place, &note), expected);
    if (strstr(note.text, words) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", words, note.text);
    }
    main_options_deinit(&options);
    static const char *const names[] = {"identity", "identity.new"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(directory), 0);
    env_uv_close(env);
}

static void a_directory_that_no_node_may_use_is_told_as_such_at_once(void **state)
{
    (void)state;
    struct identity founder = {
        .cluster_id = 1, .founding = 2, .node = 3, .instance = 5, .is_founded = true};
    join_with(&founder, ERR_IDENTITY, "start it without --join");
    struct identity removed = founder;
    removed.is_removed = true;
    join_with(&removed, ERR_IDENTITY, "node 3 was removed from its cluster");
    removed.founding = 0; /* it had joined */
    join_with(&removed, ERR_IDENTITY, "node 3 was removed from its cluster");
    struct identity restored = founder;
    restored.is_restoring = true;
    join_with(&restored, ERR_IDENTITY, "a restore that was not finished");
    founder.founding = 0;
    join_with(&founder, OK, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_says_who_it_is_and_whom_to_dial),
        cmocka_unit_test(an_answer_of_somebody_else_is_refused),
        cmocka_unit_test(a_directory_that_no_node_may_use_is_told_as_such_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
