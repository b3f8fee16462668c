#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "env_testing.h"

static struct env *env;
static char directory[DIRECTORY_PATH_SIZE];
static char path[TESTING_PATH_SIZE];
static struct err_note note;

static int set_up(void **state)
{
    (void)state;
    env = env_uv_open();
    directory_make(directory);
    (void)snprintf(path, sizeof(path), "%s/LOCK", directory);
    note.text[0] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    directory_remove(directory);
    env_uv_close(env);
    return 0;
}

static void assert_busy(pid_t holder)
{
    struct env_lock *lock;
    char expected[ERR_NOTE_SIZE];
    assert_int_equal(env_lock_take(env, path, &lock, &note), ERR_BUSY);
    (void)snprintf(expected, sizeof(expected), "%s is locked by process %ld", path, (long)holder);
    assert_string_equal(note.text, expected);
}

static void a_lock_is_taken_once_until_it_is_released(void **state)
{
    (void)state;
    struct env_lock *lock;
    FILE *before = fopen(path, "w"); /* what a former holder left */
    assert_non_null(before);
    assert_true(fputs("123456789012345\n", before) >= 0);
    assert_int_equal(fclose(before), 0);
    assert_int_equal(env_lock_take(env, path, &lock, &note), OK);
    assert_busy(getpid());
    env_lock_release(lock);
    assert_int_equal(env_lock_take(env, path, &lock, &note), OK);
    env_lock_release(lock);
    env_lock_release(NULL);
}

static void a_shared_lock_keeps_takers_off_and_writes_nothing(void **state)
{
    (void)state;
    struct env_lock *lock;
    struct env_lock *other;
    assert_int_equal(env_uv_lock_share(path, &lock, &note), ERR_NO_FILE);
    assert_int_equal(access(path, F_OK), -1);
    FILE *before = fopen(path, "w");
    assert_non_null(before);
    assert_int_equal(fclose(before), 0);
    assert_int_equal(env_uv_lock_share(path, &lock, &note), OK);
    assert_int_equal(env_uv_lock_share(path, &other, &note), OK);
    env_lock_release(other);
    assert_int_equal(env_lock_take(env, path, &other, &note), ERR_BUSY);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 0);
    env_lock_release(lock);
    assert_int_equal(env_lock_take(env, path, &other, &note), OK);
    assert_int_equal(env_uv_lock_share(path, &lock, &note), ERR_BUSY);
    assert_non_null(strstr(note.text, "is locked by process"));
    env_lock_release(other);
}

static void a_lock_of_another_process_names_it_and_goes_with_it(void **state)
{
    (void)state;
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct env_lock *lock;
        err e = env_lock_take(env, path, &lock, NULL);
        (void)!write(ready[1], e == OK ? "+" : "-", 1);
        for (;;) {
            (void)pause();
        }
    }
    char answer = '?';
    assert_int_equal(read(ready[0], &answer, 1), 1);
    assert_int_equal(answer, '+');
    assert_busy(child);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    struct env_lock *lock;
    assert_int_equal(env_lock_take(env, path, &lock, &note), OK);
    assert_busy(getpid()); /* the file names the new one */
    env_lock_release(lock);
    (void)close(ready[0]);
    (void)close(ready[1]);
}

static void a_lock_without_a_directory_says_so(void **state)
{
    (void)state;
    struct env_lock *lock;
    assert_int_equal(env_lock_take(env, "/no/such/LOCK", &lock, &note), ERR_NO_FILE);
    assert_string_equal(note.text, "open /no/such/LOCK: No such file or directory");
}

static void a_holder_that_left_no_number_is_another_process(void **state)
{
    (void)state;
    struct env_lock *lock;
    struct env_lock *second;
    assert_int_equal(env_lock_take(env, path, &lock, &note), OK);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(env_lock_take(env, path, &second, &note), ERR_BUSY);
    assert_non_null(strstr(note.text, "is locked by another process"));
    env_lock_release(lock);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_lock_is_taken_once_until_it_is_released),
        TEST(a_shared_lock_keeps_takers_off_and_writes_nothing),
        TEST(a_lock_of_another_process_names_it_and_goes_with_it),
        TEST(a_lock_without_a_directory_says_so),
        TEST(a_holder_that_left_no_number_is_another_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
