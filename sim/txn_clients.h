/*
 * Clients that ask for transactions: conditional writes, numbers and texts that grow, keys that
 * expire, leases, locks and an election with fenced writes, two keys at once, ranges that go,
 * also with a put beside them, alternatives; who writes may ask for the record that was, or is.
 * They have keys of their own, which begin with TXN_CLIENTS_PREFIX. What has an idempotency key is
 * asked for again, through any node, after whatever was answered, and after an answer, too, now and
 * then. What is right the model knows (txn_model.h); clients remember tokens, leases and revisions,
 * and use also old ones.
 */
#ifndef SIM_TXN_CLIENTS_H
#define SIM_TXN_CLIENTS_H

#include "sim/host.h"

#define TXN_CLIENTS_PREFIX "t-"

/* They ask when they are told to (clients.c). Lives as long as the simulation. */
struct txn_clients *txn_clients_new(struct sim *sim);

/* Whether the key is one of theirs. */
bool txn_clients_has(struct slice key);
/* Whether the next operation is to be a transaction: draws. */
bool txn_clients_next(struct txn_clients *clients);
/* Asks the host, which is up, for one. */
void txn_clients_ask(struct txn_clients *clients, struct host *host);
/* As clients_life_ended, clients_stop, clients_pending and clients_tell. */
void txn_clients_life_ended(struct txn_clients *clients, const struct host *host);
void txn_clients_stop(struct txn_clients *clients);
uint64_t txn_clients_pending(struct txn_clients *clients);
void txn_clients_tell(struct txn_clients *clients, FILE *out);

#endif
