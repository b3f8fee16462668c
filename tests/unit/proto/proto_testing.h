/* What the codecs' tests share: cmocka with its prerequisites, and bytes that ASan can watch. */
#ifndef PROTO_TESTING_H
#define PROTO_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/codec.h"
#include "base/mem.h"

typedef err decode_fn(struct slice bytes);

/* Decodes a copy that ends where its block ends, so that ASan sees a read past it. */
static inline err decode_copy(struct slice bytes, decode_fn *decode)
{
    uint8_t *block = mem_alloc(bytes.size);
    if (bytes.size > 0) {
        memcpy(block, bytes.data, bytes.size);
    }
    err e = decode((struct slice){block, bytes.size});
    mem_free(block);
    return e;
}

/* Every proper prefix of a valid encoding is refused. */
static inline void assert_prefixes_are_refused(struct slice bytes, decode_fn *decode)
{
    assert_int_equal(decode_copy(bytes, decode), OK);
    for (size_t size = 0; size < bytes.size; size++) {
        assert_int_not_equal(decode_copy((struct slice){bytes.data, size}, decode), OK);
    }
}

#endif
