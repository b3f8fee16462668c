#include "base/crc32c.h"

#include <isa-l/crc.h>

#include "base/assert.h"

#define STEP_SIZE_MAX (UINT32_C(1) << 30) /* crc32_iscsi takes an int */

/*
 * crc32_iscsi is the bare register: RFC 3720 starts it with all ones and inverts the result.
 * Undoing the inversion first is what makes calls chain.
 */
uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
    ASSERT(data != NULL || size == 0);
    /* It only reads; its prototype forgot the const. */
    unsigned char *next = (unsigned char *)(uintptr_t)data;
    uint32_t remainder = ~crc;
    while (size > 0) {
        size_t step = size < STEP_SIZE_MAX ? size : STEP_SIZE_MAX;
        remainder = crc32_iscsi(next, (int)step, remainder);
        next += step;
        size -= step;
    }
    return ~remainder;
}
