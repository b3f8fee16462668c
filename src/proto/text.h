/* Text that comes from peers and disks and ends up in addresses and log lines. */
#ifndef PROTO_TEXT_H
#define PROTO_TEXT_H

#include "base/buf.h"
#include "base/codec.h"

/* Whether `text` is printable ASCII and no more: nothing in it can end a line or a C string. */
bool text_is_plain(struct slice text);

/*
 * Appends the bytes as they stand in a URL's path: letters, digits, '-', '.', '_', '~' and '/' as
 * they are, every other byte as '%' and two hexadecimal digits. Plain, without spaces.
 */
void text_escape(struct slice bytes, struct writer *out);

#endif
