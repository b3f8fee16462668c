#include "base/codec.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

#define CAPACITY_MIN 64u

void writer_deinit(struct writer *writer)
{
    mem_free(writer->data);
    *writer = (struct writer){0};
}

void writer_reset(struct writer *writer)
{
    writer->size = 0;
}

/* Doubles, so that appending n bytes one by one costs O(n). */
static void reserve(struct writer *writer, size_t size)
{
    ASSERT(size <= SIZE_MAX / 2 - writer->size);
    size_t needed = writer->size + size;
    if (needed <= writer->capacity && writer->data != NULL) {
        return;
    }
    size_t capacity = writer->capacity > CAPACITY_MIN ? writer->capacity : CAPACITY_MIN;
    while (capacity < needed) {
        capacity *= 2;
    }
    writer->data = mem_realloc(writer->data, capacity, 1);
    writer->capacity = capacity;
}

uint8_t *writer_extend(struct writer *writer, size_t size)
{
    reserve(writer, size);
    uint8_t *begin = writer->data + writer->size;
    writer->size += size;
    return begin;
}

void writer_u8(struct writer *writer, uint8_t value)
{
    *writer_extend(writer, 1) = value;
}

void writer_u16(struct writer *writer, uint16_t value)
{
    store_u16(writer_extend(writer, 2), value);
}

void writer_u32(struct writer *writer, uint32_t value)
{
    store_u32(writer_extend(writer, 4), value);
}

void writer_u64(struct writer *writer, uint64_t value)
{
    store_u64(writer_extend(writer, 8), value);
}

void writer_bytes(struct writer *writer, struct slice bytes)
{
    uint8_t *target = writer_extend(writer, bytes.size);
    if (bytes.size > 0) {
        memcpy(target, bytes.data, bytes.size);
    }
}

void writer_sized(struct writer *writer, struct slice bytes)
{
    ASSERT(bytes.size <= UINT32_MAX);
    writer_u32(writer, (uint32_t)bytes.size);
    writer_bytes(writer, bytes);
}

void writer_format(struct writer *writer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(size >= 0);
    reserve(writer, (size_t)size + 1); /* vsnprintf writes a NUL, which is not counted */
    int written = vsnprintf((char *)writer->data + writer->size, (size_t)size + 1, format, again);
    va_end(again);
    ASSERT(written == size);
    writer->size += (size_t)size;
}

struct slice writer_slice(const struct writer *writer)
{
    return (struct slice){writer->data, writer->size};
}

struct buf *writer_to_buf(const struct writer *writer)
{
    return buf_copy(writer_slice(writer));
}

struct reader reader_of(struct slice bytes)
{
    return (struct reader){.data = bytes.data, .size = bytes.size, .failed = false};
}

/* The next `size` bytes, or NULL and C1. */
static const uint8_t *take(struct reader *reader, size_t size)
{
    if (reader->failed || size > reader->size) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *begin = reader->data;
    if (size > 0) { /* an empty view may be NULL, to which nothing may be added */
        reader->data += size;
        reader->size -= size;
    }
    return begin;
}

uint8_t reader_u8(struct reader *reader)
{
    const uint8_t *source = take(reader, 1);
    return source != NULL ? source[0] : 0;
}

uint16_t reader_u16(struct reader *reader)
{
    const uint8_t *source = take(reader, 2);
    return source != NULL ? load_u16(source) : 0;
}

uint32_t reader_u32(struct reader *reader)
{
    const uint8_t *source = take(reader, 4);
    return source != NULL ? load_u32(source) : 0;
}

uint64_t reader_u64(struct reader *reader)
{
    const uint8_t *source = take(reader, 8);
    return source != NULL ? load_u64(source) : 0;
}

struct slice reader_bytes(struct reader *reader, size_t size)
{
    const uint8_t *source = take(reader, size);
    return source != NULL ? (struct slice){source, size} : SLICE_EMPTY;
}

struct slice reader_sized(struct reader *reader, size_t size_max)
{
    size_t size = reader_u32(reader);
    if (size > size_max) {
        reader->failed = true;
    }
    return reader_bytes(reader, size);
}

bool reader_ok(const struct reader *reader)
{
    return !reader->failed;
}

err reader_finish(const struct reader *reader)
{
    return !reader->failed && reader->size == 0 ? OK : ERR_MALFORMED;
}
