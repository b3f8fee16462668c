#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/codec.h"
#include "env_testing.h"

/* One side of a connection, and what has happened to it. */
struct side {
    struct env_stream *stream;
    bool is_connected;
    bool has_failed;
    bool is_ended;
    bool is_drained;
    bool has_received;
    err dial_error;
    unsigned drained_count;
    struct writer received;
    void (*on_event)(struct side *side); /* NULL: nothing more */
};

static struct env *env;
static struct env_listener *listener;
static struct side dialled;
static struct side accepted;
static bool is_accepted;

static void side_event(struct side *side, bool *flag)
{
    *flag = true;
    if (side->on_event != NULL) {
        side->on_event(side);
    }
}

static void on_connected(void *ctx, struct env_stream *stream, err e)
{
    struct side *side = ctx;
    (void)stream;
    side->dial_error = e;
    side_event(side, e == OK ? &side->is_connected : &side->has_failed);
}

static void on_received(void *ctx, struct env_stream *stream, struct slice bytes)
{
    struct side *side = ctx;
    assert_ptr_equal(stream, side->stream);
    writer_bytes(&side->received, bytes);
    side_event(side, &side->has_received);
}

static void on_ended(void *ctx, struct env_stream *stream)
{
    struct side *side = ctx;
    assert_ptr_equal(stream, side->stream);
    assert_false(side->is_ended);
    side_event(side, &side->is_ended);
}

static void on_drained(void *ctx, struct env_stream *stream)
{
    struct side *side = ctx;
    assert_int_equal(env_stream_queued(stream), 0);
    side->drained_count++;
    side_event(side, &side->is_drained);
}

static const struct env_stream_handler handler = {
    .connected = on_connected, .received = on_received, .ended = on_ended, .drained = on_drained};

static void on_accepted(void *ctx, struct env_stream *stream)
{
    struct side *side = ctx;
    side->stream = stream;
    env_stream_set_handler(stream, &handler, side);
    is_accepted = true;
}

static int set_up(void **state)
{
    (void)state;
    dialled = (struct side){.stream = NULL};
    accepted = (struct side){.stream = NULL};
    is_accepted = false;
    env = env_uv_open();
    err e = env_listen(env, "127.0.0.1:0", on_accepted, &accepted, &listener, NULL);
    return e == OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    env_stream_close(dialled.stream);
    env_stream_close(accepted.stream);
    env_listener_close(listener);
    env_uv_close(env);
    writer_deinit(&dialled.received);
    writer_deinit(&accepted.received);
    return 0;
}

static void dial(const char *address)
{
    dialled.stream = env_stream_dial(env, address, &handler, &dialled);
}

static void connect_both(void)
{
    dial(env_listener_address(listener));
    run_until(env, &is_accepted);
    run_until(env, &dialled.is_connected);
}

