/*
 * Long polls: a read of a key that is still as the client knows it is held until it is not, or
 * until the client's patience ends (docs/api.md, section 5).
 *
 *     api_kv_read ──as it is known──> WAITS ──a change, the end, a drain──> api_kv_read again
 *          └──otherwise──> answered     └──the client has gone──> nobody is answered
 *
 * L1  Every answer was read as the request asks, after the change was seen here.
 * L2  The watch is opened in the turn in which the state was read: no change falls between.
 */
#ifndef API_KV_WAIT_H
#define API_KV_WAIT_H

#include "api/exchange.h"

#define KV_WAIT_MS_DEFAULT 300000u /* of ?index without ?wait */

struct kv_wait;

/*
 * Sets x->wait if x, a read whose parameters are parsed, asks to wait: ?index, ?wait with it or
 * with If-None-Match, or Prefer: wait with that. ERR_BAD_REQUEST (what it waits for is not said),
 * set in `problem`.
 */
MUST_USE err api_kv_wait_prepare(struct exchange *x, struct problem *problem);
/*
 * Of x, which has x->wait, `e` and `record` were read just now. True: x is held, or was refused,
 * and the record is not needed. False: it is to be answered with them, and waits no more.
 */
bool api_kv_wait_holds(struct exchange *x, err e, const struct store_record *record);

#endif
