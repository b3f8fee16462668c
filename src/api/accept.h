/*
 * What a client would rather have: Accept, and other fields of its form, against what there is
 * (RFC 9110, section 12.5). Reads the field where it stands and keeps nothing.
 *
 *     static const char *const offers[] = {"application/json", "text/plain"};
 *     size_t chosen = api_accept_choose(http_header(request, "accept"), offers, 2);
 *
 * Parameters other than q are passed over ("application/json;charset=utf-8" is application/json).
 * Of an entry that is malformed nothing is taken.
 */
#ifndef API_ACCEPT_H
#define API_ACCEPT_H

#include "base/buf.h"

#define ACCEPT_QUALITY_MAX 1000u

/*
 * How much `field` likes `offer` ("text/html", or a coding such as "gzip"), in thousandths; 0: not
 * at all, or not named. The narrowest entry that covers it counts: the name itself, then "text/"
 * and an asterisk, then the asterisk for all.
 */
unsigned api_accept_quality(struct slice field, const char *offer);

/* Whether `field` says that `offer` will not do: what covers it most narrowly has a q of 0. */
bool api_accept_refuses(struct slice field, const char *offer);

/*
 * The index of the best of `offers`, which stand in the server's own order: the first one if the
 * field is empty. Of equals the one that is named more narrowly, then the earlier one. `count`:
 * none is acceptable.
 */
size_t api_accept_choose(struct slice field, const char *const *offers, size_t count);

#endif