/* A plain socket in the place of the dialling side. */
static int connect_plain(void)
{
    const char *port = strchr(env_listener_address(listener), ':') + 1;
    struct sockaddr_in address;
    assert_int_equal(uv_ip4_addr("127.0.0.1", (int)strtol(port, NULL, 10), &address), 0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    run_until(env, &is_accepted);
    return fd;
}

static void send_text(struct side *side, const char *text)
{
    struct buf *buf = buf_copy(slice_from_text(text));
    env_stream_write(side->stream, &buf, 1);
    buf_unref(buf);
}

static void assert_receives(struct side *side, const char *expected)
{
    struct slice wanted = slice_from_text(expected);
    while (side->received.size < wanted.size) {
        side->has_received = false;
        run_until(env, &side->has_received);
    }
    assert_true(slice_equal(writer_slice(&side->received), wanted));
    writer_reset(&side->received);
}

/* ---- connecting ---- */

static void bytes_go_both_ways(void **state)
{
    (void)state;
    connect_both();
    assert_int_equal(dialled.dial_error, OK);
    send_text(&dialled, "ping");
    assert_receives(&accepted, "ping");
    send_text(&accepted, "pong");
    assert_receives(&dialled, "pong");
}

static void both_sides_know_their_peer(void **state)
{
    (void)state;
    connect_both();
    assert_string_equal(env_stream_peer(dialled.stream), env_listener_address(listener));
    assert_memory_equal(env_stream_peer(accepted.stream), "127.0.0.1:", 10);
}

static void a_name_is_resolved(void **state)
{
    (void)state;
    char address[64];
    (void)snprintf(address, sizeof(address), "localhost%s",
                   strchr(env_listener_address(listener), ':'));
    dial(address);
    run_until(env, &dialled.is_connected);
    run_until(env, &is_accepted);
}

/* An address as the resolver would give it; freeaddrinfo frees it. */
static struct addrinfo *make_addrinfo(int port, struct addrinfo *next)
{
    struct addrinfo *info = calloc(1, sizeof(*info) + sizeof(struct sockaddr_in));
    assert_non_null(info);
    struct sockaddr_in address;
    assert_int_equal(uv_ip4_addr("127.0.0.1", port, &address), 0);
    memcpy(info + 1, &address, sizeof(address));
    info->ai_family = AF_INET;
    info->ai_socktype = SOCK_STREAM;
    info->ai_addrlen = sizeof(address);
    info->ai_addr = (struct sockaddr *)(info + 1);
    info->ai_next = next;
    return info;
}

/*
 * Stands before the C library's: "two.test" has two addresses, and nobody listens on the first one.
 * The rest is as ever.
 */
int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                struct addrinfo **out_addresses)
{
    if (host != NULL && strcmp(host, "two.test") == 0) {
        *out_addresses = make_addrinfo(1, make_addrinfo((int)strtol(port, NULL, 10), NULL));
        return 0;
    }
    int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    memcpy(&next, &symbol, sizeof(next));
    return next(host, port, hints, out_addresses);
}

static void the_next_address_is_tried_when_one_is_refused(void **state)
{
    (void)state;
    char address[64];
    (void)snprintf(address, sizeof(address), "two.test%s",
                   strchr(env_listener_address(listener), ':'));
    dial(address);
    send_text(&dialled, "found");
    run_until(env, &is_accepted);
    assert_receives(&accepted, "found");
    assert_true(dialled.is_connected);
    assert_false(dialled.has_failed);
}

static void a_dial_fails_once_after_its_last_address(void **state)
{
    (void)state;
    dial("two.test:1");
    run_until(env, &dialled.has_failed);
    assert_int_equal(dialled.dial_error, ERR_REFUSED);
    assert_false(dialled.is_connected);
}

static void what_is_written_before_the_connection_is_sent_after_it(void **state)
{
    (void)state;
    dial(env_listener_address(listener));
    send_text(&dialled, "early ");
    send_text(&dialled, "words");
    assert_int_equal(env_stream_queued(dialled.stream), 11);
    run_until(env, &is_accepted);
    assert_receives(&accepted, "early words");
    assert_int_equal(env_stream_queued(dialled.stream), 0);
}

static void a_refused_dial_fails_later_by_its_callback(void **state)
{
    (void)state;
    char address[64];
    (void)snprintf(address, sizeof(address), "%s", env_listener_address(listener));
    env_listener_close(listener);
    listener = NULL;
    env_uv_run_once(env, false);
    dial(address);
    assert_false(dialled.has_failed);
    send_text(&dialled, "dropped");
    run_until(env, &dialled.has_failed);
    assert_int_equal(dialled.dial_error, ERR_REFUSED);
    assert_int_equal(env_stream_queued(dialled.stream), 0);
    send_text(&dialled, "dropped, too");
    assert_int_equal(env_stream_queued(dialled.stream), 0);
}

