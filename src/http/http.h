/*
 * HTTP/1.1 connections and messages on llhttp (strict) and libuv; knows nothing of keys.
 * RFC 9110, 9112. What it must do and why: docs/ARCHITECTURE.md and README.md.
 *
 * H1  Every request that a recv brings is parsed and handed on; they are answered in any order,
 *     sent in their own, with one send per turn of the loop and connection.
 * H2  Each request is answered exactly once. It lives until then, even when its connection is gone.
 * H3  A message whose framing is in doubt is answered with an error and the connection closes: what
 *     follows on it is never read as a request.
 * H4  Everything is bounded: header bytes, body bytes, requests and bytes in flight, connections,
 *     time.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/metrics.h"
#include "env/env.h"

struct http_server;
struct http_request;
struct http_stream;

/* As parsed; unknown but well-formed methods are HTTP_METHOD_OTHER (501). */
enum http_method {
    HTTP_METHOD_GET,
    HTTP_METHOD_HEAD,
    HTTP_METHOD_PUT,
    HTTP_METHOD_POST,
    HTTP_METHOD_DELETE,
    HTTP_METHOD_PATCH,
    HTTP_METHOD_OPTIONS,
    HTTP_METHOD_LOCK,
    HTTP_METHOD_UNLOCK,
    HTTP_METHOD_OTHER,
    HTTP_METHOD_COUNT
};

struct http_handler {
    /*
     * The header is complete, the body not read. May set a body limit (http_limit_body), or answer
     * at once (http_respond): then an unread body is dropped with the connection, or skipped if
     * short, and `ready` is not called.
     */
    void (*begin)(void *ctx, struct http_request *request);
    /* The request is complete. The handler answers it now or later, exactly once (H2). */
    void (*ready)(void *ctx, struct http_request *request);
    /*
     * The layer refuses this message (400, 408, 413, 414, 417, 431, 501, 503, 505): the handler
     * answers it with a document for `e`; `detail` says what was wrong, in words, static storage.
     * The connection closes after it. Method, target and headers may be missing: then `begin` was
     * not called. Whatever `begin` has seen and not answered ends in `ready` or here, also when its
     * connection is lost before the body was whole (ERR_BAD_REQUEST).
     */
    void (*refuse)(void *ctx, struct http_request *request, err e, const char *detail);
};

#define HTTP_TARGET_SIZE_DEFAULT 8192u

struct http_options {
    struct env *env; /* the uv one: sockets are watched on its loop */
    struct log *log;
    const char *listen_address; /* HOST:PORT; [::1]:3000 too; port 0: any */
    size_t header_bytes_max;    /* 0: 16 KiB, request line included; at least 256 */
    size_t target_bytes_max;    /* 0: HTTP_TARGET_SIZE_DEFAULT; longer: 414 */
    uint64_t body_bytes_max;    /* 0: 8 MiB; the default for http_limit_body */
    uint32_t connections_max;   /* 0: 10000; beyond it: 503 and close */
    uint32_t pipeline_max;      /* 0: 64 requests of one connection at work; then reading pauses */
    uint64_t connection_bytes_max; /* 0: 4 MiB of replies not yet taken; then reading pauses */
    uint64_t body_bytes_total_max; /* 0: 256 MiB of bodies in all; beyond it: 503 overloaded */
    uint32_t
        requests_max; /* 0: 32768 of all connections; then only those are read that have none */
    uint64_t reply_bytes_total_max; /* 0: 256 MiB of replies in all: http_admit_reply */
    /* What a turn takes in at most; the rest waits for the next, in the order of its coming. */
    uint32_t turn_requests_max; /* 0: 1024 */
    uint64_t turn_bytes_max;    /* 0: 4 MiB */
    uint64_t
        header_timeout_ms;    /* 0: 5 s from the first byte of a request to the end of its header */
    uint64_t idle_timeout_ms; /* 0: 75 s between requests */
    uint64_t body_rate_min;   /* 0: 1 KiB a second, averaged, after the grace; slower: 408 */
    uint64_t body_grace_ms;   /* 0: 5 s */
    uint64_t write_stall_timeout_ms; /* 0: 30 s without progress */
};

