#include <arpa/inet.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "main/server.h"
#include "main_testing.h"

#define PATH_SIZE 64

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int make_directory(void **state)
{
    static char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "/tmp/pontoon-test-XXXXXX");
    assert_non_null(mkdtemp(path));
    *state = path;
    return 0;
}

static int remove_directory(void **state)
{
    return nftw(*state, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Settings for a small node in `directory`. */
static void load_small(struct outcome_of_options *out, const char *directory, const char *listen)
{
    char data[PATH_SIZE + 16];
    (void)snprintf(data, sizeof(data), "--data=%s/data", directory);
    load(out, &(struct given){
                  .flags = {data, "--listen", listen, "--segment-size=1MiB", "--log-level=error"}});
    assert_int_equal(out->e, OK);
}

static void a_signal_ends_it_and_it_starts_again(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct outcome_of_options out;
        struct server *server = NULL;
        load_small(&out, *state, "127.0.0.1:0");
        struct env *env = env_uv_open();
        err e = main_server_open(&server, env, &out.options, &out.note);
        if (e != OK) {
            fail_msg("%s", out.note.text);
        }
        assert_int_equal(raise(i == 0 ? SIGTERM : SIGINT), 0);
        main_server_run(server);
        main_server_close(server);
        env_uv_close(env);
        outcome_deinit(&out);
    }
}

struct late_signal {
    struct env_turn turn; /* behind all those of the server: "drained" comes in the second */
    int turns;
};

static void raise_late(struct env_turn *turn)
{
    struct late_signal *late = CONTAINER_OF(turn, struct late_signal, turn);
    late->turns++;
    if (late->turns == 2) {
        assert_int_equal(raise(SIGINT), 0);
    }
}

static void a_second_signal_after_the_last_answer_changes_nothing(void **state)
{
    struct outcome_of_options out;
    struct server *server = NULL;
    struct late_signal late = {.turn.run = raise_late};
    load_small(&out, *state, "127.0.0.1:0");
    struct env *env = env_uv_open();
    assert_int_equal(main_server_open(&server, env, &out.options, &out.note), OK);
    env_turn_add(env, &late.turn);
    assert_int_equal(raise(SIGTERM), 0);
    main_server_run(server);
    assert_true(late.turns >= 2);
    env_turn_remove(env, &late.turn);
    assert_int_equal(raise(SIGINT), 0); /* and now that nothing runs any more */
    main_server_close(server);
    env_uv_close(env);
    outcome_deinit(&out);
}

static void a_port_that_is_taken_is_named(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int taken = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(taken, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(taken, 1), 0);
    assert_int_equal(getsockname(taken, (struct sockaddr *)&address, &size), 0);
    char listen_address[PATH_SIZE];
    (void)snprintf(listen_address, sizeof(listen_address), "127.0.0.1:%u",
                   (unsigned)ntohs(address.sin_port));
    struct outcome_of_options out;
    struct server *server = NULL;
    load_small(&out, *state, listen_address);
    struct env *env = env_uv_open();
    assert_int_equal(main_server_open(&server, env, &out.options, &out.note), ERR_ADDRESS);
    assert_non_null(strstr(out.note.text, listen_address));
    assert_null(server);
    env_uv_close(env);
    outcome_deinit(&out);
    (void)close(taken);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)
    const struct CMUnitTest tests[] = {
        TEST(a_signal_ends_it_and_it_starts_again),
        TEST(a_second_signal_after_the_last_answer_changes_nothing),
        TEST(a_port_that_is_taken_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
