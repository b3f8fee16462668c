/*
 * What makes a write more than a plain PUT or DELETE: conditions, an idempotency key, a TTL, an
 * operation, an answer other than OK. Looked at before the body comes, and made into a transaction
 * once it is there.
 */
#ifndef API_KV_INTENT_H
#define API_KV_INTENT_H

#include "api/exchange.h"

#define INTENT_TAGS_MAX 16u /* in one If-Match or If-None-Match */
#define INTENT_CHECKS_MAX (2u * INTENT_TAGS_MAX + 6u)

/* In the request's memory; slices borrow from the request. */
struct kv_intent {
    struct slice if_match; /* data NULL: not given, as the next ones */
    struct slice if_none_match;
    struct slice fence_name; /* a lock's, decoded, behind a byte for its kind */
    uint64_t fence_token;
    struct slice idempotency_key;
    struct hash128 fingerprint;
    enum prefer_return wanted; /* DEFAULT: "OK", or what the operation has to say */
    uint64_t ttl_ms;           /* of the query or a header field */
    size_t check_count;
    const char *sources[INTENT_CHECKS_MAX]; /* what asked for each check */
};

/*
 * Reads the header fields of a write; x->params has the query. Makes x->intent, or leaves it NULL:
 * it is a plain one. ERR_BAD_REQUEST, ERR_NOT_IMPLEMENTED, set in `problem`.
 */
MUST_USE err api_kv_intent_parse(struct exchange *x, struct problem *problem);

/* The command of a write with an intent; `value` and its type are what to store. Caller unrefs. */
struct buf *api_kv_intent_encode(struct exchange *x, struct slice value, struct slice content_type);

#endif
