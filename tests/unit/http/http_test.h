/* What every test of this layer includes, in the order that cmocka wants. */
#ifndef HTTP_TEST_H
#define HTTP_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"

/* A slice as an initializer of static storage. */
#define BYTES(text)                                                                                \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

#define assert_slice(slice_, text_)                                                                \
    do {                                                                                           \
        struct slice slice_seen = (slice_);                                                        \
        assert_int_equal(slice_seen.size, strlen(text_));                                          \
        assert_memory_equal(slice_seen.size > 0 ? (const void *)slice_seen.data : "", text_,       \
                            slice_seen.size);                                                      \
    } while (0)

#endif
