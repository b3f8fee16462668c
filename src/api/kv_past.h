/*
 * Reads of one key as it was at a revision: GET /kv/KEY?at=42 (docs/api.md, section 1). They reach
 * as far back as this node's history does.
 */
#ifndef API_KV_PAST_H
#define API_KV_PAST_H

#include "api/exchange.h"

/* Reads x->key at x->params.at: answers x, now or later. */
void api_kv_read_past(struct exchange *x);
/* What to tell a person who asked for a revision that cannot be read: ERR_GONE (with `oldest` in
 * the problem), ERR_BAD_REQUEST (there is none like that yet). */
const char *api_kv_explain_past(err e);

#endif
