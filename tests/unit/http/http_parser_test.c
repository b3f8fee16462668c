#include <llhttp.h>

#include "http/http_parser.h"
#include "http_event_log.h"
#include "http_test.h"

#define HEAD_SIZE_MAX 512u
#define TARGET_SIZE_MAX 64u

/* What a sequence of bytes must become. */
struct parser_case {
    const char *name;
    struct slice bytes;
    const char *events;
};

#define H "Host: x\r\n"
#define CASE(name_, bytes_, events_)                                                               \
    {                                                                                              \
        .name = (name_), .bytes = BYTES(bytes_), .events = (events_)                               \
    }

/* ---- what is understood ---- */

static const struct parser_case good_cases[] = {
    CASE("a GET", "GET / HTTP/1.1\r\n" H "\r\n", "GET /? 1.1 keep 0 [Host=x]\nend\n"),
    CASE("a query", "GET /a?b=c?d HTTP/1.1\r\n" H "\r\n",
         "GET /a?b=c?d 1.1 keep 0 [Host=x]\nend\n"),
    CASE("an empty line in front", "\r\nGET / HTTP/1.1\r\n" H "\r\n",
         "GET /? 1.1 keep 0 [Host=x]\nend\n"),
    CASE("two at once", "GET /1 HTTP/1.1\r\n" H "\r\nGET /2 HTTP/1.1\r\n" H "\r\n",
         "GET /1? 1.1 keep 0 [Host=x]\nend\nGET /2? 1.1 keep 0 [Host=x]\nend\n"),
    CASE("an empty line between two",
         "GET /1 HTTP/1.1\r\n" H "\r\n\r\nGET /2 HTTP/1.1\r\n" H "\r\n",
         "GET /1? 1.1 keep 0 [Host=x]\nend\nGET /2? 1.1 keep 0 [Host=x]\nend\n"),
    CASE("a sized body",
         "PUT /k HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabcGET / HTTP/1.0\r\n\r\n",
         "PUT /k? 1.1 keep 3 [Host=x] [Content-Length=3]\nabc\nend\nGET /? 1.0 close 0\nend\n"),
    CASE("a body that looks like a request",
         "POST / HTTP/1.1\r\n" H "content-length: 18\r\n\r\nGET / HTTP/1.0\r\n\r\n",
         "POST /? 1.1 keep 18 [Host=x] [content-length=18]\nGET / HTTP/1.0\r\n\r\n\nend\n"),
    CASE("an empty body", "PUT /k HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n",
         "PUT /k? 1.1 keep 0 [Host=x] [Content-Length=0]\nend\n"),
    CASE("a GET with a body", "GET /version HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\n{}",
         "GET /version? 1.1 keep 2 [Host=x] [Content-Length=2]\n{}\nend\n"),
    CASE("chunks",
         "PUT / HTTP/1.1\r\n" H
         "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0002\r\nde\r\n0\r\n\r\n"
         "GET / HTTP/1.0\r\n\r\n",
         "PUT /? 1.1 keep chunked [Host=x] [Transfer-Encoding=chunked]\nabcde\nend\n"
         "GET /? 1.0 close 0\nend\n"),
    CASE("no chunks", "PUT / HTTP/1.1\r\n" H "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
         "PUT /? 1.1 keep chunked [Host=x] [Transfer-Encoding=Chunked]\nend\n"),
    CASE("chunk extensions and trailers are dropped",
         "PUT / HTTP/1.1\r\n" H "TE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n"
         "1;a=b;c=\"d e\"\r\nx\r\n0;z\r\nDigest: y\r\nContent-Length: 7\r\n\r\nGET / "
         "HTTP/1.0\r\n\r\n",
         "PUT /? 1.1 keep chunked [Host=x] [TE=trailers] [Transfer-Encoding=chunked]\nx\nend\n"
         "GET /? 1.0 close 0\nend\n"),
    CASE("chunks that hold line ends",
         "PUT / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n4\r\n\r\n\r\n\r\n0\r\n\r\n",
         "PUT /? 1.1 keep chunked [Host=x] [Transfer-Encoding=chunked]\n\r\n\r\n\nend\n"),
    CASE("Connection: close", "GET / HTTP/1.1\r\n" H "Connection: foo, Close\r\n\r\n",
         "GET /? 1.1 close 0 [Host=x] [Connection=foo, Close]\nend\n"),
    CASE("1.0 with keep-alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
         "GET /? 1.0 keep 0 [Connection=Keep-Alive]\nend\n"),
    CASE("white space around a value", "GET / HTTP/1.1\r\nHost: \t x \t \r\nA:\r\nB: \t\r\n\r\n",
         "GET /? 1.1 keep 0 [Host=x] [A=] [B=]\nend\n"),
    CASE("bytes above ASCII in a value", "GET / HTTP/1.1\r\n" H "X: \xc3\xa4\r\n\r\n",
         "GET /? 1.1 keep 0 [Host=x] [X=\xc3\xa4]\nend\n"),
    CASE("an absolute target", "GET http://u@example:80/a/b?c HTTP/1.1\r\n" H "\r\n",
         "GET /a/b?c 1.1 keep 0 [Host=x]\nend\n"),
    CASE("an absolute target without a path", "GET HTTP://example HTTP/1.1\r\n" H "\r\n",
         "GET ? 1.1 keep 0 [Host=x]\nend\n"),
    CASE("an absolute target with a query alone", "GET https://[::1]?a HTTP/1.1\r\n" H "\r\n",
         "GET ?a 1.1 keep 0 [Host=x]\nend\n"),
    CASE("OPTIONS *", "OPTIONS * HTTP/1.1\r\n" H "\r\n", "OPTIONS *? 1.1 keep 0 [Host=x]\nend\n"),
    CASE("a known method that is none of ours", "PROPFIND / HTTP/1.1\r\n" H "\r\n",
         "OTHER /? 1.1 keep 0 [Host=x]\nend\n"),
    CASE("LOCK", "LOCK / HTTP/1.1\r\n" H "\r\n", "LOCK /? 1.1 keep 0 [Host=x]\nend\n"),
    CASE("an upgrade is not taken up",
         "GET /1 HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
         "GET /2 HTTP/1.0\r\n\r\n",
         "GET /1? 1.1 keep 0 [Host=x] [Connection=Upgrade] [Upgrade=h2c]\nend\n"
         "GET /2? 1.0 close 0\nend\n"),
    CASE("an upgrade with a body",
         "PUT /1 HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\na"
         "GET /2 HTTP/1.0\r\n\r\n",
         "PUT /1? 1.1 keep 1 [Host=x] [Connection=Upgrade] [Upgrade=x] [Content-Length=1]\na\nend\n"
         "GET /2? 1.0 close 0\nend\n"),
    CASE("Expect", "PUT / HTTP/1.1\r\n" H "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\na",
         "PUT /? 1.1 keep 1 expect [Host=x] [Expect=100-Continue] [Content-Length=1]\na\nend\n"),
    CASE("Expect means nothing in 1.0", "PUT / HTTP/1.0\r\nExpect: magic\r\n\r\n",
         "PUT /? 1.0 close 0 [Expect=magic]\nend\n"),
    CASE("1.0 needs no Host", "GET / HTTP/1.0\r\n\r\n", "GET /? 1.0 close 0\nend\n"),
    CASE("an unfinished head", "GET / HTTP/1.1\r\n" H, ""),
    CASE(
        "a target of the greatest length",
        "GET /234567890123456789012345678901234567890123456789012345678901234 HTTP/1.0\r\n\r\n",
        "GET /234567890123456789012345678901234567890123456789012345678901234? 1.0 close 0\nend\n"),
};

