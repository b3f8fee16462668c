/*
 * Prefer (RFC 7240): what a client would like, and can do without. Parsed once, when a request
 * comes (x->prefer); what was done of it stands in Preference-Applied.
 */
#ifndef API_PREFER_H
#define API_PREFER_H

#include <stdint.h>

#include "base/buf.h"

#define PREFER_WAIT_MS_MAX 600000u /* a longer wait is cut to this */

enum prefer_return {
    PREFER_RETURN_DEFAULT,
    PREFER_RETURN_MINIMAL,
    PREFER_RETURN_REPRESENTATION,
};

/* All zero: nothing is preferred. */
struct prefer {
    enum prefer_return result;
    bool timing; /* ours: Server-Timing */
    bool has_wait;
    uint32_t wait_ms;
};

/*
 * Fills `prefer`, which is all zero, from the value of the field. What is not known, or makes no
 * sense, is passed over, as the RFC asks; of one that comes twice the first counts.
 */
void api_prefer_parse(struct slice text, struct prefer *prefer);
/* "return=minimal", "return=representation", for Preference-Applied; not of DEFAULT. Static. */
const char *api_prefer_return_text(enum prefer_return result);

#endif
