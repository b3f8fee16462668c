/* How what a list has is written: as JSON, for a page or a line, or as a line of text. */
#ifndef API_LIST_FORMAT_H
#define API_LIST_FORMAT_H

#include "base/codec.h"
#include "store/store.h"

/*
 * Appends a key with what is known of its record, as an object: its value with it, unless that is
 * left out.
 */
void api_list_put_key(struct writer *out, struct slice key, const struct store_record *record,
                      bool has_value);
/* Appends what stands for all keys that begin so, as an object. */
void api_list_put_prefix(struct writer *out, struct slice prefix);
/* Appends a key or a prefix as a line of its own: as it stands in a URL. */
void api_list_put_line(struct writer *out, struct slice key);

#endif