/* ---- what is refused: never a second request out of it (H3) ---- */

#define NEXT "GET /smuggled HTTP/1.1\r\n" H "\r\n"
#define CHUNKED "PUT / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"

struct refused_case {
    const char *name;
    struct slice bytes;
    err refusal;
};

#define REFUSED(name_, refusal_, bytes_)                                                           \
    {                                                                                              \
        .name = (name_), .bytes = BYTES(bytes_), .refusal = (refusal_)                             \
    }

static const struct refused_case refused_cases[] = {
    REFUSED("CL and TE", ERR_BAD_REQUEST,
            "POST / HTTP/1.1\r\n" H "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n"
            "0\r\n\r\nG" NEXT),
    REFUSED("TE and CL", ERR_BAD_REQUEST,
            "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n"
            "0\r\n\r\nG" NEXT),
    REFUSED("TE and an empty CL", ERR_BAD_REQUEST,
            "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n" NEXT),
    REFUSED("two CLs that differ", ERR_BAD_REQUEST,
            "POST / HTTP/1.1\r\n" H "Content-Length: 0\r\nContent-Length: 44\r\n\r\n" NEXT),
    REFUSED("two CLs that agree", ERR_BAD_REQUEST,
            "POST / HTTP/1.1\r\n" H "Content-Length: 0\r\nContent-Length: 0\r\n\r\n" NEXT),
    REFUSED("a list as CL", ERR_BAD_REQUEST,
            "POST / HTTP/1.1\r\n" H "Content-Length: 0, 0\r\n\r\n" NEXT),
    REFUSED("a sign before CL", ERR_BAD_REQUEST,
            "POST / HTTP/1.1\r\n" H "Content-Length: +0\r\n\r\n" NEXT),
    REFUSED("a negative CL", ERR_BAD_REQUEST,
            "POST / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n" NEXT),
    REFUSED("an empty CL", ERR_BAD_REQUEST, "POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n" NEXT),
    REFUSED("a hexadecimal CL", ERR_BAD_REQUEST,
            "POST / HTTP/1.1\r\n" H "Content-Length: 0x10\r\n\r\n" NEXT),
    REFUSED("a CL with a space inside", ERR_BAD_REQUEST,
            "POST / HTTP/1.1\r\n" H "Content-Length: 1 0\r\n\r\n" NEXT),
    REFUSED("a CL beyond 64 bits", ERR_BAD_REQUEST,
            "POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551617\r\n\r\n" NEXT),
    REFUSED("a CL that is our mark for chunks", ERR_BAD_REQUEST,
            "POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551615\r\n\r\n" NEXT),
    REFUSED("a CL behind a space", ERR_BAD_REQUEST,
            "POST / HTTP/1.1\r\n Content-Length: 44\r\n" H "\r\n" NEXT),
    REFUSED("TE with another coding", ERR_BAD_REQUEST,
            "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip\r\n\r\n" NEXT),
    REFUSED("TE with another coding in front", ERR_NOT_IMPLEMENTED,
            "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" NEXT),
    REFUSED("TE identity", ERR_BAD_REQUEST,
            "POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n" NEXT),
    REFUSED("TE with chunked not last", ERR_BAD_REQUEST,
            "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, identity\r\n\r\n" NEXT),
    REFUSED("TE chunked twice", ERR_BAD_REQUEST,
            "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" NEXT),
    REFUSED("two TEs", ERR_BAD_REQUEST,
            "POST / HTTP/1.1\r\n" H
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
            "0\r\n\r\n" NEXT),
    REFUSED("two TEs, the first hidden", ERR_NOT_IMPLEMENTED,
            "POST / HTTP/1.1\r\n" H "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            "0\r\n\r\n" NEXT),
    REFUSED("an empty TE", ERR_NOT_IMPLEMENTED,
            "POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n" NEXT),
    REFUSED("a misspelt coding", ERR_BAD_REQUEST,
            "POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" NEXT),
    REFUSED("a coding with a vertical tab", ERR_BAD_REQUEST,
            "POST / HTTP/1.1\r\n" H "Transfer-Encoding: \x0b"
            "chunked\r\n\r\n0\r\n\r\n" NEXT),
    REFUSED("TE behind a space before the colon", ERR_BAD_REQUEST,
            "POST / HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" NEXT),
    REFUSED("TE in 1.0", ERR_BAD_REQUEST,
            "POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT),
    REFUSED("a folded TE", ERR_BAD_REQUEST,
            "POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" NEXT),
    REFUSED("bare LF behind the request line", ERR_BAD_REQUEST, "GET / HTTP/1.1\n" H "\r\n" NEXT),
    REFUSED("bare LF behind a field", ERR_BAD_REQUEST, "GET / HTTP/1.1\r\nHost: x\n\r\n" NEXT),
    REFUSED("bare LF as the empty line", ERR_BAD_REQUEST, "GET / HTTP/1.1\r\n" H "\n" NEXT),
    REFUSED("bare LF first", ERR_BAD_REQUEST, "\nGET / HTTP/1.1\r\n" H "\r\n" NEXT),
    REFUSED("bare CR in a value", ERR_BAD_REQUEST,
            "GET / HTTP/1.1\r\n" H "A: b\rContent-Length: 44\r\n\r\n" NEXT),
    REFUSED("CR LF CR at the end", ERR_BAD_REQUEST, "GET / HTTP/1.1\r\n" H "\r\rX" NEXT),
    REFUSED("CR CR LF", ERR_BAD_REQUEST, "GET / HTTP/1.1\r\n" H "A: b\r\r\n\r\n" NEXT),
    REFUSED("two empty lines first", ERR_BAD_REQUEST, "\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n" NEXT),
    REFUSED("a fold", ERR_BAD_REQUEST, "GET / HTTP/1.1\r\n" H "A: b\r\n c\r\n\r\n" NEXT),
    REFUSED("a fold first", ERR_BAD_REQUEST, "GET / HTTP/1.1\r\n A: b\r\n" H "\r\n" NEXT),
    REFUSED("0.9", ERR_HTTP_VERSION, "GET /\r\n" NEXT),
    REFUSED("2.0", ERR_HTTP_VERSION, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    REFUSED("a lower case version", ERR_BAD_REQUEST, "GET / http/1.1\r\n" H "\r\n" NEXT),
    REFUSED("TLS", ERR_BAD_REQUEST, "\x16\x03\x01\x02"),
    REFUSED("NUL first", ERR_BAD_REQUEST, "\0"),
    REFUSED("NUL in a name", ERR_BAD_REQUEST, "GET / HTTP/1.1\r\n" H "A\0: b\r\n\r\n" NEXT),
    REFUSED("NUL in a value", ERR_BAD_REQUEST, "GET / HTTP/1.1\r\n" H "A: \0\r\n\r\n" NEXT),
    REFUSED("no name", ERR_BAD_REQUEST, "GET / HTTP/1.1\r\n" H ": b\r\n\r\n" NEXT),
    REFUSED("no colon", ERR_BAD_REQUEST, "GET / HTTP/1.1\r\n" H "Content-Length\r\n\r\n" NEXT),
    REFUSED("no Host", ERR_BAD_REQUEST, "GET / HTTP/1.1\r\n\r\n" NEXT),
    REFUSED("two Hosts", ERR_BAD_REQUEST, "GET / HTTP/1.1\r\n" H "Host: y\r\n\r\n" NEXT),
    REFUSED("two Hosts in 1.0", ERR_BAD_REQUEST, "GET / HTTP/1.0\r\n" H H "\r\n" NEXT),
    REFUSED("a bad Host", ERR_BAD_REQUEST, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n" NEXT),
    REFUSED("a raw byte in the target", ERR_BAD_REQUEST,
            "GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n" NEXT),
    REFUSED("a space in the target", ERR_BAD_REQUEST, "GET /a b HTTP/1.1\r\n" H "\r\n" NEXT),
    REFUSED("a relative target", ERR_BAD_REQUEST, "GET foo HTTP/1.1\r\n" H "\r\n" NEXT),
    REFUSED("another scheme", ERR_BAD_REQUEST, "GET ftp://x/y HTTP/1.1\r\n" H "\r\n" NEXT),
    REFUSED("no authority", ERR_BAD_REQUEST, "GET http:///y HTTP/1.1\r\n" H "\r\n" NEXT),
    REFUSED("GET *", ERR_BAD_REQUEST, "GET * HTTP/1.1\r\n" H "\r\n" NEXT),
    REFUSED("CONNECT", ERR_NOT_IMPLEMENTED, "CONNECT x:80 HTTP/1.1\r\n" H "\r\n" NEXT),
    REFUSED("an unknown method", ERR_NOT_IMPLEMENTED, "BREW / HTTP/1.1\r\n" H "\r\n" NEXT),
    REFUSED("a lower case method", ERR_NOT_IMPLEMENTED, "get / HTTP/1.1\r\n" H "\r\n" NEXT),
    REFUSED("another expectation", ERR_EXPECTATION_FAILED,
            "PUT / HTTP/1.1\r\n" H "Expect: magic\r\n\r\n" NEXT),
    REFUSED(
        "a long target", ERR_URI_TOO_LONG,
        "GET /2345678901234567890123456789012345678901234567890123456789012345 HTTP/1.0\r\n\r\n"),
    REFUSED("no chunk size", ERR_BAD_REQUEST, CHUNKED "\r\n" NEXT),
    REFUSED("a chunk size that is no number", ERR_BAD_REQUEST, CHUNKED "z\r\n" NEXT),
    REFUSED("a chunk size beyond 64 bits", ERR_BAD_REQUEST, CHUNKED "10000000000000001\r\nx" NEXT),
    REFUSED("a signed chunk size", ERR_BAD_REQUEST, CHUNKED "-1\r\n" NEXT),
    REFUSED("0x before a chunk size", ERR_BAD_REQUEST, CHUNKED "0x0\r\n\r\n" NEXT),
    REFUSED("a space behind a chunk size", ERR_BAD_REQUEST, CHUNKED "0 \r\n\r\n" NEXT),
    REFUSED("bare LF behind a chunk size", ERR_BAD_REQUEST, CHUNKED "0\n\r\n" NEXT),
    REFUSED("bare LF behind a chunk extension", ERR_BAD_REQUEST, CHUNKED "0;a\n\r\n" NEXT),
    REFUSED("bare CR in a chunk extension", ERR_BAD_REQUEST, CHUNKED "0;a\rb\r\n\r\n" NEXT),
    REFUSED("a chunk that is longer than its size", ERR_BAD_REQUEST, CHUNKED "1\r\nab\r\n" NEXT),
    REFUSED("a chunk that ends in bare LF", ERR_BAD_REQUEST, CHUNKED "1\r\na\n0\r\n\r\n" NEXT),
    REFUSED("a chunk that ends in bare CR", ERR_BAD_REQUEST, CHUNKED "1\r\na\r0\r\n\r\n" NEXT),
    REFUSED("a chunk that ends in nothing", ERR_BAD_REQUEST, CHUNKED "1\r\na0\r\n\r\n" NEXT),
    REFUSED("bare LF behind a trailer", ERR_BAD_REQUEST, CHUNKED "0\r\nA: b\n\r\n" NEXT),
    REFUSED("bare LF after the last chunk", ERR_BAD_REQUEST, CHUNKED "0\r\n\n" NEXT),
    REFUSED("CR without LF after the trailers", ERR_BAD_REQUEST, CHUNKED "0\r\n\rX\r\n" NEXT),
    REFUSED("a folded trailer", ERR_BAD_REQUEST, CHUNKED "0\r\nA: b\r\n c\r\n\r\n" NEXT),
};

/* ---- feeding ---- */

/* `bytes` in pieces of `piece_size`, the first one of `first_size`. Caller frees the log. */
static void feed(struct event_log *log, struct slice bytes, size_t first_size, size_t piece_size)
{
    event_log_init(log, HEAD_SIZE_MAX, TARGET_SIZE_MAX);
    size_t size = first_size;
    while (bytes.size > 0) {
        size = size < bytes.size ? size : bytes.size;
        if (!event_log_feed(log, (struct slice){bytes.data, size})) {
            return;
        }
        bytes = (struct slice){bytes.data + size, bytes.size - size};
        size = piece_size;
    }
}

static struct slice text_of(const struct event_log *log)
{
    return writer_slice(&log->text);
}

/* P1: fed whole, byte by byte and cut in two at every place, `bytes` give the same events. */
static void check_every_cut(const char *name, struct slice bytes)
{
    struct event_log whole;
    feed(&whole, bytes, bytes.size, bytes.size);
    struct event_log other;
    for (size_t first = 0; first < bytes.size; first++) {
        feed(&other, bytes, first == 0 ? 1 : first, first == 0 ? 1 : bytes.size);
        if (!slice_equal(text_of(&whole), text_of(&other))) {
            fail_msg("%s, cut at %zu: %.*s", name, first, (int)other.text.size,
                     (const char *)other.text.data);
        }
        event_log_deinit(&other);
    }
    event_log_deinit(&whole);
}

static void good_messages_are_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(good_cases); i++) {
        const struct parser_case *c = &good_cases[i];
        struct event_log log;
        feed(&log, c->bytes, c->bytes.size, c->bytes.size);
        if (!slice_equal(text_of(&log), slice_from_text(c->events))) {
            fail_msg("%s:\n%.*s", c->name, (int)log.text.size, (const char *)log.text.data);
        }
        event_log_deinit(&log);
    }
}

static void doubtful_messages_are_refused_and_nothing_is_read_after_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(refused_cases); i++) {
        const struct refused_case *c = &refused_cases[i];
        struct event_log log;
        feed(&log, c->bytes, c->bytes.size, c->bytes.size);
        struct slice text = text_of(&log);
        bool is_smuggled =
            text.size > 0 && memmem(text.data, text.size, "GET /smuggled", 13) != NULL;
        if (log.parser.refusal != c->refusal || is_smuggled) {
            fail_msg("%s:\n%.*s", c->name, (int)text.size, (const char *)text.data);
        }
        event_log_deinit(&log);
    }
}

