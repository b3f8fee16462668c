/*
 * What an operator asks of a cluster's membership, and who the members are, on its way from the
 * node that was asked to the leader, and the answer. Byte by byte in README.md.
 */
#ifndef PROTO_ADMIN_H
#define PROTO_ADMIN_H

#include "base/codec.h"
#include "base/limits.h"
#include "proto/entry.h"

#define ADMIN_TEXT_SIZE_MAX 200u

/* The values stand on the wire. */
enum admin_op {
    ADMIN_ADD = 1,      /* a member: a learner, which becomes a voter once it has caught up */
    ADMIN_REMOVE = 2,   /* a member */
    ADMIN_MOVE = 3,     /* a member has another address now */
    ADMIN_PROMOTE = 4,  /* a learner that stayed one is to become a voter */
    ADMIN_REPLACE = 5,  /* one member by another, in one joint step */
    ADMIN_TRANSFER = 6, /* leadership */
    ADMIN_LIST = 7,     /* changes nothing: how far the members are, as the leader sees it */
    ADMIN_OP_LAST = ADMIN_LIST,
};

struct admin_spec {
    enum admin_op op;
    node_id id;      /* ADD, REPLACE: of who comes; 0: the leader chooses. TRANSFER: 0: any other */
    node_id old;     /* REPLACE: who goes */
    bool is_learner; /* ADD: and stays one */
    bool wants_vote; /* ADD: and does not, as was said; neither: who joins takes what it is */
    bool is_forced;  /* also if it may cost the quorum */
    bool is_again;   /* it may have been carried out already, by who was asked before */
    char address[ADDRESS_SIZE_MAX + 1]; /* ADD, MOVE, REPLACE: where peers reach it */
};

struct admin_request {
    uint64_t number;  /* the asking node's */
    uint32_t left_ms; /* until the asker has to answer */
    struct admin_spec spec;
};

/* How a leader sends to a member. The values stand on the wire. */
enum admin_progress {
    ADMIN_PROGRESS_NONE = 0, /* it is the leader itself */
    ADMIN_PROGRESS_PROBE = 1,
    ADMIN_PROGRESS_REPLICATE = 2,
    ADMIN_PROGRESS_SNAPSHOT = 3,
    ADMIN_PROGRESS_LAST = ADMIN_PROGRESS_SNAPSHOT,
};

/* How far a member is, as its leader sees it. */
struct admin_figure {
    node_id id;
    uint64_t match;         /* highest index known to be durable there; at most the leader's last */
    uint32_t round_trip_us; /* 0 while unknown, and of the leader itself */
    enum admin_progress progress;
    bool is_reachable;
};

/* What a LIST is answered with; all zero: nothing. */
struct admin_figures {
    uint64_t last_index; /* of the leader's log */
    uint32_t count;
    struct admin_figure rows[MEMBERS_MAX]; /* ascending ids, none 0 */
};

struct admin_result {
    uint64_t number;
    err e;
    node_id id;        /* of whom it was about; LIST: who leads */
    struct slice text; /* why not, for people; plain */
    struct admin_figures figures;
};

/* Appends the payload of a FRAME_ADMIN. */
void admin_request_encode(const struct admin_request *request, struct writer *out);
/* The address is plain text; whether the rest makes sense is the leader's to say. ERR_MALFORMED. */
MUST_USE err admin_request_decode(struct slice bytes, struct admin_request *out_request);

/* Appends the payload of a FRAME_ADMIN_RESULT, its text cut to ADMIN_TEXT_SIZE_MAX. */
void admin_result_encode(const struct admin_result *result, struct writer *out);
/* `out_result->text` borrows from `bytes`; it is plain text. ERR_MALFORMED. */
MUST_USE err admin_result_decode(struct slice bytes, struct admin_result *out_result);

#endif
