#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "protocol.h"

#define VALUE "key-00000007" /* of key 7, in values of 12 bytes */

static const struct request get = {.key = 7};
static const struct request put = {.is_put = true, .key = 7};
static const struct request new = {.is_put = true, .is_new = true, .key = 7};

static struct work work;

static int begin(void **state)
{
    (void)state;
    work_init(&work, OPERATION_PUT, 100, WORK_KEY_SIZE, 1);
    return 0;
}

static int end(void **state)
{
    (void)state;
    work_deinit(&work);
    return 0;
}

/* What the protocol sends for the request, without its greeting. */
static struct writer asked(const struct protocol *protocol, unsigned replica_count,
                           const struct request *request)
{
    struct protocol_options options = {&work, replica_count};
    struct writer out = {0};
    void *state = protocol->open(&options, &out);
    writer_reset(&out);
    protocol->ask(state, request, &out);
    protocol->close(state);
    return out;
}

static void assert_asks(const struct protocol *protocol, unsigned replica_count,
                        const struct request *request, const char *expected)
{
    struct writer out = asked(protocol, replica_count, request);
    assert_int_equal(out.size, strlen(expected));
    assert_memory_equal(out.data, expected, out.size);
    writer_deinit(&out);
}

/* The bytes hold two answers, which come out alike wherever the bytes are cut. */
static void assert_answers_cut(const struct protocol *protocol, unsigned replica_count,
                               const struct request *request, struct slice bytes, size_t cut,
                               const char *problem_text)
{
    struct protocol_options options = {&work, replica_count};
    struct writer out = {0};
    void *state = protocol->open(&options, &out);
    unsigned count = 0;
    struct problem problem = {0};
    struct slice rest = {bytes.data, cut};
    while (protocol->take(state, request, &rest, &problem) == TAKEN_ANSWER) {
        assert_string_equal(problem.text, problem_text);
        problem = (struct problem){0};
        count++;
    }
    rest.size = bytes.size - (size_t)(rest.data - bytes.data);
    problem = (struct problem){0}; /* it is told with the answer alone */
    while (protocol->take(state, request, &rest, &problem) == TAKEN_ANSWER) {
        assert_string_equal(problem.text, problem_text);
        problem = (struct problem){0};
        count++;
    }
    assert_int_equal(count, 2);
    assert_int_equal(rest.size, 0);
    protocol->close(state);
    writer_deinit(&out);
}

static void assert_answers(const struct protocol *protocol, unsigned replica_count,
                           const struct request *request, struct slice answer,
                           struct slice greeting, const char *problem_text)
{
    struct writer bytes = {0};
    writer_bytes(&bytes, greeting);
    writer_bytes(&bytes, answer);
    writer_bytes(&bytes, answer);
    for (size_t cut = 0; cut <= bytes.size; cut++) {
        assert_answers_cut(protocol, replica_count, request, writer_slice(&bytes), cut,
                           problem_text);
    }
    writer_deinit(&bytes);
}

static void assert_text(const struct protocol *protocol, unsigned replica_count,
                        const struct request *request, const char *answer, const char *problem_text)
{
    assert_answers(protocol, replica_count, request, slice_from_text(answer), SLICE_EMPTY,
                   problem_text);
}

static void assert_nonsense(const struct protocol *protocol, struct slice bytes)
{
    struct protocol_options options = {&work, 0};
    struct writer out = {0};
    void *state = protocol->open(&options, &out);
    struct problem problem = {0};
    assert_int_equal(protocol->take(state, &get, &bytes, &problem), TAKEN_NONSENSE);
    protocol->close(state);
    writer_deinit(&out);
}

