/* Text that comes from peers and disks and ends up in addresses and log lines. */
#ifndef PROTO_TEXT_H
#define PROTO_TEXT_H

#include "base/buf.h"

/* Whether `text` is printable ASCII and no more: nothing in it can end a line or a C string. */
bool text_is_plain(struct slice text);

#endif
