#include <sys/stat.h>

#include "env_testing.h"

static struct env *env;
static char directory[DIRECTORY_PATH_SIZE];
static char path[TESTING_PATH_SIZE];
static char other[TESTING_PATH_SIZE];

static int set_up(void **state)
{
    (void)state;
    env = env_uv_open();
    directory_make(directory);
    (void)snprintf(path, sizeof(path), "%s/path", directory);
    (void)snprintf(other, sizeof(other), "%s/other", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    directory_remove(directory);
    env_uv_close(env);
    return 0;
}

static void touch(const char *name)
{
    struct env_file *file;
    assert_int_equal(env_file_open(env, name, ENV_OPEN_WRITE | ENV_OPEN_CREATE, &file, NULL), OK);
    env_file_close(file);
}

static void a_directory_is_created_once_and_found_later(void **state)
{
    (void)state;
    struct stat status;
    assert_int_equal(env_dir_create(env, path, NULL), OK);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_int_equal(env_dir_create(env, path, NULL), OK);
    assert_int_equal(env_dir_sync(env, path), OK);
}

static void what_stands_in_the_way_is_named(void **state)
{
    (void)state;
    struct err_note note = {{0}};
    char expected[ERR_NOTE_SIZE];
    touch(path);
    assert_int_equal(env_dir_create(env, path, &note), ERR_EXISTS);
    (void)snprintf(expected, sizeof(expected), "%s is not a directory", path);
    assert_string_equal(note.text, expected);
    assert_int_equal(env_dir_create(env, "/no/such/parent", &note), ERR_NO_FILE);
    assert_string_equal(note.text, "create directory /no/such/parent: No such file or directory");
    assert_int_equal(env_dir_sync(env, "/no/such/parent"), ERR_NO_FILE);
}

static char names[64];

static void collect(void *ctx, const char *name)
{
    assert_ptr_equal(ctx, names);
    size_t size = strlen(names);
    (void)snprintf(names + size, sizeof(names) - size, "%s|", name);
}

static void entries_are_listed_in_byte_order(void **state)
{
    (void)state;
    const char *const files[] = {"b", "10", "A", "a", "9", ".hidden"};
    for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
        char name[TESTING_PATH_SIZE];
        (void)snprintf(name, sizeof(name), "%s/%s", directory, files[i]);
        touch(name);
    }
    names[0] = '\0';
    assert_int_equal(env_dir_list(env, directory, collect, names), OK);
    assert_string_equal(names, ".hidden|10|9|A|a|b|");
}

static void an_empty_directory_and_a_missing_one_differ(void **state)
{
    (void)state;
    names[0] = '\0';
    assert_int_equal(env_dir_list(env, directory, collect, names), OK);
    assert_int_equal(env_dir_list(env, path, collect, names), ERR_NO_FILE);
    assert_string_equal(names, "");
}

static void a_file_is_renamed_over_another_and_removed(void **state)
{
    (void)state;
    touch(path);
    touch(other);
    assert_int_equal(env_rename(env, path, other), OK);
    assert_int_equal(env_rename(env, path, other), ERR_NO_FILE);
    assert_int_equal(env_unlink(env, other), OK);
    assert_int_equal(env_unlink(env, other), ERR_NO_FILE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_directory_is_created_once_and_found_later),
        TEST(what_stands_in_the_way_is_named),
        TEST(entries_are_listed_in_byte_order),
        TEST(an_empty_directory_and_a_missing_one_differ),
        TEST(a_file_is_renamed_over_another_and_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
