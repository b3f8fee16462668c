/* CRC-32C (Castagnoli), as in RFC 3720 appendix B.4: the checksum of every format of ours. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/*
 * The CRC of `size` bytes at `data`, continued from `crc` (0 to begin). crc32c(crc32c(0,a),b)
 * equals the crc of a followed by b; crc32c(0, "123456789", 9) is 0xe3069283.
 */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);

#endif
