/* A region's state as it stands in LMDB, byte by byte in README.md. */
#ifndef STORE_REGION_H
#define STORE_REGION_H

#include "store/store.h"

/* Appends the encoding of all but `checkpoint`. */
void store_region_encode(const struct store_region *region, struct writer *out);

/*
 * Fills `out_region`, with `checkpoint` where `applied` is. ERR_CORRUPT (the checksum, or `id` is
 * not what the state says), ERR_VERSION, ERR_MALFORMED (it is whole and makes no sense).
 */
MUST_USE err store_region_decode(struct slice state, region_id id, struct store_region *out_region);

#endif
