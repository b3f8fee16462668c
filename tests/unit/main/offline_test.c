#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "env/uv.h"
#include "main/offline.h"

#define WORDS_MAX 8

struct fixture {
    struct env *env;
    char directory[64];
    struct err_note note;
    const char *found; /* by parse */
    struct offline_flag flags[2];
};

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){.env = env_uv_open(), .directory = "/tmp/pontoon-test-XXXXXX"};
    assert_non_null(mkdtemp(fixture.directory));
    *state = &fixture;
    return 0;
}

static void path_of(const struct fixture *f, const char *name, char path[96])
{
    (void)snprintf(path, 96, "%s/%s", f->directory, name);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"identity", "lock", "wal", ""};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[96];
        path_of(f, names[i], path);
        (void)remove(path);
    }
    env_uv_close(f->env);
    assert_int_equal(access(f->directory, F_OK), -1); /* nothing else was made */
    return 0;
}

/* ---- the command line ---- */

static err parse(struct fixture *f, const char *first, const char *second, const char *third)
{
    const char *const words[WORDS_MAX] = {first, second, third, NULL};
    char *arguments[WORDS_MAX];
    memcpy(arguments, words, sizeof(arguments));
    int count = 0;
    while (arguments[count] != NULL) {
        count++;
    }
    f->flags[0] = (struct offline_flag){.name = "from"};
    f->flags[1] = (struct offline_flag){.name = "to"};
    return main_offline_parse(count, arguments, &f->found, f->flags, 2, &f->note);
}

static void the_directory_and_the_flags_are_taken_in_any_order(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(parse(f, "data", NULL, NULL), OK);
    assert_string_equal(f->found, "data");
    assert_null(f->flags[0].value);
    assert_int_equal(parse(f, "--from", "7", "data"), OK);
    assert_string_equal(f->found, "data");
    assert_string_equal(f->flags[0].value, "7");
    assert_int_equal(parse(f, "data", "--to=", "--from=a=b"), OK);
    assert_string_equal(f->flags[0].value, "a=b");
    assert_string_equal(f->flags[1].value, "");
}

static void what_is_not_understood_is_refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *words[3];
        const char *why;
    } rows[] = {
        {{NULL}, "which data directory"},
        {{"", NULL}, "which data directory"},
        {{"--from", "1", NULL}, "which data directory"},
        {{"a", "b", NULL}, "unexpected argument \"b\""},
        {{"a", "--frm", "1"}, "unknown flag --frm: did you mean --from?"},
        {{"a", "--nothing", "1"}, "unknown flag --nothing"},
        {{"a", "--from", NULL}, "--from needs a value"},
        {{"a", "--from=1", "--from=2"}, "given twice"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *const *words = rows[i].words;
        assert_int_equal(parse(f, words[0], words[1], words[2]), ERR_BAD_REQUEST);
        if (strstr(f->note.text, rows[i].why) == NULL) {
            fail_msg("\"%s\" is not in \"%s\"", rows[i].why, f->note.text);
        }
    }
    char name[2000];
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(parse(f, name, NULL, NULL), ERR_BAD_REQUEST);
}

/* ---- the directory ---- */

static void make_file(const struct fixture *f, const char *name, const char *text)
{
    char path[96];
    path_of(f, name, path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void what_is_no_data_directory_is_told(void **state)
{
    struct fixture *f = *state;
    struct offline offline;
    assert_int_equal(main_offline_open(&offline, f->env, "/no/such", &f->note), ERR_NO_FILE);
    assert_non_null(strstr(f->note.text, "there is no such directory"));
    main_offline_close(&offline);
    make_file(f, "lock", "");
    assert_int_equal(main_offline_open(&offline, f->env, f->directory, &f->note), ERR_NO_FILE);
    assert_non_null(strstr(f->note.text, "is no data directory"));
    main_offline_close(&offline);
}

static void one_that_a_node_has_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct offline offline;
    struct env_lock *lock;
    char path[96];
    make_file(f, "identity", "");
    path_of(f, "lock", path);
    assert_int_equal(env_lock_take(f->env, path, &lock, &f->note), OK);
    assert_int_equal(main_offline_open(&offline, f->env, f->directory, &f->note), ERR_BUSY);
    assert_non_null(strstr(f->note.text, "is in use: "));
    assert_non_null(strstr(f->note.text, "stop the node"));
    main_offline_close(&offline);
    env_lock_release(lock);
    assert_int_equal(main_offline_open(&offline, f->env, f->directory, &f->note), OK);
    assert_int_equal(env_lock_take(f->env, path, &lock, &f->note), ERR_BUSY);
    main_offline_close(&offline);
}

/* So that a copy of some of it can be looked at, and a damaged one. */
static void one_without_lock_or_identity_is_taken(void **state)
{
    struct fixture *f = *state;
    struct offline offline;
    char path[96];
    path_of(f, "wal", path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(main_offline_open(&offline, f->env, f->directory, &f->note), OK);
    assert_int_equal(offline.identity_error, ERR_NO_FILE);
    assert_int_equal(offline.identity.node, 0);
    assert_string_equal(offline.log_directory, path);
    main_offline_close(&offline);
    path_of(f, "lock", path);
    assert_int_equal(access(path, F_OK), -1);
    make_file(f, "identity", "pontoon-data 1\n");
    assert_int_equal(main_offline_open(&offline, f->env, f->directory, &f->note), OK);
    assert_int_equal(offline.identity_error, ERR_DAMAGED);
    assert_non_null(strstr(offline.identity_note.text, "identity: damaged"));
    main_offline_close(&offline);
}

/* ---- the end ---- */

static void a_page_that_leads_out_of_the_file_ends_it_with_status_1(void **state)
{
    (void)state;
    static const int signals[] = {SIGBUS, SIGSEGV};
    for (size_t i = 0; i < 2; i++) {
        (void)fflush(NULL);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            if (freopen("/dev/null", "w", stderr) == NULL) {
                _exit(99);
            }
            main_offline_guard();
            (void)raise(signals[i]);
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), EXIT_FAILED);
    }
}

static void output_that_does_not_fit_is_a_failure(void **state)
{
    (void)state;
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL ||
            freopen("/dev/full", "w", stdout) == NULL) {
            _exit(99);
        }
        (void)fputs("something", stdout);
        _exit((int)main_offline_finish("check"));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EXIT_FAILED);
}

static void a_key_is_escaped_as_in_a_url(void **state)
{
    (void)state;
    struct writer scratch = {0};
    assert_string_equal(main_offline_escape(SLICE_LITERAL("a b/\n"), &scratch), "a%20b/%0A");
    assert_string_equal(main_offline_escape(SLICE_EMPTY, &scratch), "");
    writer_deinit(&scratch);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_directory_and_the_flags_are_taken_in_any_order),
        TEST(what_is_not_understood_is_refused),
        TEST(what_is_no_data_directory_is_told),
        TEST(one_that_a_node_has_is_left_alone),
        TEST(one_without_lock_or_identity_is_taken),
        TEST(a_page_that_leads_out_of_the_file_ends_it_with_status_1),
        TEST(output_that_does_not_fit_is_a_failure),
        TEST(a_key_is_escaped_as_in_a_url),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