static void a_dial_of_no_address_fails_later_too(void **state)
{
    (void)state;
    const char *const addresses[] = {"", "nonsense", "a..b:1", "255.255.255.255:1"};
    for (size_t i = 0; i < ARRAY_COUNT(addresses); i++) {
        dialled = (struct side){.stream = NULL};
        dial(addresses[i]);
        assert_false(dialled.has_failed);
        run_until(env, &dialled.has_failed);
        assert_int_not_equal(dialled.dial_error, OK);
        assert_string_equal(env_stream_peer(dialled.stream), addresses[i]);
        env_stream_close(dialled.stream);
        dialled.stream = NULL;
    }
}

static void close_at_once(void *ctx, struct env_stream *stream)
{
    (void)ctx;
    env_stream_close(stream);
}

static void a_dial_may_be_given_up_at_any_time(void **state)
{
    (void)state;
    struct env_listener *closing;
    assert_int_equal(env_listen(env, "127.0.0.1:0", close_at_once, NULL, &closing, NULL), OK);
    const char *const addresses[] = {env_listener_address(closing), "localhost:1", "nonsense"};
    for (size_t i = 0; i < ARRAY_COUNT(addresses); i++) {
        for (unsigned turns = 0; turns < 3; turns++) {
            dialled = (struct side){.stream = NULL};
            dial(addresses[i]);
            for (unsigned turn = 0; turn < turns; turn++) {
                env_uv_run_once(env, false);
            }
            env_stream_close(dialled.stream);
            dialled.stream = NULL;
            env_uv_run_once(env, false);
        }
    }
    env_listener_close(closing);
}

static void sockets_send_small_frames_at_once_and_notice_the_dead(void **state)
{
    (void)state;
    connect_both();
    unsigned tuned_count = 0;
    for (int fd = 3; fd < 256; fd++) {
        int nodelay = 0;
        int keepalive = 0;
        unsigned user_timeout = 0;
        socklen_t size = sizeof(int);
        if (getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &size) == 0 &&
            getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &keepalive, &size) == 0 &&
            getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout, &size) == 0 &&
            nodelay != 0 && keepalive != 0 && user_timeout > 0) {
            tuned_count++;
        }
    }
    assert_int_equal(tuned_count, 2);
}

/* ---- sending ---- */

static void what_is_queued_in_one_turn_leaves_at_its_end(void **state)
{
    (void)state;
    connect_both();
    send_text(&dialled, "one ");
    send_text(&dialled, "two ");
    send_text(&dialled, "three");
    assert_int_equal(env_stream_queued(dialled.stream), 13);
    run_until(env, &dialled.is_drained);
    assert_int_equal(dialled.drained_count, 1);
    accepted.has_received = accepted.received.size > 0;
    run_until(env, &accepted.has_received);
    assert_receives(&accepted, "one two three"); /* one segment: the first piece has it all */
}

struct late_writer {
    struct env_turn turn;
    unsigned run_count;
};

static void write_in_hook(struct env_turn *turn)
{
    struct late_writer *writer = CONTAINER_OF(turn, struct late_writer, turn);
    writer->run_count++;
    send_text(&dialled, "from a hook ");
}

static void what_a_hook_writes_leaves_in_the_same_turn(void **state)
{
    (void)state;
    struct late_writer writer = {.turn = {.run = write_in_hook}};
    connect_both();
    env_turn_add(env, &writer.turn);
    env_uv_run_once(env, false);
    env_turn_remove(env, &writer.turn);
    assert_true(writer.run_count > 0);
    assert_int_equal(env_stream_queued(dialled.stream), 0);
}

static void empty_parts_are_nothing_to_send(void **state)
{
    (void)state;
    connect_both();
    struct buf *parts[] = {buf_new(0), buf_copy(SLICE_LITERAL("x")), buf_new(0)};
    env_stream_write(dialled.stream, parts, 1);
    env_stream_write(dialled.stream, NULL, 0);
    env_uv_run_once(env, false);
    assert_int_equal(dialled.drained_count, 0);
    env_stream_write(dialled.stream, parts, 3);
    assert_receives(&accepted, "x");
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(parts[i]->ref_count, 1);
        buf_unref(parts[i]);
    }
}

