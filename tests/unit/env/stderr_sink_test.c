#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crash.h"
#include "env/stderr_sink.h"
#include "env_testing.h"

static struct env *env;
static struct env_stderr_sink *sink;
static int fds[2]; /* the reader's, the sink's */
static char text[1 << 20];
static size_t text_size;

static void open_on_pipe(void)
{
    assert_int_equal(pipe(fds), 0);
    sink = env_stderr_sink_open(env, fds[1]);
}

static int set_up(void **state)
{
    (void)state;
    env = env_uv_open();
    text_size = 0;
    text[0] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    env_stderr_sink_close(sink);
    env_uv_close(env);
    (void)close(fds[0]);
    (void)close(fds[1]);
    return 0;
}

static void write_line(const char *line)
{
    env_stderr_sink_write(sink, LOG_LEVEL_INFO, line, strlen(line));
}

static void write_numbered_lines(unsigned begin, unsigned end)
{
    for (unsigned i = begin; i < end; i++) {
        char line[128];
        (void)snprintf(line, sizeof(line), "%06u %0100d\n", i, 0);
        write_line(line);
    }
}

/* Reads what the pipe holds, without waiting. */
static void read_some(void)
{
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    ssize_t count = read(fds[0], text + text_size, sizeof(text) - 1 - text_size);
    text_size += count > 0 ? (size_t)count : 0;
    text[text_size] = '\0';
}

static void read_until(const char *wanted)
{
    struct patience patience = {.is_over = false};
    env_timer_init(env, &patience.timer, patience_is_over);
    env_timer_start(&patience.timer, PATIENCE_MS, 0);
    while (strstr(text, wanted) == NULL && !patience.is_over) {
        env_uv_run_once(env, true); /* the retry's timer */
        read_some();
    }
    env_timer_deinit(&patience.timer);
    assert_non_null(strstr(text, wanted));
}

static uint64_t dropped(void)
{
    return env_stderr_sink_dropped(sink)->value;
}

static void a_line_goes_out_at_once(void **state)
{
    (void)state;
    open_on_pipe();
    write_line("hello\n");
    read_some();
    assert_string_equal(text, "hello\n");
}

static void a_pipe_that_nobody_reads_blocks_nobody(void **state)
{
    (void)state;
    open_on_pipe();
    write_numbered_lines(0, 20000); /* or this would never return */
    assert_true(dropped() > 0);
    assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
}

static void lines_wait_whole_and_in_order_until_somebody_reads(void **state)
{
    (void)state;
    open_on_pipe();
    write_numbered_lines(0, 1000); /* more than the pipe, less than pipe and sink */
    assert_int_equal(dropped(), 0);
    read_until("000999 ");
    const char *line = text;
    for (unsigned i = 0; i < 1000; i++) {
        char number[8];
        (void)snprintf(number, sizeof(number), "%06u ", i);
        assert_memory_equal(line, number, 7);
        line = strchr(line, '\n') + 1;
    }
    assert_int_equal(*line, '\0');
}

static uint64_t read_clock(void *ctx)
{
    return env_wall_ms(ctx);
}

static void what_was_dropped_is_said_once_writing_works_again(void **state)
{
    (void)state;
    open_on_pipe();
    const struct log_options options = {.level = LOG_LEVEL_INFO,
                                        .sink = env_stderr_sink_write,
                                        .sink_ctx = sink,
                                        .clock = read_clock,
                                        .clock_ctx = env};
    struct log *log = log_new(&options);
    env_stderr_sink_set_log(sink, log);
    write_numbered_lines(0, 3000);
    uint64_t count = dropped();
    assert_true(count > 0);
    read_until("log lines dropped");
    char expected[64];
    (void)snprintf(expected, sizeof(expected), " count=%u total=%u\n", (unsigned)count,
                   (unsigned)count);
    read_until(expected);
    assert_int_equal(dropped(), count);
    write_line("back to normal\n");
    read_until("back to normal\n");
    assert_null(strstr(strstr(text, expected) + 1, "log lines dropped")); /* said once */
    env_stderr_sink_set_log(sink, NULL);
    log_free(log);
}