/* Listens. ERR_ADDRESS, ERR_PERMISSION with a note. Caller closes. */
MUST_USE err http_server_open(struct http_server **out_server, const struct http_options *options,
                              const struct http_handler *handler, void *ctx, struct err_note *note);
/* The address really bound, "HOST:PORT". */
const char *http_server_address(const struct http_server *server);
/*
 * Stops accepting, answers what is at work with "Connection: close", ends idle connections; calls
 * `done` when the last is gone, or after `timeout_ms` with the rest cut.
 */
void http_server_drain(struct http_server *server, uint64_t timeout_ms, void (*done)(void *ctx),
                       void *ctx);
/*
 * Cuts whatever is left; half-read requests are refused and streams closed before it returns.
 * Requests that are still unanswered stay valid until answered. Not from within a handler's or a
 * stream's call; from `done` of http_server_drain it is right. NULL: no-op.
 */
void http_server_close(struct http_server *server);

/* ---- a request: views are borrowed until it is answered ---- */

/*
 * HTTP_METHOD_OTHER for one that is none of the list, and for a request refused before it had one.
 */
enum http_method http_method(const struct http_request *request);
/* The method as it stands in a request line, "OTHER" for HTTP_METHOD_OTHER; static storage. */
const char *http_method_name(enum http_method method);
/* The target up to '?', as sent: not decoded, not folded. */
struct slice http_path(const struct http_request *request);
/* What follows '?', as sent; empty if none. */
struct slice http_query(const struct http_request *request);
/*
 * The bit of a field's name in a set of 64: of its length and its last letter, whatever its case.
 * That tells the names that we look for from those that nearly every request has.
 */
#define HTTP_NAME_BIT_OF(size, last) (UINT64_C(1) << ((size) + ((size_t)(last) | 0x20) * 4) % 64)
#define HTTP_NAME_BIT(literal) HTTP_NAME_BIT_OF(sizeof(literal) - 1, (literal)[sizeof(literal) - 2])
/*
 * Whether any field's name has one of the bits of `names`: one look in place of several, for fields
 * that are seldom there.
 */
bool http_may_have(const struct http_request *request, uint64_t names);
/* Whether it has more than one field of that name. */
bool http_header_is_repeated(const struct http_request *request, struct slice name);
/* As http_header_find, for who knows the name's bit. */
struct slice http_header_find_bit(const struct http_request *request, struct slice name,
                                  uint64_t bit);
/*
 * The value of the first such field, surrounding white space removed; data is NULL if there is
 * none. The case of `name`, which is not empty, does not matter.
 */
static inline struct slice http_header_find(const struct http_request *request, struct slice name)
{
    return http_header_find_bit(request, name,
                                HTTP_NAME_BIT_OF(name.size, name.data[name.size - 1]));
}
/* The same for a NUL-terminated name. */
static inline struct slice http_header(const struct http_request *request, const char *name)
{
    return http_header_find(request, slice_from_text(name));
}
/* True for HTTP/1.0, false for HTTP/1.1: there is nothing else. */
bool http_is_http_1_0(const struct http_request *request);
/* The complete body (ready only), or NULL when empty. Borrowed; ref it to keep it. */
struct buf *http_body(const struct http_request *request);
/*
 * Gives the body's memory back before the answer: whoever has made something else of it needs it no
 * more.
 */
void http_body_release(struct http_request *request);
/*
 * Whether an answer with `size` bytes of content may be queued, before it is made.
 * ERR_TOO_MANY_REQUESTS: more than a connection's share, a quarter of reply_bytes_total_max, waits
 * for this client to take it; ERR_OVERLOADED: more than all of that waits for all of them. Where
 * nothing waits, anything may be.
 */
