/*
 * A kept connection to a node, on which HTTP requests are pipelined: what `pontoon import` and
 * `pontoon bench` have many of. (client.h has one request at a time, on libcurl.)
 *
 * N1  Answers come in the order of their requests. One that nobody asked for is no HTTP.
 * N2  After main_connection_dial comes one `lost`, unless it is closed before: nothing comes then.
 */
#ifndef MAIN_CONNECTION_H
#define MAIN_CONNECTION_H

#include <llhttp.h>

#include "base/codec.h"
#include "env/env.h"

/* What stands for --timeout in a message, where an answer did not come. */
#define CONNECTION_NO_ANSWER "no answer within --timeout"

/* Borrowed until `answered` returns. */
struct connection_answer {
    int status;
    bool is_last;             /* the node takes no more requests on this connection */
    uint64_t retry_after_ms;  /* 0: it does not say */
    const char *content_type; /* "" if none */
    struct slice body;        /* as much of it as is kept */
    uint64_t body_size;       /* of all of it */
};

struct connection_handler {
    /* Requests may be sent from now on. NULL: not wanted. */
    void (*connected)(void *ctx);
    /* A whole answer, to the oldest request. It may send, and must not close. */
    void (*answered)(void *ctx, const struct connection_answer *answer);
    /* It could not be connected, or it ended: what is unanswered stays so. It may be dialled
     * again. `why` is borrowed until it returns. */
    void (*lost)(void *ctx, const char *why);
};

/* All zero but for what main_connection_init sets is a closed one. */
struct connection {
    struct env *env;
    const struct connection_handler *handler;
    void *ctx;
    struct env_stream *stream; /* NULL: closed */
    bool is_up;
    size_t unanswered; /* requests */
    size_t body_size_max;
    uint64_t body_size;
    llhttp_t llhttp;
    struct writer field; /* of the answer that comes in, as the rest */
    struct writer value;
    struct writer content_type;
    struct writer retry_after;
    struct writer body;
};

/* In caller's storage. Keeps at most `body_size_max` bytes of an answer. Borrows the rest until
 * main_connection_deinit. */
void main_connection_init(struct connection *connection, struct env *env, size_t body_size_max,
                          const struct connection_handler *handler, void *ctx);
/* Closes, and frees. Idempotent. */
void main_connection_deinit(struct connection *connection);
/* Begins to connect to HOST:PORT. It must be closed. */
void main_connection_dial(struct connection *connection, const char *address);
/* Sends one request, whose bytes it shares. It must be up. */
void main_connection_send(struct connection *connection, struct buf *const *parts,
                          size_t part_count);
/* At once, and without a word to the handler (N2). Closed already: no-op. */
void main_connection_close(struct connection *connection);

/* Whether what ended with that status may be sent again, if it may be done twice at all: 408, 429,
 * 500, 502, 503, 504. */
bool main_connection_may_repeat(int status);
/* Whether what ended with that status, no success, may have been done. */
bool main_connection_may_be_done(int status);
/* Appends "ADDRESS: title: detail", of an answer that is no success. */
void main_connection_explain(const struct connection_answer *answer, const char *address,
                             struct writer *out);

#endif
