#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "env_testing.h"

static struct env *env;
static char directory[DIRECTORY_PATH_SIZE];
static char path[TESTING_PATH_SIZE];

static int set_up(void **state)
{
    (void)state;
    env = env_uv_open();
    directory_make(directory);
    (void)snprintf(path, sizeof(path), "%s/file", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    directory_remove(directory);
    env_uv_close(env);
    return 0;
}

static size_t call_size_max; /* 0: as the system does it */
static bool is_interrupted;

/*
 * Stands before the C library's, so that a call may be made to write only a few bytes, and every
 * other one to be interrupted.
 */
ssize_t pwritev(int fd, const struct iovec *parts, int part_count, off_t offset)
{
    is_interrupted = call_size_max > 0 && !is_interrupted;
    if (is_interrupted) {
        errno = EINTR;
        return -1;
    }
    ssize_t done = 0;
    for (int i = 0; i < part_count; i++) {
        size_t size = parts[i].iov_len;
        if (call_size_max > 0 && size > call_size_max - (size_t)done) {
            size = call_size_max - (size_t)done;
        }
        ssize_t count = pwrite(fd, parts[i].iov_base, size, offset + done);
        if (count < 0) {
            return done > 0 ? done : -1;
        }
        done += count;
        if ((size_t)count < parts[i].iov_len) {
            break;
        }
    }
    return done;
}

static struct env_file *open_new(void)
{
    struct env_file *file;
    assert_int_equal(
        env_file_open(env, path,
                      ENV_OPEN_READ | ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE, &file,
                      NULL),
        OK);
    return file;
}

static err write_text(struct env_file *file, uint64_t offset, const char *text)
{
    char copy[256];
    (void)snprintf(copy, sizeof(copy), "%s", text);
    const struct iovec part = {.iov_base = copy, .iov_len = strlen(copy)};
    return env_file_write(file, offset, &part, 1);
}

static void assert_content(struct env_file *file, const char *expected)
{
    char text[256];
    size_t size;
    assert_int_equal(env_file_read(file, 0, text, sizeof(text), &size), OK);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(text, expected, size);
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    struct env_file *file = open_new();
    uint64_t size = 99;
    assert_int_equal(env_file_size(file, &size), OK);
    assert_int_equal(size, 0);
    assert_int_equal(write_text(file, 0, "hello"), OK);
    assert_int_equal(write_text(file, 3, "p!"), OK);
    assert_content(file, "help!");
    assert_int_equal(env_file_sync(file), OK);
    assert_int_equal(env_file_size(file, &size), OK);
    assert_int_equal(size, 5);
    env_file_close(file);
    env_file_close(NULL);
}

static void a_read_ends_at_the_end_of_the_file(void **state)
{
    (void)state;
    struct env_file *file = open_new();
    char text[8];
    size_t size = 99;
    assert_int_equal(write_text(file, 0, "hello"), OK);
    assert_int_equal(env_file_read(file, 3, text, sizeof(text), &size), OK);
    assert_int_equal(size, 2);
    assert_memory_equal(text, "lo", 2);
    assert_int_equal(env_file_read(file, 5, text, sizeof(text), &size), OK);
    assert_int_equal(size, 0);
    assert_int_equal(env_file_read(file, 1000, text, sizeof(text), &size), OK);
    assert_int_equal(size, 0);
    env_file_close(file);
}

static void more_parts_than_one_call_takes_are_written_in_order(void **state)
{
    (void)state;
    enum {
        COUNT = 2 * IOV_MAX + 77
    };
    static uint32_t numbers[COUNT];
    static uint32_t read_back[COUNT];
    static struct iovec parts[COUNT];
    size_t expected = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        numbers[i] = i;
        bool is_empty = i % 5 == 0;
        parts[i] = (struct iovec){.iov_base = is_empty ? NULL : &numbers[i],
                                  .iov_len = is_empty ? 0 : sizeof(uint32_t)};
        expected += parts[i].iov_len;
    }
    struct env_file *file = open_new();
    assert_int_equal(env_file_write(file, 0, parts, COUNT), OK);
    assert_int_equal(env_file_write(file, 0, NULL, 0), OK);
    size_t size;
    assert_int_equal(env_file_read(file, 0, read_back, sizeof(read_back), &size), OK);
    assert_int_equal(size, expected);
    size_t next = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        if (i % 5 != 0) {
            assert_int_equal(read_back[next], i);
            next++;
        }
    }
    env_file_close(file);
}

/* The kernel writes up to the limit, so that the call goes on in the middle of a part. */
static void a_short_write_goes_on_and_its_cause_is_reported(void **state)
{
    (void)state;
    struct env_file *file = open_new();
    char first[] = "0123456";
    char second[] = "789abcdef";
    const struct iovec parts[] = {{.iov_base = first, .iov_len = 7},
                                  {.iov_base = second, .iov_len = 9}};
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit tight = {.rlim_cur = 10, .rlim_max = before.rlim_max};
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    err e = env_file_write(file, 0, parts, 2);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(e, ERR_NO_SPACE);
    assert_content(file, "0123456789");
    env_file_close(file);
}

