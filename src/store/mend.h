/*
 * A damaged record gets the place of another member's whole one. It is a user's: of a damaged one
 * of the system's, the store as a whole is not to be trusted (scrub.h).
 *
 * D1  Nothing that counts changes: revision, counters and state hash have always been those of the
 *     whole record. It goes into the tail, and from there into a checkpoint, soon.
 * D2  It is taken only if it must be what was here. Its giver had applied at least what the
 *     checkpoint here has: any change after that would stand in the tail here, and then the damage
 *     is nobody's concern. And its revision is not above this store's: so nothing that the giver
 *     has applied and this store has not has changed it. Where the head is whole here, it must also
 *     be the same head, with the same checksum of the value.
 * D3  Whether the giver may be believed at all is its own concern: it verifies what it gives, and
 *     gives nothing once its state was found to differ (node).
 */
#ifndef STORE_MEND_H
#define STORE_MEND_H

#include "store/store.h"

/* Appends the record of `key` as a checkpoint has it, verified. ERR_NOT_FOUND, ERR_CORRUPT. */
MUST_USE err store_mend_read(struct store *store, struct slice key, struct writer *out);

/*
 * Takes another member's record of `key`, in the encoding of store_mend_read; empty: it has none.
 * `applied` is the index that it had applied then.
 *
 * OK: the key is not damaged (any more). ERR_UNAVAILABLE: by this it cannot be told what was here
 * (D2); ask again later, or somebody else. ERR_MALFORMED: it is damaged itself. ERR_CONFLICT: it is
 * whole, and not what must have been here.
 */
MUST_USE err store_mend_write(struct store *store, region_id region, struct slice key,
                              uint64_t applied, struct slice bytes);

/*
 * `key` was not found, and may be hidden by damage: what another member has, as above.
 *
 * OK: there is none, or it is found (by now). ERR_UNAVAILABLE, ERR_MALFORMED: as above.
 * ERR_CONFLICT: there must be this one here.
 */
MUST_USE err store_mend_confirm(struct store *store, region_id region, struct slice key,
                                uint64_t applied, struct slice bytes);

#endif
