/*
 * The value that a write brings: its body, decoded (Content-Encoding), if it is what the client
 * says that it sent (Repr-Digest, Content-Digest). What is stored is the value, never its coding.
 */
#ifndef API_KV_BODY_H
#define API_KV_BODY_H

#include "api/exchange.h"

/* What the header alone decides, before the body comes. ERR_UNSUPPORTED_ENCODING, ERR_BAD_REQUEST,
 * set in `problem`. */
MUST_USE err api_kv_body_prepare(struct exchange *x, struct problem *problem);

struct kv_body {
    struct slice value;    /* to be stored: in the request's body, or in what was decoded */
    struct writer decoded; /* empty: it came as it is */
};

/*
 * Fills `out_body` from the complete request; it borrows the body. Caller deinits. False: the
 * request was answered, as it is damaged (400), too large once decoded (413), or not what its
 * digest says (422), and there is nothing to deinit.
 */
bool api_kv_body_take(struct exchange *x, struct kv_body *out_body);
/* Gives back what was decoded. */
static inline void api_kv_body_deinit(struct kv_body *body)
{
    if (UNLIKELY(body->decoded.data != NULL)) {
        writer_deinit(&body->decoded);
    }
}

#endif
