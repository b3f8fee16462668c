/*
 * What a client of transactions asks for: drawn, and as a command. It is the same in each attempt.
 */
#ifndef SIM_TXN_REQUEST_H
#define SIM_TXN_REQUEST_H

#include "base/buf.h"
#include "proto/txn.h"
#include "sim/world.h"

#define TXN_REQUEST_KEYS 3u /* of each kind */
#define TXN_REQUEST_LOCKS 2u
#define TXN_REQUEST_ELECTION TXN_REQUEST_LOCKS /* as a lock's number */
#define TXN_REQUEST_KNOWN 4u      /* tokens of a lock, or leases, that are remembered */
#define TXN_REQUEST_LOCK_SIZE 16u /* of a lock's name, and its end */
#define TXN_REQUEST_CONDITIONS 3u

enum txn_request_kind {
    REQUEST_ADD,
    REQUEST_APPEND,
    REQUEST_PUT_TTL,
    REQUEST_TOUCH,
    REQUEST_PLAIN_PUT,
    REQUEST_PLAIN_DELETE,
    REQUEST_DELETE,
    REQUEST_CONDITIONAL,
    REQUEST_GRANT,
    REQUEST_KEEP,
    REQUEST_REVOKE,
    REQUEST_PUT_ON_LEASE,
    REQUEST_PAIR_PUT,
    REQUEST_PAIR_GET,
    REQUEST_LOCK,
    REQUEST_RENEW,
    REQUEST_LEAVE,
    REQUEST_UNLOCK,
    REQUEST_FENCED_PUT,
    REQUEST_KINDS_COMMON,
    REQUEST_DELETE_RANGE = REQUEST_KINDS_COMMON,
    REQUEST_RANGE_AND_PUT,
    REQUEST_KINDS
};

/* When a key is put beside a range that goes. */
enum txn_request_puts {
    TXN_REQUEST_PUT_BEFORE,
    TXN_REQUEST_PUT_BEHIND,
    TXN_REQUEST_PUT_TWICE,
};
#define TXN_REQUEST_PUTS 3u

/* One key, or all from it on to before `end`. */
struct txn_request_range {
    char key[32];
    char end[32]; /* empty: it is one key, or, of what is deleted, the range has no end */
};

/* A check beside that of the request's kind. */
struct txn_condition {
    enum txn_target target;
    enum txn_relation relation;
    struct txn_request_range range; /* its key may be a lock's name */
    uint64_t number;
    char value[8];
    bool is_or;
};

struct txn_request {
    uint64_t number;
    enum txn_request_kind kind;
    struct txn_request_range range;
    char other_key[40];
    char idempotency_key[32]; /* empty: it is asked for once */
    uint64_t ttl_ms;
    uint64_t lease;
    uint64_t wait_ms;
    uint8_t flags; /* of its operation */
    bool has_else; /* what is done if its check fails: its key is read, a number grows */
    uint64_t
        operand; /* a token, a place, the revision that a key has to have, or what it grows by */
    enum txn_request_puts puts;
    uint32_t lock;
    uint32_t condition_count;
    struct txn_condition conditions[TXN_REQUEST_CONDITIONS];
    size_t value_size;
};

/* A ring of what was learned last; all zero: nothing. */
struct txn_known {
    uint64_t numbers[TXN_REQUEST_KNOWN];
    uint64_t count;
};

/* What requests are drawn from. */
struct txn_dice {
    struct prng chance;
    struct prng flags; /* who keeps a TTL, who unlocks by force */
    struct prng rare;  /* what came later: old dice stay where they are */
    uint64_t ttl_ms_max;
    struct txn_known tokens[TXN_REQUEST_LOCKS + 1]; /* the last one's: the election's */
    struct txn_known places[TXN_REQUEST_LOCKS + 1];
    struct txn_known leases;
    struct txn_known revisions[TXN_REQUEST_KEYS]; /* of the keys of conditional writes */
};

/* Nothing is known. */
void txn_dice_init(struct txn_dice *dice, const struct world *world, uint64_t ttl_ms_max);
void txn_known_learn(struct txn_known *known, uint64_t number);

/* Draws the request of that number. False: it needs a lease, token or place, and none is known. */
MUST_USE bool txn_request_draw(struct txn_dice *dice, uint64_t number,
                               struct txn_request *out_request);
/* The command's encoding. Caller unrefs. */
struct buf *txn_request_command(const struct txn_request *request);
/* Whether it is a PUT or DELETE of the oldest kind, and no transaction. */
bool txn_request_is_plain(const struct txn_request *request);
/* A lock's name, as commands have it. */
void txn_request_lock_name(uint32_t lock, char out_name[TXN_REQUEST_LOCK_SIZE]);
/* In words. Static storage. */
const char *txn_request_text(const struct txn_request *request);

#endif
