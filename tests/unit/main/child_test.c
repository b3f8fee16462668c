#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "main/child.h"

static char sh[] = "sh";
static char dash_c[] = "-c";

/* Runs a line of shell to its end. */
static int run(const char *line, const struct child_order *more)
{
    char *const program[] = {sh, dash_c, (char *)(uintptr_t)line, NULL};
    struct child_order order = more == NULL ? (struct child_order){.program = NULL} : *more;
    struct child child;
    order.program = program;
    assert_int_equal(main_child_start(&child, &order, NULL), OK);
    main_child_wait(&child);
    assert_true(main_child_is_over(&child));
    main_child_signal(&child, SIGKILL); /* nobody gets it */
    main_child_close(&child);
    main_child_close(&child);
    return child.status;
}

static void a_status_is_as_a_shell_has_it(void **state)
{
    (void)state;
    assert_int_equal(run("exit 0", NULL), 0);
    assert_int_equal(run("exit 7", NULL), 7);
    assert_int_equal(run("kill -9 $$", NULL), 128 + 9);
}

static void variables_stand_beside_the_environment_or_over_it(void **state)
{
    (void)state;
    static const char *const variables[] = {"PONTOON_FENCE=tf:7", "CHILD_TEST=new", NULL};
    const struct child_order order = {.variables = variables};
    assert_int_equal(setenv("CHILD_TEST", "old", 1), 0);
    assert_int_equal(setenv("CHILD_TEST_LONGER", "kept", 1), 0);
    assert_int_equal(
        run("test \"$PONTOON_FENCE,$CHILD_TEST,$CHILD_TEST_LONGER\" = tf:7,new,kept && "
            "test -n \"$PATH\" && test $(env | grep -c ^CHILD_TEST=) = 1",
            &order),
        0);
    assert_int_equal(run("test \"$CHILD_TEST\" = old", NULL), 0);
}

static void an_input_is_all_of_it(void **state)
{
    (void)state;
    size_t size = 1u << 20; /* more than a pipe holds */
    uint8_t *bytes = calloc(1, size);
    const struct child_order order = {.has_input = true, .input = {bytes, size}};
    assert_int_equal(run("test $(wc -c) = 1048576", &order), 0);
    const struct child_order empty = {.has_input = true, .input = SLICE_EMPTY};
    assert_int_equal(run("test $(wc -c) = 0", &empty), 0);
    free(bytes);
}

static void what_cannot_be_run_is_told_as_by_a_shell(void **state)
{
    (void)state;
    static const struct {
        const char *program;
        int status;
        err e;
        const char *note;
    } rows[] = {
        {"/nowhere/at/all", 127, ERR_NO_FILE, "run /nowhere/at/all: No such file or directory"},
        {"no-such-program-at-all", 127, ERR_NO_FILE,
         "run no-such-program-at-all: No such file or directory"},
        {"/", 126, ERR_PERMISSION, "run /: Permission denied"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *const program[] = {(char *)(uintptr_t)rows[i].program, NULL};
        const struct child_order order = {.program = program};
        struct child child;
        struct err_note note = {""};
        assert_int_equal(main_child_start(&child, &order, &note), rows[i].e);
        assert_int_equal(child.status, rows[i].status);
        assert_true(main_child_is_over(&child));
        assert_string_equal(note.text, rows[i].note);
        main_child_close(&child);
    }
}

static void a_signal_ends_it_and_its_end_can_be_waited_for(void **state)
{
    (void)state;
    char line[] = "sleep 1000; true"; /* two processes, which both have the pipe */
    char *const program[] = {sh, dash_c, line, NULL};
    const struct child_order order = {.program = program};
    struct child child;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(main_child_start(&child, &order, NULL), OK);
    close(ends[1]);
    assert_false(main_child_is_over(&child));
    main_child_signal(&child, SIGTERM);
    main_child_wait(&child);
    assert_int_equal(child.status, 128 + SIGTERM);
    if (child.has_group) {
        char byte;
        assert_int_equal(read(ends[0], &byte, 1), 0); /* the other one has ended, too */
    }
    close(ends[0]);
    main_child_close(&child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_status_is_as_a_shell_has_it),
        cmocka_unit_test(variables_stand_beside_the_environment_or_over_it),
        cmocka_unit_test(an_input_is_all_of_it),
        cmocka_unit_test(what_cannot_be_run_is_told_as_by_a_shell),
        cmocka_unit_test(a_signal_ends_it_and_its_end_can_be_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
