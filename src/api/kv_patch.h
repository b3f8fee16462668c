/* PATCH of a key: application/merge-patch+json (RFC 7396). */
#ifndef API_KV_PATCH_H
#define API_KV_PATCH_H

#include "api/exchange.h"

/* What a PATCH says of itself, looked at before its body comes: ERR_UNSUPPORTED_TYPE, set in
 * `problem`, with Accept-Patch among the answer's fields. */
MUST_USE err api_kv_patch_check(struct exchange *x, struct problem *problem);
/* Reads, merges, writes if nothing came between, and answers. */
void api_kv_patch(struct exchange *x);

#endif