static void interrupted_and_short_writes_lose_nothing(void **state)
{
    (void)state;
    struct env_file *file = open_new();
    char first[] = "0123456";
    char second[] = "789";
    char third[] = "abcdefghijk";
    const struct iovec parts[] = {{.iov_base = first, .iov_len = 7},
                                  {.iov_base = second, .iov_len = 3},
                                  {.iov_base = third, .iov_len = 11}};
    for (size_t size = 1; size < 21; size++) {
        call_size_max = size;
        assert_int_equal(env_file_truncate(file, 0), OK);
        assert_int_equal(env_file_write(file, 0, parts, 3), OK);
        call_size_max = 0;
        assert_content(file, "0123456789abcdefghijk");
    }
    env_file_close(file);
}

static void a_full_device_is_no_space(void **state)
{
    (void)state;
    struct env_file *file;
    assert_int_equal(env_file_open(env, "/dev/full", ENV_OPEN_WRITE, &file, NULL), OK);
    assert_int_equal(write_text(file, 0, "x"), ERR_NO_SPACE);
    env_file_close(file);
}

static void a_missing_file_is_reported_with_path_and_reason(void **state)
{
    (void)state;
    struct env_file *file;
    struct err_note note = {{0}};
    char expected[ERR_NOTE_SIZE];
    assert_int_equal(env_file_open(env, path, ENV_OPEN_READ, &file, &note), ERR_NO_FILE);
    (void)snprintf(expected, sizeof(expected), "open %s: No such file or directory", path);
    assert_string_equal(note.text, expected);
}

static void exclusive_truncate_and_plain_opens_differ(void **state)
{
    (void)state;
    struct env_file *file = open_new();
    assert_int_equal(write_text(file, 0, "text"), OK);
    env_file_close(file);
    unsigned create = ENV_OPEN_READ | ENV_OPEN_WRITE | ENV_OPEN_CREATE;
    assert_int_equal(env_file_open(env, path, create | ENV_OPEN_EXCLUSIVE, &file, NULL),
                     ERR_EXISTS);
    assert_int_equal(env_file_open(env, path, create, &file, NULL), OK);
    assert_content(file, "text");
    env_file_close(file);
    assert_int_equal(env_file_open(env, path, create | ENV_OPEN_TRUNCATE, &file, NULL), OK);
    assert_content(file, "");
    env_file_close(file);
}

static void a_file_is_only_for_what_it_was_opened_for(void **state)
{
    (void)state;
    env_file_close(open_new());
    struct env_file *file;
    char text[1];
    size_t size;
    assert_int_equal(env_file_open(env, path, ENV_OPEN_READ, &file, NULL), OK);
    assert_int_equal(write_text(file, 0, "x"), ERR_IO);
    env_file_close(file);
    assert_int_equal(env_file_open(env, path, ENV_OPEN_WRITE, &file, NULL), OK);
    assert_int_equal(env_file_read(file, 0, text, 1, &size), ERR_IO);
    env_file_close(file);
}

static void nobody_else_may_read_a_new_file(void **state)
{
    (void)state;
    env_file_close(open_new());
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void truncate_cuts_and_extends(void **state)
{
    (void)state;
    struct env_file *file = open_new();
    uint64_t size;
    assert_int_equal(write_text(file, 0, "hello"), OK);
    assert_int_equal(env_file_truncate(file, 2), OK);
    assert_content(file, "he");
    assert_int_equal(env_file_truncate(file, 4096), OK);
    assert_int_equal(env_file_size(file, &size), OK);
    assert_int_equal(size, 4096);
    env_file_close(file);
}

static void allocate_reserves_blocks_and_keeps_the_content(void **state)
{
    (void)state;
    struct env_file *file = open_new();
    uint64_t size;
    struct stat status;
    assert_int_equal(write_text(file, 0, "hello"), OK);
    assert_int_equal(env_file_allocate(file, 1 << 20), OK);
    assert_int_equal(env_file_size(file, &size), OK);
    assert_int_equal(size, 1 << 20);
    assert_int_equal(stat(path, &status), 0);
    assert_true(status.st_blocks * 512 >= 1 << 20);
    char text[6];
    assert_int_equal(env_file_read(file, 0, text, sizeof(text), &size), OK);
    assert_memory_equal(text, "hello", 6);
    env_file_close(file);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_read_back),
        TEST(a_read_ends_at_the_end_of_the_file),
        TEST(more_parts_than_one_call_takes_are_written_in_order),
        TEST(a_short_write_goes_on_and_its_cause_is_reported),
        TEST(interrupted_and_short_writes_lose_nothing),
        TEST(a_full_device_is_no_space),
        TEST(a_missing_file_is_reported_with_path_and_reason),
        TEST(exclusive_truncate_and_plain_opens_differ),
        TEST(a_file_is_only_for_what_it_was_opened_for),
        TEST(nobody_else_may_read_a_new_file),
        TEST(truncate_cuts_and_extends),
        TEST(allocate_reserves_blocks_and_keeps_the_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