static void a_refused_parser_stays_refused(void **state)
{
    (void)state;
    struct event_log log;
    feed(&log, SLICE_LITERAL("GET /\r\n"), 7, 7);
    assert_false(event_log_feed(&log, SLICE_LITERAL("GET / HTTP/1.0\r\n\r\n")));
    assert_int_equal(log.parser.refusal, ERR_HTTP_VERSION);
    event_log_deinit(&log);
}

static void the_events_do_not_depend_on_how_the_bytes_are_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(good_cases); i++) {
        check_every_cut(good_cases[i].name, good_cases[i].bytes);
    }
    for (size_t i = 0; i < ARRAY_COUNT(refused_cases); i++) {
        check_every_cut(refused_cases[i].name, refused_cases[i].bytes);
    }
}

/* ---- bounds ---- */

static void check_bound(const char *front, size_t filler_size, const char *back, err expected)
{
    struct writer bytes = {0};
    writer_bytes(&bytes, slice_from_text(front));
    memset(writer_extend(&bytes, filler_size), 'a', filler_size);
    writer_bytes(&bytes, slice_from_text(back));
    struct event_log log;
    feed(&log, writer_slice(&bytes), bytes.size, bytes.size);
    assert_int_equal(log.parser.refusal, expected);
    event_log_deinit(&log);
    check_every_cut(front, writer_slice(&bytes));
    writer_deinit(&bytes);
}

