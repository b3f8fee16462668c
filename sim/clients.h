/*
 * Clients: they write and read keys through any node, give up after a while, and remember what they
 * asked and what they were told. HTTP is left out: they stand where src/api stands, on node_write
 * and node_read.
 *
 * C1  An operation begins when the node takes it and ends when the node answers: that is a stricter
 *     history than what a client far away sees.
 * C2  Every operation that a node took and did not die with is answered, once, by its deadline.
 */
#ifndef SIM_CLIENTS_H
#define SIM_CLIENTS_H

#include "sim/host.h"

struct lincheck_history;

/* They begin to ask. Lives as long as the simulation. */
struct clients *clients_new(struct sim *sim);

/* Appends the value of a request: its number, and `size` bytes that follow from that. */
void clients_encode_value(struct writer *out, uint64_t request, size_t size);
/* Whether it is the value of a request, every byte of it. */
bool clients_is_whole(struct slice value);
/* The request number that a value carries; 0: it is none of ours. */
uint64_t clients_request_of(struct slice value);

/* The requests whose values the host's store has now, into `requests`, which has room for every
 * key; returns how many. The host's node runs. */
size_t clients_stored_requests(const struct clients *clients, const struct host *host,
                               uint64_t *requests);

/* Where in a file the value of one of the requests has a byte that follows from its number; false:
 * nowhere. */
bool clients_find_value(const struct inode *inode, const uint64_t *requests, size_t count,
                        struct prng *chance, uint64_t *out_offset);

/* The host's life is over, with every operation that it had. */
void clients_life_ended(struct clients *clients, const struct host *host);
/* The host's node is about to be closed. */
void clients_node_closes(struct clients *clients, const struct host *host);
/* No new operations from now on; who watches goes on, and is not disturbed any more. */
void clients_stop(struct clients *clients);
/* Operations that a living node has and has not answered. */
uint64_t clients_pending(struct clients *clients);
/* Whether all that watch have been told of all that has changed. */
bool clients_are_told(struct clients *clients);
/* Prints them, for a failure. */
void clients_tell(struct clients *clients, FILE *out);
/* Asks `host` for a read of every key and a write of some, at the end; returns how many that is. */
uint64_t clients_ask_all(struct clients *clients, struct host *host);
/* How many of clients_ask_all's were answered well. */
uint64_t clients_asked_well(const struct clients *clients);

/*
 * Adds to `history` the applied log, in its order, and says of each DELETE what the log does. Ends
 * the simulation if more of a key were applied than can have been.
 */
void clients_settle(struct sim *sim, struct lincheck_history *history);
/* Checks that the history is linearizable; returns how many operations it has. */
uint64_t clients_check(struct clients *clients);

#endif
