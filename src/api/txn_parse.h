/*
 * What the files of the parser share: txn_plan.c (the whole), txn_clause.c (if), txn_op.c (then and
 * else). Members are looked up in tables, so that what is not in them is refused with a guess.
 */
#ifndef API_TXN_PARSE_H
#define API_TXN_PARSE_H

#include <json-c/json_object.h>

#include "api/txn_plan.h"

#define TXN_ECHO_SIZE_MAX 48u

/* One of the names that an object may have. */
struct txn_member {
    const char *name;
    unsigned bit;
};

/* Bytes that were decoded, for one clause or operation; the slices of its parts lie here. */
struct txn_scratch {
    struct writer key;
    struct writer end;
    struct writer value;
};

/* A name that is none of `known`: ERR_BAD_REQUEST, with what may have been meant. */
MUST_USE err api_txn_refuse_name(const char *name, const struct txn_member *known, size_t count,
                                 struct problem *problem);
/* The bytes of a text, or of base64. `target` keeps what was decoded. */
MUST_USE err api_txn_take_bytes(struct json_object *value, const char *name, bool is_base64,
                                struct writer *target, struct slice *out_bytes,
                                struct problem *problem);
/* The same for a key. ERR_KEY_TOO_LONG, too. */
MUST_USE err api_txn_take_key(struct json_object *value, const char *name, bool is_base64,
                              struct writer *target, struct slice *out_key,
                              struct problem *problem);
/* Where what begins with `prefix` ends, in `target`; empty: nowhere. */
struct slice api_txn_prefix_end(struct slice prefix, struct writer *target);
/* A whole number up to REVISION_MAX, as a number or a text. */
MUST_USE err api_txn_take_number(struct json_object *value, const char *name, uint64_t *out_number,
                                 struct problem *problem);
/* A lease's id. */
MUST_USE err api_txn_take_lease(struct json_object *value, uint64_t *out_lease,
                                struct problem *problem);

/* One clause: its checks go into the builder; its key is told. */
MUST_USE err api_txn_parse_clause(struct json_object *object, struct txn_scratch *scratch,
                                  struct txn_plan *plan, struct slice *out_key,
                                  struct problem *problem);
/* One operation of then, or else. */
MUST_USE err api_txn_parse_object(struct json_object *object, const struct txn_limits *limits,
                                  struct txn_scratch *scratch, struct txn_plan *plan, bool is_else,
                                  struct problem *problem);
#endif
