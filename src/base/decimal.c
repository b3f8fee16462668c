#include "base/decimal.h"

#include "base/codec.h"
#include "base/compiler.h"

const char decimal_pairs[] = "00010203040506070809"
                             "10111213141516171819"
                             "20212223242526272829"
                             "30313233343536373839"
                             "40414243444546474849"
                             "50515253545556575859"
                             "60616263646566676869"
                             "70717273747576777879"
                             "80818283848586878889"
                             "90919293949596979899";
_Static_assert(sizeof(decimal_pairs) == 201, "a pair for each number below 100");

#define EIGHT_DIGITS UINT64_C(100000000)
#define ZEROS (UINT64_MAX / 255 * '0')

/*
 * The eight digits of `value`, below 10^8, one in each byte, the first in the lowest: numbers are
 * split in halves that lie side by side in one word, and all the halves at once (Paul Khuong, "How
 * to print integers really fast", 2017). A division by 100 or 10 is a multiplication and a shift,
 * exact for what can come.
 */
static inline uint64_t digits_of(uint64_t value)
{
    uint64_t fours = value / 10000 | value % 10000 << 32;
    uint64_t firsts = (fours * 10486 >> 20) & UINT64_C(0x0000007f0000007f);
    uint64_t pairs = firsts | (fours - firsts * 100) << 16;
    uint64_t tens = (pairs * 103 >> 10) & UINT64_C(0x000f000f000f000f);
    return tens | (pairs - tens * 10) << 8;
}

/* Below 10^8, without a zero in front. */
static inline size_t write_few(char *target, uint64_t value)
{
    if (value < 10) { /* what a version, a size or a status often is */
        *target = (char)('0' + value);
        return 1;
    }
    uint64_t digits = digits_of(value);
    unsigned skipped = (unsigned)__builtin_ctzll(digits) / 8;
    store_u64((uint8_t *)target, (digits | ZEROS) >> skipped * 8);
    return 8 - skipped;
}

/* All eight, with the zeros in front. */
static inline void write_eight(char *target, uint64_t value)
{
    store_u64((uint8_t *)target, digits_of(value) | ZEROS);
}

size_t decimal_write(char *target, uint64_t value)
{
    if (LIKELY(value < EIGHT_DIGITS)) {
        return write_few(target, value);
    }
    uint64_t above = value / EIGHT_DIGITS;
    size_t size;
    if (above < EIGHT_DIGITS) {
        size = write_few(target, above);
    } else {
        size = write_few(target, above / EIGHT_DIGITS);
        write_eight(target + size, above % EIGHT_DIGITS);
        size += 8;
    }
    write_eight(target + size, value % EIGHT_DIGITS);
    return size + 8;
}