static uint8_t pattern(size_t offset)
{
    return (uint8_t)(offset * 2654435761u >> 13);
}

/* Reads `size` bytes of the pattern from `fd`, running the loop meanwhile. */
static void read_pattern(int fd, size_t size)
{
    static uint8_t chunk[100000];
    size_t done = 0;
    while (done < size) {
        ssize_t count = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
        for (ssize_t i = 0; i < count; i++) {
            assert_int_equal(chunk[i], pattern(done + (size_t)i));
        }
        assert_int_not_equal(count, 0);
        done += count > 0 ? (size_t)count : 0;
        env_uv_run_once(env, false);
    }
    assert_int_equal(recv(fd, chunk, 1, MSG_DONTWAIT), -1);
}

static void a_peer_that_reads_slowly_gets_every_byte_once(void **state)
{
    (void)state;
    enum {
        PART_SIZE = 4099,
        PART_COUNT = 5000
    };
    static struct buf *parts[PART_COUNT];
    int fd = connect_plain();
    for (size_t i = 0; i < PART_COUNT; i++) {
        parts[i] = buf_new(PART_SIZE);
        for (size_t j = 0; j < PART_SIZE; j++) {
            parts[i]->data[j] = pattern(i * PART_SIZE + j);
        }
    }
    env_stream_write(accepted.stream, parts, PART_COUNT / 2);
    env_uv_run_once(env, false);
    env_uv_run_once(env, false);
    size_t queued = env_stream_queued(accepted.stream);
    assert_true(queued > 0);
    assert_true(queued < (size_t)PART_SIZE * PART_COUNT / 2); /* the kernel has a part of it */
    assert_false(accepted.is_drained);
    env_stream_write(accepted.stream, parts + PART_COUNT / 2, PART_COUNT / 2);
    assert_int_equal(env_stream_queued(accepted.stream),
                     queued + (size_t)PART_SIZE * PART_COUNT / 2);
    read_pattern(fd, (size_t)PART_SIZE * PART_COUNT);
    run_until(env, &accepted.is_drained);
    assert_int_equal(accepted.drained_count, 1);
    for (size_t i = 0; i < PART_COUNT; i++) {
        assert_int_equal(parts[i]->ref_count, 1);
        buf_unref(parts[i]);
    }
    assert_int_equal(close(fd), 0);
}

static void what_the_kernel_has_taken_is_not_queued(void **state)
{
    (void)state;
    static uint8_t chunk[1 << 20];
    struct buf *large = buf_new(64 << 20);
    memset(large->data, 0, large->size);
    int fd = connect_plain();
    env_stream_write(accepted.stream, &large, 1);
    env_uv_run_once(env, false);
    size_t before = env_stream_queued(accepted.stream);
    assert_true(before < large->size);
    while (env_stream_queued(accepted.stream) > before - sizeof(chunk)) {
        assert_true(recv(fd, chunk, sizeof(chunk), 0) > 0);
        env_uv_run_once(env, false);
    }
    assert_false(accepted.is_drained);
    assert_int_equal(large->ref_count, 2);
    buf_unref(large);
    assert_int_equal(close(fd), 0);
}

static void write_more(struct side *side)
{
    if (side->is_drained && side->drained_count < 100) {
        send_text(side, "more ");
    }
}

static void a_writer_that_waits_for_drained_keeps_going(void **state)
{
    (void)state;
    connect_both();
    dialled.on_event = write_more;
    send_text(&dialled, "more ");
    while (accepted.received.size < 500) {
        accepted.has_received = false;
        run_until(env, &accepted.has_received);
    }
    assert_int_equal(dialled.drained_count, 100);
}

