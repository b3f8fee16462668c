/*
 * Browser safety (docs/api.md, section 0). The README's POST is a request that any web page may
 * send to localhost, so what only a browser sends is looked at:
 *
 * G1  An unsafe method from another site (Sec-Fetch-Site: cross-site, or an Origin that is not this
 *     server, "null" included) is refused; so is one of the same site that has no Origin: another
 *     port of localhost is the same site.
 * G2  A server on loopback answers only to names of loopback: a page whose own name was made to
 *     point at 127.0.0.1 (DNS rebinding) would pass G1.
 *
 * Programs send none of these headers, and an honest Host: they notice nothing.
 */
#ifndef API_GUARD_H
#define API_GUARD_H

#include "api/problem.h"

#define GUARD_NAME_SIZE_MAX 64u

/* The last Host that G2 let pass: a client says the same one each time. All zero: none yet. */
struct guard_memory {
    size_t size;
    uint8_t name[GUARD_NAME_SIZE_MAX];
};

struct guard {
    struct guard_memory *memory;
    bool is_loopback;       /* the listener is bound to loopback */
    bool is_unsafe;         /* the method may change something */
    struct slice authority; /* the Host header; may be empty */
    struct slice origin;    /* headers; empty: not sent */
    struct slice fetch_site;
};

/* OK, or ERR_FORBIDDEN, set in `problem`. */
MUST_USE err api_guard_check(const struct guard *guard, struct problem *problem);

/* "localhost", an address of 127.0.0.0/8 or "[::1]", with any port or none. */
bool api_guard_is_loopback_name(struct slice authority);

#endif
