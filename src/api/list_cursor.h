/*
 * The cursor of a page: where the next one begins, and at which revision all of them are read. To
 * clients it is opaque: base64 as URLs have it, of
 *
 *     u8 1, u8 1 if it goes backwards, u64 revision, u64 hash of the list, the place, u32 CRC32C
 *
 * The CRC begins with the cluster's id: another cluster's cursor is as wrong as a damaged one.
 */
#ifndef API_LIST_CURSOR_H
#define API_LIST_CURSOR_H

#include "base/codec.h"
#include "store/scan.h"

struct list_cursor {
    bool is_reverse;
    uint64_t revision;
    uint64_t list_hash; /* of what makes it this list: a cursor fits no other */
    struct slice place; /* what is left begins there, or if it is reverse ends before it */
};

/* Appends the text. */
void api_list_cursor_write(const struct list_cursor *cursor, uint64_t cluster_id,
                           struct writer *out);
/* Takes a text apart; the place is in `scratch`, which is emptied. ERR_BAD_REQUEST. */
MUST_USE err api_list_cursor_read(struct slice text, uint64_t cluster_id, struct writer *scratch,
                                  struct list_cursor *out_cursor);

#endif
