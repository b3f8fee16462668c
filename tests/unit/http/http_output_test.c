#include <sys/syscall.h>

#include "http_fixture.h"

/* Every sendmsg of this program comes by here, so that they can be counted. */
static size_t send_count;

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    send_count++;
    return (ssize_t)syscall(SYS_sendmsg, fd, message, flags);
}

static void answers_of_one_turn_go_out_in_one_send(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    struct writer bytes = {0};
    for (int i = 0; i < 16; i++) {
        writer_format(&bytes, "PUT /now HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n%x", i);
    }
    send_count = 0;
    client_send_bytes(&client, writer_slice(&bytes));
    UNTIL(fixture, client_has(&client, "\r\n\r\nf"));
    assert_int_equal(client_count(&client, "200 OK"), 16);
    assert_int_equal(send_count, 1);
    writer_deinit(&bytes);
    client_close(&client);
}

static void answers_given_between_turns_go_out_in_one_send(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    for (int i = 0; i < 8; i++) {
        client_send(&client, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    UNTIL(fixture, fixture->held_count == 8);
    send_count = 0;
    for (size_t i = 8; i > 0; i--) {
        respond_text(fixture->held[i - 1], 200, "x");
    }
    assert_int_equal(send_count, 0);
    UNTIL(fixture, client_count(&client, "200 OK") == 8);
    assert_int_equal(send_count, 1);
    client_close(&client);
}

static void more_parts_than_one_send_takes_go_out_in_several(void **state)
{
    struct fixture *fixture = *state;
    fixture_reopen(fixture, &(struct http_options){.pipeline_max = 1000});
    struct client client;
    client_open(&client, fixture);
    struct writer bytes = {0};
    for (int i = 0; i < 500; i++) {
        writer_format(&bytes, "PUT /now HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n%03d", i);
    }
    client_send_bytes(&client, writer_slice(&bytes));
    UNTIL(fixture, client_has(&client, "\r\n\r\n499"));
    assert_int_equal(client_count(&client, "200 OK"), 500);
    writer_deinit(&bytes);
    client_close(&client);
}

static void a_slow_reader_gets_every_byte_in_order(void **state)
{
    struct fixture *fixture = *state;
    fixture_reopen(fixture, &(struct http_options){.connection_bytes_max = 64 << 20});
    struct client client;
    client_open(&client, fixture);
    enum {
        SIZE = 3 << 20
    };
    struct buf *body = buf_new(SIZE);
    for (size_t i = 0; i < SIZE; i++) {
        body->data[i] = (uint8_t)(i * 7 >> 4);
    }
    struct http_response response = {.status = 200, .body = body, .content = buf_slice(body)};
    for (size_t i = 0; i < 4; i++) {
        client_send(&client, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
        UNTIL(fixture, fixture->held_count == i + 1);
        http_respond(fixture->held[i], &response);
    }
    UNTIL(fixture, fixture_conn(fixture)->is_blocked);
    UNTIL(fixture, client_has_size(&client, (size_t)4 * SIZE));
    UNTIL(fixture, fixture_conn(fixture)->request_count == 0);
    client_read(&client);
    const uint8_t *at = client.received.data;
    for (int i = 0; i < 4; i++) {
        at = memmem(at, client.received.size - (size_t)(at - client.received.data), "\r\n\r\n", 4);
        assert_non_null(at);
        assert_memory_equal(at + 4, body->data, SIZE);
        at += 4 + SIZE;
    }
    assert_int_equal(body->ref_count, 1);
    buf_unref(body);
    client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(answers_of_one_turn_go_out_in_one_send),
        FIXTURE_TEST(answers_given_between_turns_go_out_in_one_send),
        FIXTURE_TEST(more_parts_than_one_send_takes_go_out_in_several),
        FIXTURE_TEST(a_slow_reader_gets_every_byte_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
