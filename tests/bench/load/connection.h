/*
 * One connection: a socket, what goes out and comes in, and the requests that have no answer yet.
 *
 * N1  Requests are answered in their order; at most `depth` of them are on their way.
 * N2  A connection that ends stays ended: whatever is on its way failed.
 */
#ifndef LOAD_CONNECTION_H
#define LOAD_CONNECTION_H

#include <netinet/in.h>

#include "protocol.h"

struct connection {
    const struct protocol *protocol;
    void *state;
    int socket;      /* -1: it has ended */
    bool is_waiting; /* for room in the socket */
    struct writer out;
    size_t sent; /* bytes of `out` */
    struct writer in;
    struct request *requests; /* a ring of `depth` */
    size_t depth;
    size_t first;
    size_t count;
};

/* Connects, waiting until that is done, and greets. False: errno says why; deinit it all the same.
 * Borrows what `options` points to for the connection's life. */
bool connection_init(struct connection *connection, const struct protocol *protocol,
                     const struct protocol_options *options, const struct sockaddr_in *address,
                     size_t depth);

/* Closes and frees. */
void connection_deinit(struct connection *connection);

/* Whether one more request may be on its way. */
bool connection_has_room(const struct connection *connection);

/* Queues the request; room must be there. */
void connection_ask(struct connection *connection, const struct request *request);

/* Sends what is queued, as far as the socket takes it. False: the connection has ended. */
bool connection_flush(struct connection *connection);

/* Receives what is there, once. False: the connection has ended, or the server said nonsense. */
bool connection_receive(struct connection *connection);

/* The next answer of what was received. False: there is none whole, or, with `out_is_broken`, what
 * there is makes no sense. */
bool connection_take(struct connection *connection, struct request *out_request,
                     struct problem *out_problem, bool *out_is_broken);

/* Closes the socket; the state stays for deinit. */
void connection_end(struct connection *connection);

#endif
