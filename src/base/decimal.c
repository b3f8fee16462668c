#include "base/decimal.h"

#include "base/assert.h"

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

size_t decimal_write(char *target, uint64_t value)
{
    char digits[DECIMAL_SIZE_MAX];
    size_t begin = sizeof(digits);
    while (value >= 100) {
        begin -= 2;
        decimal_write_pair(digits + begin, (unsigned)(value % 100));
        value /= 100;
    }
    ASSERT(begin >= 2);
    begin -= 2;
    decimal_write_pair(digits + begin, (unsigned)value);
    begin += value < 10 ? 1 : 0; /* no zero in front */
    memcpy(target, digits + begin, sizeof(digits) - begin);
    return sizeof(digits) - begin;
}