MUST_USE err http_admit_reply(const struct http_request *request, uint64_t size);
/* From the header's Content-Length; UINT64_MAX when chunked; 0 when none. */
uint64_t http_content_length(const struct http_request *request);
/* The other side, "127.0.0.1:51234". */
const char *http_peer(const struct http_request *request);
/* A number that tells requests apart in logs. */
uint64_t http_request_number(const struct http_request *request);
/* Monotonic nanoseconds at which its first byte was read. */
uint64_t http_started_ns(const struct http_request *request);
/* False once the connection is gone: the answer will not be seen. */
bool http_is_connected(const struct http_request *request);
/*
 * True once the connection is gone, or the client has closed its side of it: it may read on, but
 * hardly anybody does. For what waits long and would be of no use to nobody.
 */
bool http_is_abandoned(const struct http_request *request);
/* `size` uninitialised bytes that live until the request is answered. */
void *http_alloc(struct http_request *request, size_t size);
/* A place for the handler's own pointer. */
void http_set_user(struct http_request *request, void *user);
void *http_user(const struct http_request *request);
/* In `begin`: a body above `bytes` is refused (413), by Content-Length before any of it is read. */
void http_limit_body(struct http_request *request, uint64_t bytes);

/* ---- the answer ---- */

struct http_field {
    struct slice name;
    struct slice value; /* must be free of CR, LF and NUL: asserted */
    struct slice lines; /* in place of both: whole fields, each with its CR LF; of ours alone */
};

#define HTTP_HEAD_LENGTH_NONE UINT64_MAX /* GET would have had none */

struct http_response {
    int status;
    const struct http_field *fields; /* without Date, Content-Length, Connection: the layer's own */
    size_t field_count;
    struct buf *body;     /* shared; NULL: empty */
    struct slice content; /* within body; if body is NULL and content is not empty: copied */
    uint64_t head_length; /* HEAD without content: the Content-Length that GET would have had, or
                             HTTP_HEAD_LENGTH_NONE */
    bool close;           /* end the connection after it */
};

/*
 * Answers; `request` is gone afterwards. Borrows `response`, shares its body. HEAD, 204 and 304 get
 * no body, whatever `response` has. Nothing is sent before the end of this turn (H1).
 */
void http_respond(struct http_request *request, const struct http_response *response);

/* ---- a streamed answer: for lists, watches, snapshots ---- */

struct http_stream_handler {
    /* There is room again after http_stream_write said false. */
    void (*writable)(void *ctx, struct http_stream *stream);
    /* The connection is gone: the stream ends with this call, in which it may not be used. */
    void (*closed)(void *ctx, struct http_stream *stream);
};

/*
 * Begins an answer whose body comes in pieces: chunked (HTTP/1.1) or until close (1.0); `head` has
 * no body. `request` is gone afterwards. Later requests of the connection wait for its end. Borrows
 * `handler` for the life of the stream. NULL: the connection is gone.
 */
struct http_stream *http_respond_stream(struct http_request *request,
                                        const struct http_response *head,
                                        const struct http_stream_handler *handler, void *ctx);
/* From now on the bound of what is queued is `bytes`, if that is less. */
void http_stream_limit(struct http_stream *stream, uint64_t bytes);
/*
 * Queues a piece; shares `piece`. False: the bound is reached, wait for `writable`. What is written
 * all the same is queued up to 16 MiB; then the connection is cut.
 */
bool http_stream_write(struct http_stream *stream, struct buf *piece);
/* As http_is_abandoned. */
bool http_stream_is_abandoned(struct http_stream *stream);
/* Ends the body; the handle is gone. `ok` false: the connection is cut, so that it shows. */
void http_stream_end(struct http_stream *stream, bool ok);

struct http_stats {
    struct counter connections_accepted;
    struct counter connections_refused;
    struct gauge connections;
    struct gauge in_flight; /* requests being answered */
    struct counter requests;
    struct counter refusals; /* by the layer itself */
    struct counter timeouts;
    struct gauge requests_held; /* from their first byte until their answer is sent */
    struct gauge body_bytes;    /* memory of their bodies */
    struct gauge reply_bytes;   /* of answers that are not sent */
    struct counter received_bytes;
    struct counter sent_bytes;
};

/* Borrowed until the server is closed. */
const struct http_stats *http_stats(const struct http_server *server);

#endif