static void a_close_gives_back_what_was_not_sent(void **state)
{
    (void)state;
    struct buf *large = buf_new(64 << 20);
    memset(large->data, 0, large->size);
    int fd = connect_plain();
    env_stream_write(accepted.stream, &large, 1);
    assert_int_equal(large->ref_count, 2);
    env_uv_run_once(env, false);
    assert_true(env_stream_queued(accepted.stream) > 0);
    env_stream_close(accepted.stream);
    accepted.stream = NULL;
    assert_int_equal(large->ref_count, 1);
    buf_unref(large);
    env_uv_run_once(env, false);
    assert_int_equal(close(fd), 0);
}

/* ---- the end ---- */

static void the_end_of_one_side_ends_the_other(void **state)
{
    (void)state;
    connect_both();
    send_text(&dialled, "last words");
    env_uv_run_once(env, false);
    env_stream_close(dialled.stream);
    dialled.stream = NULL;
    run_until(env, &accepted.is_ended);
    assert_true(slice_equal(writer_slice(&accepted.received), SLICE_LITERAL("last words")));
    send_text(&accepted, "nobody hears this");
    assert_int_equal(env_stream_queued(accepted.stream), 0);
}

static void what_was_queued_in_this_turn_leaves_before_its_owner_closes(void **state)
{
    (void)state;
    connect_both();
    send_text(&dialled, "last words");
    env_stream_close(dialled.stream);
    dialled.stream = NULL;
    run_until(env, &accepted.is_ended);
    assert_true(slice_equal(writer_slice(&accepted.received), SLICE_LITERAL("last words")));
}

static void a_reset_is_an_end(void **state)
{
    (void)state;
    int fd = connect_plain();
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    assert_int_equal(close(fd), 0);
    run_until(env, &accepted.is_ended);
}

static void a_write_to_a_peer_that_has_gone_is_an_end(void **state)
{
    (void)state;
    struct buf *large = buf_new(64 << 20);
    memset(large->data, 0, large->size);
    int fd = connect_plain();
    env_stream_write(accepted.stream, &large, 1);
    env_uv_run_once(env, false);
    assert_int_equal(close(fd), 0); /* with unread bytes: a reset */
    run_until(env, &accepted.is_ended);
    assert_int_equal(env_stream_queued(accepted.stream), 0);
    assert_int_equal(large->ref_count, 1);
    buf_unref(large);
}

static void close_side(struct side *side)
{
    env_stream_close(side->stream);
    side->stream = NULL;
}

static void close_when_drained(struct side *side)
{
    if (side->is_drained) {
        close_side(side);
    }
}

static void a_stream_may_be_closed_in_connected(void **state)
{
    (void)state;
    dialled.on_event = close_side;
    connect_both();
    assert_null(dialled.stream);
    run_until(env, &accepted.is_ended);
}

static void a_stream_may_be_closed_in_a_failed_connected(void **state)
{
    (void)state;
    const char *const addresses[] = {"nonsense", "a..b:1", "127.0.0.1:1"};
    for (size_t i = 0; i < ARRAY_COUNT(addresses); i++) {
        dialled = (struct side){.on_event = close_side};
        dial(addresses[i]);
        run_until(env, &dialled.has_failed);
        assert_null(dialled.stream);
    }
}

static void a_stream_may_be_closed_in_received(void **state)
{
    (void)state;
    connect_both();
    accepted.on_event = close_side;
    send_text(&dialled, "x");
    run_until(env, &accepted.has_received);
    assert_null(accepted.stream);
    run_until(env, &dialled.is_ended);
}

static void a_stream_may_be_closed_in_ended(void **state)
{
    (void)state;
    connect_both();
    accepted.on_event = close_side;
    close_side(&dialled);
    run_until(env, &accepted.is_ended);
    assert_null(accepted.stream);
}