static void pontoon_is_asked_and_judged(void **state)
{
    (void)state;
    const struct protocol *protocol = protocol_find("pontoon");
    assert_asks(protocol, 0, &get, "GET /kv/key-00000007 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_asks(
        protocol, 0, &put,
        "PUT /kv/key-00000007 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12\r\n\r\n" VALUE);
    assert_text(protocol, 0, &get, "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n" VALUE, "");
    assert_text(protocol, 0, &put, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK", "");
    assert_text(protocol, 0, &put, "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nOK", "");
    assert_text(protocol, 0, &get, "HTTP/1.1 201 Created\r\nContent-Length: 12\r\n\r\n" VALUE,
                "201");
    assert_text(protocol, 0, &get, "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone",
                "404");
    assert_text(protocol, 0, &put, "HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n", "503");
    assert_text(protocol, 0, &get, "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nkey-00000008",
                "wrong_value");
    assert_text(protocol, 0, &get, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "wrong_value");
    assert_nonsense(protocol, SLICE_LITERAL("HTTP/2 what\r\n\r\n"));
}

static void etcd_is_asked_and_judged(void **state)
{
    (void)state;
    const struct protocol *protocol = protocol_find("etcd");
    assert_asks(protocol, 0, &put,
                "POST /v3/kv/put HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                "Content-Length: 53\r\n\r\n"
                "{\"key\":\"a2V5LTAwMDAwMDA3\",\"value\":\"a2V5LTAwMDAwMDA3\"}");
    assert_text(protocol, 0, &get,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                "1a\r\n{\"value\":\"a2V5LTAwMDAwMDA3\r\n2\r\n\"}\r\n0\r\n\r\n",
                "");
    assert_text(protocol, 0, &get, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "missing");
    assert_text(protocol, 0, &get,
                "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"value\":\"a2V5\"}", "wrong_value");
    assert_text(protocol, 0, &put, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "");
}

static void redis_is_asked_and_judged(void **state)
{
    (void)state;
    const struct protocol *protocol = protocol_find("redis");
    assert_asks(protocol, 0, &get, "*2\r\n$3\r\nGET\r\n$12\r\nkey-00000007\r\n");
    assert_asks(protocol, 1, &put,
                "*3\r\n$3\r\nSET\r\n$12\r\nkey-00000007\r\n$12\r\nkey-00000007\r\n"
                "*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$4\r\n5000\r\n");
    assert_text(protocol, 0, &get, "$12\r\n" VALUE "\r\n", "");
    assert_text(protocol, 0, &get, "$-1\r\n", "missing");
    assert_text(protocol, 0, &get, "$3\r\nkey\r\n", "wrong_value");
    assert_text(protocol, 0, &put, "+OK\r\n", "");
    assert_text(protocol, 0, &put, "-LOADING it loads\r\n", "LOADING");
    assert_text(protocol, 1, &put, "+OK\r\n:2\r\n", "");
    assert_text(protocol, 1, &put, "+OK\r\n:0\r\n", "too_few_replicas");
    assert_text(protocol, 1, &put, "-READONLY it is\r\n:1\r\n", "READONLY");
    assert_nonsense(protocol, SLICE_LITERAL("HTTP/1.1 200 OK\r\n"));
    assert_nonsense(protocol, SLICE_LITERAL("$x\r\n"));
    assert_nonsense(protocol, SLICE_LITERAL("\r\n"));
}

/* Packets of a size, a head of three fields, and a body. */
#define HEAD(size, error) "\0\0\0" size "\0\0\0\1\0\0\0\0\0\0\0\1" error

static void zookeeper_is_asked_and_judged(void **state)
{
    (void)state;
    const struct protocol *protocol = protocol_find("zookeeper");
    struct slice greeting = SLICE_LITERAL("\0\0\0\x14********************");
    struct slice done = SLICE_LITERAL(HEAD("\x10", "\0\0\0\0"));
    struct slice gone =
        SLICE_LITERAL(HEAD("\x10", "\xff\xff\xff\x9b") HEAD("\x10", "\xff\xff\xff\x9b"));
    struct slice there = SLICE_LITERAL(HEAD("\x10", "\xff\xff\xff\x92"));
    struct slice value =
        SLICE_LITERAL(HEAD("\x10", "\0\0\0\0") HEAD("\x20", "\0\0\0\0") "\0\0\0\x0c" VALUE);
    struct slice other =
        SLICE_LITERAL(HEAD("\x10", "\0\0\0\0") HEAD("\x14", "\0\0\0\0") "\xff\xff\xff\xff");
    assert_answers(protocol, 0, &put, done, greeting, "");
    assert_answers(protocol, 0, &new, there, greeting, "");
    assert_answers(protocol, 0, &put, there, greeting, "-110");
    assert_answers(protocol, 0, &get, value, greeting, "");
    assert_answers(protocol, 0, &get, gone, greeting, "missing");
    assert_answers(protocol, 0, &get, other, greeting, "wrong_value");
    assert_nonsense(protocol, SLICE_LITERAL("HTTP/1.1 200 OK\r\n"));
    struct writer out = asked(protocol, 0, &put);
    assert_int_equal(out.size, 49);
    assert_memory_equal(out.data, "\0\0\0\x2d\0\0\0\1\0\0\0\5\0\0\0\x0d/key-00000007\0\0\0\x0ckey-",
                        37);
    writer_deinit(&out);
}

static void any_body_is_plain(void **state)
{
    (void)state;
    const struct protocol *protocol = protocol_find("plain");
    assert_asks(protocol, 0, &get, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_text(protocol, 0, &get, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nany", "");
    assert_text(protocol, 0, &get, "HTTP/1.1 500 Oh\r\nContent-Length: 3\r\n\r\nany", "500");
}

static void a_problem_is_a_plain_word(void **state)
{
    (void)state;
    struct problem problem;
    problem_set(&problem, slice_from_text("it \"breaks\""));
    assert_string_equal(problem.text, "it__breaks_");
    problem_set(&problem, slice_from_text("a word that is far too long for it"));
    assert_string_equal(problem.text, "a_word_that_is_far_too_");
    assert_null(protocol_find("telnet"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pontoon_is_asked_and_judged),
        cmocka_unit_test(etcd_is_asked_and_judged),
        cmocka_unit_test(redis_is_asked_and_judged),
        cmocka_unit_test(any_body_is_plain),
        cmocka_unit_test(zookeeper_is_asked_and_judged),
        cmocka_unit_test(a_problem_is_a_plain_word),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
