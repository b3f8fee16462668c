/* KV-Fence: a lock and the token with which it is held, "NAME:57", the name percent-encoded. */
#ifndef API_FENCE_H
#define API_FENCE_H

#include "api/exchange.h"
#include "proto/txn.h"

struct fence {
    struct slice name; /* decoded, behind a byte for the lock's kind: PLAIN */
    uint64_t token;
};

/* Decodes a lock's name out of a path or a fence, into the request's memory, behind a byte for its
 * kind. ERR_BAD_REQUEST, set in `problem`. */
MUST_USE err api_fence_decode_name(struct exchange *x, struct slice raw, enum txn_lock_kind kind,
                                   struct slice *out_name, struct problem *problem);
/* Reads the field's value. ERR_BAD_REQUEST, set in `problem`. */
MUST_USE err api_fence_parse(struct exchange *x, struct slice text, struct fence *out_fence,
                             struct problem *problem);
/* Appends the field's value; `name` has its kind. */
void api_fence_write(struct slice name, uint64_t token, struct writer *out);

#endif