static void a_stream_may_be_closed_in_drained(void **state)
{
    (void)state;
    connect_both();
    dialled.on_event = close_when_drained;
    send_text(&dialled, "x");
    run_until(env, &dialled.is_drained);
    assert_null(dialled.stream);
    assert_receives(&accepted, "x");
}

static void close_the_other(struct side *side)
{
    if (side->is_drained) {
        close_side(side == &dialled ? &accepted : &dialled);
    }
}

static void a_stream_may_be_closed_while_another_is_flushed(void **state)
{
    (void)state;
    connect_both();
    dialled.on_event = close_the_other;
    send_text(&dialled, "first");
    send_text(&accepted, "second");
    run_until(env, &dialled.is_drained);
    assert_null(accepted.stream);
    run_until(env, &dialled.is_ended);
}

struct end_watch {
    struct env_turn turn;
    struct env_timer timer;
    bool has_seen_drained;
    bool is_late;
};

static void see_drained(struct env_turn *turn)
{
    struct end_watch *watch = CONTAINER_OF(turn, struct end_watch, turn);
    if (accepted.is_drained) {
        watch->has_seen_drained = true;
        env_uv_stop(env);
    }
}

static void give_up(struct env_timer *timer)
{
    CONTAINER_OF(timer, struct end_watch, timer)->is_late = true;
    env_uv_stop(env);
}

static void hooks_follow_what_happens_at_the_end_of_a_turn(void **state)
{
    (void)state;
    struct end_watch watch = {.turn = {.run = see_drained}};
    int fd = connect_plain();    /* it says nothing: no event helps */
    env_uv_run_once(env, false); /* what is left of the connecting: handles to close */
    env_timer_init(env, &watch.timer, give_up);
    env_timer_start(&watch.timer, PATIENCE_MS / 10, 0);
    env_turn_add(env, &watch.turn);
    send_text(&accepted, "x");
    env_uv_run(env); /* drained comes after the hooks: they must have another turn */
    assert_true(watch.has_seen_drained);
    assert_false(watch.is_late);
    env_turn_remove(env, &watch.turn);
    env_timer_deinit(&watch.timer);
    assert_int_equal(close(fd), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_go_both_ways),
        TEST(both_sides_know_their_peer),
        TEST(a_name_is_resolved),
        TEST(the_next_address_is_tried_when_one_is_refused),
        TEST(a_dial_fails_once_after_its_last_address),
        TEST(what_is_written_before_the_connection_is_sent_after_it),
        TEST(a_refused_dial_fails_later_by_its_callback),
        TEST(a_dial_of_no_address_fails_later_too),
        TEST(a_dial_may_be_given_up_at_any_time),
        TEST(sockets_send_small_frames_at_once_and_notice_the_dead),
        TEST(what_is_queued_in_one_turn_leaves_at_its_end),
        TEST(what_a_hook_writes_leaves_in_the_same_turn),
        TEST(empty_parts_are_nothing_to_send),
        TEST(a_peer_that_reads_slowly_gets_every_byte_once),
        TEST(what_the_kernel_has_taken_is_not_queued),
        TEST(a_writer_that_waits_for_drained_keeps_going),
        TEST(a_close_gives_back_what_was_not_sent),
        TEST(the_end_of_one_side_ends_the_other),
        TEST(what_was_queued_in_this_turn_leaves_before_its_owner_closes),
        TEST(a_reset_is_an_end),
        TEST(a_write_to_a_peer_that_has_gone_is_an_end),
        TEST(a_stream_may_be_closed_in_connected),
        TEST(a_stream_may_be_closed_in_a_failed_connected),
        TEST(a_stream_may_be_closed_in_received),
        TEST(a_stream_may_be_closed_in_ended),
        TEST(a_stream_may_be_closed_in_drained),
        TEST(a_stream_may_be_closed_while_another_is_flushed),
        TEST(hooks_follow_what_happens_at_the_end_of_a_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
