/* W2: what the worker cannot do ends the process, at once and by name. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "wal/wal_writer.h"
#include "wal_testing.h"

#define SEGMENT_SIZE 8192u
#define TEXT_SIZE 4096u

/* From now on system call `number` fails with EIO, on every thread of the process. */
static void fail_system_call(unsigned number)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EIO),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = ARRAY_COUNT(filter), .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0) {
        _exit(99);
    }
}

/* From now on files cannot be written at or above `size`. */
static void limit_file_size(unsigned size)
{
    struct rlimit limit = {.rlim_cur = size, .rlim_max = size};
    (void)signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) {
        _exit(99);
    }
}

/* In a child: opens a log, breaks the disk, appends, and waits for a report that must not come. */
static _Noreturn void run_child(const char *directory, void (*spoil)(unsigned), unsigned argument)
{
    struct fixture fixture = {.env = env_uv_open()};
    fixture.options = (struct wal_options){
        .env = fixture.env,
        .directory = directory,
        .cluster_id = CLUSTER,
        .node = NODE,
        .segment_size_bytes = SEGMENT_SIZE,
        .persisted = fixture_persisted,
        .ctx = &fixture,
    };
    if (fixture_try_open(&fixture) != OK) {
        _exit(98);
    }
    uint64_t ticket = append(&fixture, 1, (struct raft_pos){1, 1}, 4, 500);
    spoil(argument);
    wal_flush(fixture.wal);
    AWAIT(&fixture, fixture.persisted >= ticket);
    _exit(0); /* reported: wrong */
}

/* Runs the child; fills what it printed and returns its exit status. */
static int run(const char *directory, void (*spoil)(unsigned), unsigned argument, char *text)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    (void)fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        run_child(directory, spoil, argument);
    }
    (void)close(ends[1]);
    size_t size = 0;
    ssize_t count;
    while ((count = read(ends[0], text + size, TEXT_SIZE - 1 - size)) > 0) {
        size += (size_t)count;
    }
    text[size] = '\0';
    (void)close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int setup(void **state)
{
    char *directory = mem_alloc(PATH_SIZE);
    (void)snprintf(directory, PATH_SIZE, "/tmp/pontoon-wal-XXXXXX");
    assert_non_null(mkdtemp(directory));
    *state = directory;
    return 0;
}

static int teardown(void **state)
{
    directory_clear(*state);
    assert_int_equal(rmdir(*state), 0);
    mem_free(*state);
    return 0;
}

/* The last line ends in `segment: what`, and says that once. */
static void assert_ends_with(const char *text, const char *what)
{
    char end[128];
    int size = snprintf(end, sizeof(end), "/0000000000000001.seg: %s\n", what);
    assert_true((size_t)size < strlen(text));
    assert_string_equal(text + strlen(text) - (size_t)size, end);
}

static void a_failed_sync_ends_the_process(void **state)
{
    char text[TEXT_SIZE];
    assert_int_equal(run(*state, fail_system_call, SYS_fdatasync, text), 1);
    assert_non_null(strstr(text, "fatal: wal: sync "));
    assert_ends_with(text, "Input/output error");
}

static void a_failed_write_ends_the_process(void **state)
{
    char text[TEXT_SIZE];
    assert_int_equal(run(*state, fail_system_call, SYS_pwritev, text), 1);
    assert_non_null(strstr(text, "fatal: wal: write "));
    assert_ends_with(text, "Input/output error");
}

static void a_short_write_ends_the_process(void **state)
{
    char text[TEXT_SIZE];
    assert_int_equal(run(*state, limit_file_size, 1024, text), 1);
    assert_non_null(strstr(text, "fatal: wal: write "));
    assert_ends_with(text, "File too large");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_failed_sync_ends_the_process, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_write_ends_the_process, setup, teardown),
        cmocka_unit_test_setup_teardown(a_short_write_ends_the_process, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