static void a_sink_that_has_caught_up_lets_the_loop_sleep(void **state)
{
    (void)state;
    open_on_pipe();
    write_numbered_lines(0, 1000);
    read_until("000999 ");
    env_uv_run_once(env, false);
    assert_int_equal(uv_backend_timeout(env_uv_loop(env)), -1);
}

static void a_reader_that_has_gone_costs_only_the_lines(void **state)
{
    (void)state;
    open_on_pipe();
    assert_int_equal(close(fds[0]), 0);
    write_numbered_lines(0, 2000);
    assert_true(dropped() > 0);
    assert_int_equal(open("/dev/null", O_RDONLY), fds[0]);
}

static void a_socket_that_nobody_reads_blocks_nobody(void **state)
{
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    sink = env_stderr_sink_open(env, fds[1]);
    write_numbered_lines(0, 20000);
    assert_true(dropped() > 0);
    read_until("000500 ");
}

static void what_waited_leaves_in_whole_lines(void **state)
{
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0); /* shows each write */
    sink = env_stderr_sink_open(env, fds[1]);
    write_numbered_lines(0, 20000);
    size_t packet_count = 0;
    bool had_many_lines = false;
    ssize_t size;
    do {
        size = recv(fds[0], text, sizeof(text), MSG_DONTWAIT);
        if (size > 0) {
            packet_count++;
            assert_int_equal(text[size - 1], '\n');
            had_many_lines = had_many_lines || memchr(text, '\n', (size_t)size - 1) != NULL;
        }
        write_line("one more\n");
    } while (size > 0 && packet_count < 20000 && !had_many_lines);
    assert_true(had_many_lines);
}

static void a_file_takes_every_line(void **state)
{
    (void)state;
    char path[] = "/tmp/pontoon-test-XXXXXX";
    fds[1] = mkstemp(path);
    assert_true(fds[1] >= 0);
    fds[0] = open(path, O_RDONLY);
    assert_true(fds[0] >= 0);
    assert_int_equal(unlink(path), 0);
    sink = env_stderr_sink_open(env, fds[1]);
    write_numbered_lines(0, 2000);
    assert_int_equal(dropped(), 0);
    read_some();
    assert_non_null(strstr(text, "001999 "));
}

static void a_line_as_long_as_a_line_can_be_passes(void **state)
{
    (void)state;
    static char line[LOG_LINE_SIZE_MAX];
    open_on_pipe();
    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\n';
    for (unsigned i = 0; i < 20; i++) {
        env_stderr_sink_write(sink, LOG_LEVEL_INFO, line, sizeof(line));
    }
    write_line("end\n");
    assert_int_equal(dropped(), 0);
    read_until("end\n");
    assert_int_equal(text_size, 20 * sizeof(line) + 4);
}

static void a_close_tries_once_more(void **state)
{
    (void)state;
    open_on_pipe();
    write_numbered_lines(0, 1000);
    read_some();
    env_stderr_sink_close(sink);
    sink = NULL;
    read_some();
    assert_non_null(strstr(text, "000999 "));
    env_stderr_sink_close(NULL);
}

/* In a process of its own: the end of one thread's is that of all. */
static void nothing_comes_behind_the_last_words(void **state)
{
    (void)state;
    int status;
    open_on_pipe();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        write_line("before\n");
        crash_begin();
        write_line("behind\n");
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    read_some();
    assert_string_equal(text, "before\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_goes_out_at_once),
        TEST(a_pipe_that_nobody_reads_blocks_nobody),
        TEST(lines_wait_whole_and_in_order_until_somebody_reads),
        TEST(what_was_dropped_is_said_once_writing_works_again),
        TEST(a_sink_that_has_caught_up_lets_the_loop_sleep),
        TEST(a_reader_that_has_gone_costs_only_the_lines),
        TEST(a_socket_that_nobody_reads_blocks_nobody),
        TEST(what_waited_leaves_in_whole_lines),
        TEST(a_file_takes_every_line),
        TEST(a_line_as_long_as_a_line_can_be_passes),
        TEST(a_close_tries_once_more),
        TEST(nothing_comes_behind_the_last_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