static void a_head_may_be_as_long_as_its_bound_and_no_longer(void **state)
{
    (void)state;
    const size_t rest = strlen("GET / HTTP/1.0\r\nA: \r\n\r\n");
    check_bound("GET / HTTP/1.0\r\nA: ", HEAD_SIZE_MAX - rest, "\r\n\r\n", OK);
    check_bound("GET / HTTP/1.0\r\nA: ", HEAD_SIZE_MAX - rest + 1, "\r\n\r\n",
                ERR_HEADERS_TOO_LARGE);
    check_bound("GET / HTTP/1.0\r\nA: ", HEAD_SIZE_MAX - rest + 2, "\r\n\r\n",
                ERR_HEADERS_TOO_LARGE);
    check_bound("GET / HTTP/1.0\r\nA: ", HEAD_SIZE_MAX, "", ERR_HEADERS_TOO_LARGE);
}

static void a_request_line_that_never_ends_is_refused(void **state)
{
    (void)state;
    check_bound("GET /", 2 * TARGET_SIZE_MAX + 100, "", ERR_URI_TOO_LONG);
    check_bound("", 2 * HEAD_SIZE_MAX, "", ERR_URI_TOO_LONG);
}

static void chunk_lines_and_trailers_are_bounded(void **state)
{
    (void)state;
    check_bound(CHUNKED "0;", HTTP_CHUNK_LINE_SIZE_MAX - 2, "\r\n\r\n", OK);
    check_bound(CHUNKED "0;", HTTP_CHUNK_LINE_SIZE_MAX - 1, "\r\n\r\n", ERR_BAD_REQUEST);
    check_bound(CHUNKED "0\r\nA:", HTTP_CHUNK_OVERHEAD_MAX - 2, "\r\n\r\n", OK);
    check_bound(CHUNKED "0\r\nA:", HTTP_CHUNK_OVERHEAD_MAX - 1, "\r\n\r\n", ERR_HEADERS_TOO_LARGE);
}

