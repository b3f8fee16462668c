/*
 * What makes a write more than a plain PUT or DELETE: conditions, an idempotency key, a TTL, an
 * operation, an answer other than OK. Looked at before the body comes, and made into a transaction
 * once it is there.
 */
#ifndef API_KV_INTENT_H
#define API_KV_INTENT_H

#include "api/exchange.h"

#define INTENT_TAGS_MAX 16u /* in one If-Match or If-None-Match */
#define API_ATTEMPT_KEY_SIZE 64u
#define INTENT_CHECKS_MAX (2u * INTENT_TAGS_MAX + 8u)

/* Of a PATCH: kv_patch.c's own. */
struct kv_patch {
    struct slice key;  /* the request's idempotency key; that of each attempt follows from it */
    struct slice body; /* the patch, decoded */
    uint64_t attempt;  /* from 0 on */
    uint64_t revision; /* that was read and has to be there still; 0: there is no such key */
    uint64_t deadline_ms;
    uint32_t revision_check;       /* the place of its check */
    const struct problem *refusal; /* why what is there cannot be merged into (K2); NULL: it can */
    char text[API_ATTEMPT_KEY_SIZE]; /* an attempt's key */
};

/* In the request's memory; slices borrow from the request. */
struct kv_intent {
    struct slice if_match; /* data NULL: not given, as the next ones */
    struct slice if_none_match;
    struct slice fence_name; /* a lock's, decoded, behind a byte for its kind */
    uint64_t fence_token;
    struct slice idempotency_key;
    struct hash128 fingerprint;
    enum prefer_return wanted; /* DEFAULT: "OK", or what the operation has to say */
    bool is_patch;
    struct kv_patch patch;
    uint64_t ttl_ms; /* of the query or a header field */
    size_t check_count;
    const char *sources[INTENT_CHECKS_MAX]; /* what asked for each check */
};

/*
 * Reads the header fields of a write; x->params has the query. Makes x->intent, or leaves it NULL:
 * it is a plain one. ERR_BAD_REQUEST, ERR_NOT_IMPLEMENTED, set in `problem`.
 */
MUST_USE err api_kv_intent_parse(struct exchange *x, struct problem *problem);

#define INTENT_TAKES_KEY 1u   /* Idempotency-Key */
#define INTENT_TAKES_FENCE 2u /* KV-Fence */
/*
 * Of a request that is not of a single key: OK if it has none of those fields, but for what it
 * takes. Else `e`, set in `problem` with the field and `why`: what was done in spite of its
 * condition would be answered as if it had been looked at.
 */
MUST_USE err api_kv_intent_refuse(const struct http_request *request, unsigned takes, err e,
                                  const char *why, struct problem *problem);

/*
 * Of any request: none of the fields that change its meaning is there twice, since the second would
 * be lost, be it another lock's fence; a list can be one field. ERR_BAD_REQUEST, set in `problem`.
 */
MUST_USE err api_kv_intent_check_once(const struct http_request *request, struct problem *problem);

/* The value of an Idempotency-Key. ERR_BAD_REQUEST, set in `problem`. */
MUST_USE err api_kv_parse_idempotency_key(struct slice key, struct slice *out_key,
                                          struct problem *problem);

/*
 * The idempotency key of a request's attempt, from 0 on, which follows from the request's: that
 * itself, or text that begins with `route`, in `target`. An empty one has none.
 */
struct slice api_kv_attempt_key(struct slice key, const char *route, uint64_t attempt,
                                char target[API_ATTEMPT_KEY_SIZE]);

/*
 * Appends what a query tells of a request, to tell it from another one under its idempotency key:
 * all of it but how long to wait for the answer, which a second try may say anew.
 */
void api_kv_fingerprint_query(struct writer *text, struct slice query);

/* The command of a write with an intent; `value` and its type are what to store. Caller unrefs. */
struct buf *api_kv_intent_encode(struct exchange *x, struct slice value, struct slice content_type);

#endif
