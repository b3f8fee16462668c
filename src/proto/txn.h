/*
 * What a transaction says: checks, operations if all of them hold, and operations if not. Every
 * command but the plain PUT and DELETE is one (docs/adr/0031): a conditional write is a check and
 * an operation. One transaction is one entry of the log and at most one revision.
 *
 * An encoding is walked, never unpacked: it may have as many operations as an entry has room for.
 * Whoever walks it has checked it as a whole before (txn_decode).
 */
#ifndef PROTO_TXN_H
#define PROTO_TXN_H

#include "base/codec.h"
#include "base/hash.h"
#include "base/limits.h"

/* These values stand on disk and on the wire, as all below. */
enum txn_target {
    TXN_MOD_REVISION = 1, /* of a key that is not there: 0, as the next two */
    TXN_CREATE_REVISION = 2,
    TXN_VERSION = 3,
    TXN_VALUE = 4, /* no check of the value of a key that is not there holds */
    TXN_LEASE = 5, /* 0: the key is on none */
    TXN_FENCE = 6, /* `key` is a lock (txn_lock_name), `number` the token of one of its holders */
};
#define TXN_TARGETS 6u

enum txn_relation {
    TXN_EQUAL = 1,
    TXN_NOT_EQUAL = 2,
    TXN_LESS = 3,
    TXN_LESS_OR_EQUAL = 4,
    TXN_GREATER = 5,
    TXN_GREATER_OR_EQUAL = 6,
};
#define TXN_RELATIONS 6u

struct txn_check {
    enum txn_target target;
    enum txn_relation relation;
    struct slice key;
    struct slice end; /* not empty: it holds for every key that there is from `key` to before it */
    uint64_t number;
    struct slice value; /* VALUE */
    bool is_or;         /* it is enough if the check before it holds; not of the first one */
};

enum txn_type {
    TXN_GET = 1,
    TXN_PUT = 2,
    TXN_DELETE = 3,
    TXN_DELETE_RANGE = 4, /* from `key` to before `end`; an empty `end`: to the last key */
    TXN_ADD = 5,          /* `number`, signed, to the decimal number that the value is */
    TXN_APPEND = 6,
    TXN_TOUCH = 7, /* another TTL or lease, or none; no new revision of the key */
    TXN_LEASE_GRANT = 8,
    TXN_LEASE_KEEP = 9, /* its time begins anew */
    TXN_LEASE_REVOKE = 10,
    TXN_LOCK = 11,       /* of `key`: held, or waits in the queue for up to `wait_ms` */
    TXN_LOCK_RENEW = 12, /* by the holder with the token `number`; a `value` is what it says of
                            itself from now on */
    TXN_LOCK_LEAVE = 13, /* the queue, at the place `number`; OK also if it is there no more */
    TXN_UNLOCK = 14,     /* by the holder with the token `number`, or FORCE: whoever holds it */
    TXN_EXPIRE = 15,     /* what is due by the region's clock, at most `number` of it */
};
#define TXN_TYPES 15u

/* Bits. */
enum txn_flag {
    TXN_KEEP_TTL = 1,   /* PUT, ADD, APPEND: the key stays on its TTL or lease */
    TXN_RETURN_OLD = 2, /* what was there before is part of the result */
    TXN_RETURN_NEW = 4,
    TXN_FORCE = 8, /* UNLOCK */
};
#define TXN_FLAGS 15u

struct txn_op {
    enum txn_type type;
    uint8_t flags;
    struct slice key;
    struct slice end;
    struct slice content_type;
    struct slice value; /* PUT, APPEND; LOCK, LOCK_RENEW: what the holder says of itself */
    uint64_t ttl_ms;    /* 0: none */
    uint64_t lease; /* the key is put on it; LEASE_…: which; LOCK: its own, to be made. 0: none */
    uint64_t number;  /* LOCK: how many may hold it; APPEND: how large the value may become, 0: as
                         any; else see txn_type */
    uint64_t wait_ms; /* LOCK */
};

