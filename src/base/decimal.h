/* Numbers in decimal, eight digits a step: what printf does, for where every answer needs some. */
#ifndef BASE_DECIMAL_H
#define BASE_DECIMAL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DECIMAL_SIZE_MAX 20u /* the digits of UINT64_MAX */

/* "00", "01" and so on to "99", one after the other. */
extern const char decimal_pairs[201];

/* Writes `value`, below 100, as two digits, without a NUL. */
static inline void decimal_write_pair(char *target, unsigned value)
{
    memcpy(target, decimal_pairs + (size_t)value * 2, 2);
}

/* Writes `value` without a NUL; returns the size. `target` has room for DECIMAL_SIZE_MAX whatever
 * the number is: what is behind it may be written, too. */
size_t decimal_write(char *target, uint64_t value);

#endif
