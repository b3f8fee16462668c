/*
 * A way to ask a server: requests into bytes, bytes into answers. No sockets, so that tests can
 * show each of them any bytes.
 *
 * P1  Answers come in the order of requests, one for each, however the server's bytes are cut.
 * P2  An answer is judged: what is not the success that the operation has, or not the value that
 *     must stand there, has a problem, named by its status or a word.
 */
#ifndef LOAD_PROTOCOL_H
#define LOAD_PROTOCOL_H

#include "work.h"

/* Why a request failed: a short word, letters, digits and '_' alone; empty: it did not. */
struct problem {
    char text[24];
};

enum taken {
    TAKEN_NOTHING, /* more bytes are needed for an answer */
    TAKEN_ANSWER,
    TAKEN_NONSENSE, /* what came is not of this protocol: the connection is of no more use */
};

/* What a connection of the protocol needs to know. */
struct protocol_options {
    const struct work *work; /* borrowed */
    unsigned replica_count;  /* Redis: a put waits for so many */
};

struct protocol {
    const char *name;
    /* The state of one connection, and the first bytes to send, if any. */
    void *(*open)(const struct protocol_options *options, struct writer *out);
    /* Frees the state. */
    void (*close)(void *state);
    /* Appends the request. */
    void (*ask)(void *state, const struct request *request, struct writer *out);
    /* Moves `input` behind what it took of it; of TAKEN_ANSWER, that is the whole answer to
     * `request`, the oldest that has none, and `out_problem` says whether it is one. */
    enum taken (*take)(void *state, const struct request *request, struct slice *input,
                       struct problem *out_problem);
};

/* The protocol of that name, or NULL: pontoon; etcd (its JSON gateway); plain (GET /, any body);
 * redis; zookeeper (a get is a sync and a getData, so that it is not stale). */
const struct protocol *protocol_find(const char *name);

extern const struct protocol protocol_pontoon;
extern const struct protocol protocol_etcd;
extern const struct protocol protocol_plain;
extern const struct protocol protocol_redis;
extern const struct protocol protocol_zookeeper;

/* Names the problem; what is no letter or digit becomes '_', what is too long is cut. */
void problem_set(struct problem *problem, struct slice text);
void problem_set_number(struct problem *problem, int number);

#endif