static void many_small_chunk_extensions_are_bounded_together(void **state)
{
    (void)state;
    struct event_log log;
    feed(&log, SLICE_LITERAL(CHUNKED), 10, 1000);
    size_t count = 0;
    while (event_log_feed(&log, SLICE_LITERAL("1;abcdefg\r\nx\r\n"))) {
        count++;
        assert_true(count < 1000);
    }
    assert_int_equal(count, HTTP_CHUNK_OVERHEAD_MAX / 8);
    assert_int_equal(log.parser.refusal, ERR_BAD_REQUEST);
    event_log_deinit(&log);
}

static void too_many_fields_are_refused(void **state)
{
    (void)state;
    for (size_t count = HTTP_FIELDS_MAX; count <= HTTP_FIELDS_MAX + 1; count++) {
        struct writer bytes = {0};
        writer_format(&bytes, "GET / HTTP/1.0\r\n");
        for (size_t i = 0; i < count; i++) {
            writer_format(&bytes, "A:\r\n");
        }
        writer_format(&bytes, "\r\n");
        struct event_log log;
        event_log_init(&log, 4096, TARGET_SIZE_MAX);
        bool is_ok = event_log_feed(&log, writer_slice(&bytes));
        assert_int_equal(is_ok, count == HTTP_FIELDS_MAX);
        assert_int_equal(log.parser.refusal, is_ok ? OK : ERR_HEADERS_TOO_LARGE);
        event_log_deinit(&log);
        writer_deinit(&bytes);
    }
}