#define TXN_TTL_MS_MAX UINT64_C(9000000000000) /* 9e9 s, as etcd's */
#define TXN_CHECK_HEADER_SIZE 18u              /* of each, before its key, end and value */
#define TXN_CHECKS_MAX 65535u
#define TXN_OPS_MAX 65535u /* of both branches together */
#define TXN_IDEMPOTENCY_KEY_SIZE_MAX 255u

/* A lock's name begins with its kind. */
enum txn_lock_kind {
    TXN_LOCK_PLAIN = 'l',
    TXN_LOCK_ELECTION = 'e',
};
#define TXN_LOCK_NAME_SIZE_MAX 256u

/* Its parts, encoded; borrowed from what they were decoded from. */
struct txn {
    struct slice idempotency_key; /* empty: none */
    struct hash128 fingerprint;   /* of the request that the key belongs to */
    bool has_else;                /* checks that do not hold are no refusal then */
    uint32_t check_count;
    uint32_t then_count;
    uint32_t else_count;
    struct slice checks;
    struct slice then_ops;
    struct slice else_ops;
};

/* Puts one together; all zero is an empty one. */
struct txn_builder {
    struct txn txn; /* key, fingerprint and has_else are the caller's to set */
    struct writer checks;
    struct writer then_ops;
    struct writer else_ops;
};

/* Appends a check. It is valid: the names of its parts above, and limits.h. */
void txn_add_check(struct txn_builder *builder, const struct txn_check *check);
/* Appends an operation to what is done if the checks hold, or (`is_else`) if not; has_else is set
 * then. */
void txn_add_op(struct txn_builder *builder, const struct txn_op *op, bool is_else);
/* Bytes that it takes so far. */
size_t txn_builder_size(const struct txn_builder *builder);
/* What was put together, borrowed from the builder until it changes. */
struct txn txn_builder_result(const struct txn_builder *builder);
void txn_builder_deinit(struct txn_builder *builder);

/* Bytes of the encoding. */
size_t txn_size(const struct txn *txn);
/* Encodes into `target`, which has room for txn_size. */
void txn_encode(const struct txn *txn, uint8_t *target);
/* Checks all of `bytes`, which out_txn borrows. ERR_MALFORMED. */
MUST_USE err txn_decode(struct slice bytes, struct txn *out_txn);

/* The next check, or operation, of those that `walk` is at (reader_of a part of a txn); false: that
 * was all. Slices borrow from what is walked. */
bool txn_next_check(struct reader *walk, struct txn_check *out_check);
bool txn_next_op(struct reader *walk, struct txn_op *out_op);

/* Whether the operation can only make what is stored smaller. */
bool txn_op_only_frees(enum txn_type type);

/* ---- what it answers ---- */

/* Of all operations of one transaction: with more it is refused (ERR_TOO_LARGE). */
#define TXN_RESULTS_SIZE_MAX (VALUE_SIZE_CEILING + (1u << 20))

/* What one operation has done. */
struct txn_result {
    enum txn_type type;
    bool existed;    /* the key, lease or lock was there before */
    bool has_record; /* `content_type`, `value` and the numbers are of a record */
    bool is_held;    /* LOCK: it has the lock; else it waits */
    uint64_t create_revision;
    uint64_t mod_revision;
    uint64_t version;
    uint64_t modified_ms;
    uint64_t ttl_ms; /* that is left; 0: none */
    uint64_t lease;
    uint64_t number; /* ADD: the sum; APPEND: bytes now; DELETE_RANGE, LEASE_REVOKE, EXPIRE: keys
                        that went; LOCK: its token, or the place in the queue; LOCK_…: the token */
    struct slice content_type;
    struct slice value;
};

/* Appends the encoding. */
void txn_result_encode(const struct txn_result *result, struct writer *out);
/* Decodes the next one; its slices borrow from what `in` reads. ERR_MALFORMED. */
MUST_USE err txn_result_decode(struct reader *in, struct txn_result *out_result);

#endif
