/*
 * Little-endian encoding and decoding of integers and byte strings: what every format of ours is
 * made of. The writer appends to a growing block; the reader walks a borrowed view and never goes
 * past it.
 *
 * C1  A reader that has failed stays failed: each further read gives 0 or an empty slice, so that a
 *     decoder checks once, at its end (reader_finish or reader_ok).
 */
#ifndef BASE_CODEC_H
#define BASE_CODEC_H

#include <endian.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"

static inline void store_u16(uint8_t *target, uint16_t value)
{
    value = htole16(value);
    memcpy(target, &value, sizeof(value));
}

static inline void store_u32(uint8_t *target, uint32_t value)
{
    value = htole32(value);
    memcpy(target, &value, sizeof(value));
}

static inline void store_u64(uint8_t *target, uint64_t value)
{
    value = htole64(value);
    memcpy(target, &value, sizeof(value));
}

static inline uint16_t load_u16(const uint8_t *source)
{
    uint16_t value;
    memcpy(&value, source, sizeof(value));
    return le16toh(value);
}

static inline uint32_t load_u32(const uint8_t *source)
{
    uint32_t value;
    memcpy(&value, source, sizeof(value));
    return le32toh(value);
}

static inline uint64_t load_u64(const uint8_t *source)
{
    uint64_t value;
    memcpy(&value, source, sizeof(value));
    return le64toh(value);
}

/* A growing block of bytes; all zero is an empty one. */
struct writer {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

/* Frees the memory and leaves an empty writer. */
void writer_deinit(struct writer *writer);
/* Empties the writer and keeps its memory. */
void writer_reset(struct writer *writer);
/* Makes room for `size` more bytes, counts them as written and returns where they begin: the caller
 * fills them before the next call, which may move the block. */
uint8_t *writer_extend(struct writer *writer, size_t size);
/* Append one integer. */
void writer_u8(struct writer *writer, uint8_t value);
void writer_u16(struct writer *writer, uint16_t value);
void writer_u32(struct writer *writer, uint32_t value);
void writer_u64(struct writer *writer, uint64_t value);
/* Appends a copy of the bytes, and nothing else. */
void writer_bytes(struct writer *writer, struct slice bytes);
/* A u32 with the size, then the bytes. */
void writer_sized(struct writer *writer, struct slice bytes);
/* Appends the text that printf would print, without a NUL. */
void writer_format(struct writer *writer, const char *format, ...) PRINTF_LIKE(2, 3);
/* All that was written, borrowed until the next call that writes. */
struct slice writer_slice(const struct writer *writer);
/* A buf with a copy of what was written. Caller unrefs. */
struct buf *writer_to_buf(const struct writer *writer);

struct reader {
    const uint8_t *data;
    size_t size; /* what is left */
    bool failed;
};

/* A reader at the beginning of `bytes`, which it borrows. */
struct reader reader_of(struct slice bytes);
/* The next byte. */
uint8_t reader_u8(struct reader *reader);
/* The next two bytes, as everything here in little-endian order. */
uint16_t reader_u16(struct reader *reader);
/* The next four bytes. */
uint32_t reader_u32(struct reader *reader);
/* The next eight bytes. */
uint64_t reader_u64(struct reader *reader);
/* The next `size` bytes, borrowed from the reader's view. */
struct slice reader_bytes(struct reader *reader, size_t size);
/* A u32 size, which may not be above `size_max`, then that many bytes. */
struct slice reader_sized(struct reader *reader, size_t size_max);
/* Whether everything so far could be read. */
bool reader_ok(const struct reader *reader);
/* OK if nothing failed and nothing is left over; otherwise ERR_MALFORMED. */
MUST_USE err reader_finish(const struct reader *reader);

#endif