static void a_body_may_be_read_past_the_parser(void **state)
{
    (void)state;
    struct event_log log;
    feed(&log, SLICE_LITERAL("PUT / HTTP/1.0\r\nContent-Length: 5\r\n\r\nab"), 100, 100);
    assert_int_equal(http_parser_body_left(&log.parser), 3);
    http_parser_body_taken(&log.parser, 3);
    assert_false(http_parser_is_between(&log.parser));
    assert_true(event_log_feed(&log, SLICE_EMPTY));
    assert_true(http_parser_is_between(&log.parser));
    event_log_deinit(&log);
}

/* ---- the chunks that we read, as llhttp reads them ---- */

static int append(llhttp_t *llhttp, const char *at, size_t size)
{
    writer_bytes(llhttp->data, (struct slice){(const uint8_t *)at, size});
    return 0;
}

static void chunks_are_read_as_llhttp_reads_them(void **state)
{
    (void)state;
    struct slice bytes =
        SLICE_LITERAL(CHUNKED "3\r\nabc\r\n1;x=y\r\nd\r\n1f\r\n"
                              "0123456789012345678901234567890\r\n0\r\nA: b\r\n\r\n");
    struct writer theirs = {0};
    llhttp_settings_t settings = {.on_body = append};
    llhttp_t llhttp;
    llhttp_init(&llhttp, HTTP_REQUEST, &settings);
    llhttp.data = &theirs;
    assert_int_equal(llhttp_execute(&llhttp, (const char *)bytes.data, bytes.size), HPE_OK);
    struct event_log log;
    feed(&log, bytes, bytes.size, bytes.size);
    struct slice text = text_of(&log);
    const uint8_t *body = memchr(text.data, '\n', text.size);
    assert_non_null(body);
    assert_memory_equal(body + 1, theirs.data, theirs.size);
    assert_int_equal(theirs.size, 3 + 1 + 31);
    event_log_deinit(&log);
    writer_deinit(&theirs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_messages_are_understood),
        cmocka_unit_test(doubtful_messages_are_refused_and_nothing_is_read_after_them),
        cmocka_unit_test(a_refused_parser_stays_refused),
        cmocka_unit_test(the_events_do_not_depend_on_how_the_bytes_are_cut),
        cmocka_unit_test(a_head_may_be_as_long_as_its_bound_and_no_longer),
        cmocka_unit_test(a_request_line_that_never_ends_is_refused),
        cmocka_unit_test(chunk_lines_and_trailers_are_bounded),
        cmocka_unit_test(many_small_chunk_extensions_are_bounded_together),
        cmocka_unit_test(too_many_fields_are_refused),
        cmocka_unit_test(a_body_may_be_read_past_the_parser),
        cmocka_unit_test(chunks_are_read_as_llhttp_reads_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
