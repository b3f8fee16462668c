/*
 * Commands: what a normal entry carries, and what applying it answers. An encoding is complete: it
 * depends on nothing but itself and the applied state (docs/adr: determinism).
 *
 * The first byte of an encoded command is the format version, so that a node that does not know it
 * stops instead of guessing.
 */
#ifndef PROTO_COMMAND_H
#define PROTO_COMMAND_H

#include "base/codec.h"
#include "base/limits.h"
#include "proto/txn.h"

/* The values stand on disk and on the wire. */
enum command_type {
    COMMAND_PUT = 1,
    COMMAND_DELETE = 2,
    COMMAND_TXN = 3,
};

/* What the leader says to what depends on time; all 0 until it stamps a TXN. */
struct command_clock {
    uint64_t elapsed_ms;         /* the region's elapsed time is at least that (docs/adr/0032) */
    uint64_t idempotency_age_ms; /* how long an idempotency key is remembered */
    uint64_t idempotency_count;  /* and how many of them */
};

struct command {
    enum command_type type;
    uint64_t stamp_ms; /* the leader's wall clock; 0 until the leader stamps it (command_stamp) */
    uint64_t quota_bytes;       /* the leader's --quota-bytes, likewise; 0: none (docs/adr/0025) */
    struct slice key;           /* TXN: of what it is about; decides where it goes */
    struct slice value;         /* PUT; TXN: the encoding of `txn` */
    struct slice content_type;  /* PUT; empty: none was given */
    struct command_clock clock; /* TXN */
    const struct txn *txn;      /* TXN, for command_encode alone */
};

/* What the leader adds to a command when it proposes it. */
struct command_stamp {
    uint64_t ms;
    uint64_t quota_bytes;
    struct command_clock clock;
};

/* A new buf with the encoding. Caller unrefs. The stamp is at a fixed place for command_stamp. */
struct buf *command_encode(const struct command *command);
/* Sets the stamp in an encoding that nobody else has seen yet (ref_count 1). */
void command_stamp(struct buf *encoded, struct command_stamp stamp);
/* The key in an encoding, without a look at the rest of it; SLICE_EMPTY: it can hold none. */
struct slice command_key(const struct buf *encoded);
/* Whether it can only make what is stored smaller: such commands go on where a disk is full. */
bool command_only_frees(const struct buf *encoded);
/* What a whole encoding is of. */
enum command_type command_type_of(const struct buf *encoded);
/* Slices borrow from `bytes`. ERR_MALFORMED, ERR_VERSION. */
MUST_USE err command_decode(struct slice bytes, struct command *out_command);

/* What a write answers: enough for every response header of api.md section 1. */
struct command_result {
    err e;                    /* OK, or why it did not happen */
    uint64_t revision;        /* the region's revision after the entry */
    bool existed;             /* PUT: a record was replaced; DELETE: a record was removed */
    uint64_t create_revision; /* PUT: of the record now there */
    uint64_t mod_revision;
    uint64_t version;
    uint64_t modified_ms;
    /* Of a TXN. The fields above are then of its only write, or of the record that the failed check
     * met. */
    bool is_replayed;     /* what an earlier command with its idempotency key was answered */
    bool has_failed;      /* the checks did not all hold */
    uint32_t failed;      /* which check, or operation, is the reason */
    struct slice results; /* of the operations, one txn_result after the other; borrowed */
};

/*
 * An error travels by its name: its number is its place in ERR_LIST, which another version of the
 * program may have in another order. A name that this version does not know says nothing about the
 * outcome, as ERR_INTERNAL does; the reader tells if there is none at all.
 */
void command_err_encode(err e, struct writer *out);
/* As above. */
MUST_USE err command_err_decode(struct reader *in);

/* Appends the encoding. */
void command_result_encode(const struct command_result *result, struct writer *out);
/*
 * Decodes a result from `in`, leaving `in` after it. An error that this version does not know comes
 * out as ERR_INTERNAL, whose outcome is unknown. ERR_MALFORMED.
 */
MUST_USE err command_result_decode(struct reader *in, struct command_result *out_result);

#endif
