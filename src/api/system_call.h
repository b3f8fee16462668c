/*
 * One operation on leases or locks, on its way through the log: proposed, and where that does no
 * harm proposed again, until its outcome is known or its time is over.
 *
 * Y1  An attempt is repeated only if the call is: under an idempotency key, or as its operation is
 *     the same done twice. Whoever waits so survives the death of a leader.
 * Y2  `done` is called once, also from within. If an attempt may have been applied and nothing says
 *     how, that is ERR_OUTCOME_UNKNOWN, whatever the last one was refused with: only what the log
 *     remembers, or would find again, says how.
 */
#ifndef API_SYSTEM_CALL_H
#define API_SYSTEM_CALL_H

#include "api/exchange.h"
#include "proto/txn.h"

struct system_call {
    /* In: */
    struct api *api;
    uint64_t deadline_ms;         /* env_now_ms: of the last attempt */
    bool is_repeatable;           /* Y1 */
    struct slice idempotency_key; /* empty: none; borrowed until the call returns */
    struct hash128 fingerprint;
    /* `op` is NULL unless result->e is OK or ERR_LOCKED. Both are borrowed until it returns. */
    void (*done)(struct system_call *call, const struct command_result *result,
                 const struct txn_result *op);
    /* Its own: */
    struct node_write write;
    struct buf *command;
    struct env_timer again;
    struct list link; /* while it pauses */
    bool is_unknown;  /* Y2 */
};

/* Carries out `op`, borrowed until it returns. The call is its owner's until `done`. */
void api_system_call(struct system_call *call, const struct txn_op *op);
/* Ends those that pause (api_end). */
void api_system_calls_end(struct api *api);

#define SYSTEM_KEY_SIZE 17u
/* An idempotency key that no client can have: a call's own. */
struct slice api_system_call_key(struct api *api, uint8_t target[SYSTEM_KEY_SIZE]);

/* ---- for all routes on leases and locks ---- */

/* Takes Idempotency-Key, if it is there, and what it is the key of. Before api_system_call; the
 * body may be NULL. */
void api_system_take_key(struct exchange *x, struct slice body, struct system_call *call);
/* Whether that header field, Content-Type and Content-Encoding are what they may be, and there is
 * no condition that nobody would look at (`takes_fence`: but KV-Fence). ERR_BAD_REQUEST,
 * ERR_UNSUPPORTED_ENCODING, set in `problem`. */
MUST_USE err api_system_check_fields(struct exchange *x, bool takes_fence, struct problem *problem);
/* The Content-Type to store beside the body; empty: none. */
struct slice api_system_content_type(const struct http_request *request);
/* The body as it was sent. */
struct slice api_system_body(const struct http_request *request);

/* Refuses a request whose call, or read, ended with `e`. */
void api_system_refuse(struct exchange *x, err e);
/* Answers with the document, and a line end; deinits it. */
void api_system_respond(struct exchange *x, int status, struct writer *document);
/* The result's revision, and whether it is a replay, into the answer. */
void api_system_take_result(struct exchange *x, const struct command_result *result);
/* Appends seconds as JSON: "10.0", "0.25". */
void api_system_write_seconds(struct writer *out, uint64_t ms);

#endif
