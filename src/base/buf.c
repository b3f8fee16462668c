#include "base/buf.h"

#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mem.h"

/* memcmp and memcpy may not be given NULL, not even for no bytes: an empty slice often is NULL. */
static int compare_bytes(const uint8_t *a, const uint8_t *b, size_t size)
{
    return size > 0 ? memcmp(a, b, size) : 0;
}

bool slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && compare_bytes(a.data, b.data, a.size) == 0;
}

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

/* Its eight bytes, each as lower() has it. Bit 7 of a byte of `is_capital` says whether it is one:
 * from 'A' on, not beyond 'Z', and ASCII. */
static uint64_t lower_word(uint64_t word)
{
    const uint64_t ones = UINT64_MAX / 255;
    uint64_t low = word & ones * 0x7f;
    uint64_t is_capital = (low + ones * (0x80 - 'A')) & ~(low + ones * (0x7f - 'Z')) & ~word;
    return word | (is_capital & ones * 0x80) >> 2;
}

bool slice_equal_nocase(struct slice a, struct slice b)
{
    if (a.size != b.size) {
        return false;
    }
    const size_t step = sizeof(uint64_t);
    if (a.size >= step) { /* the last step ends where they do, and may look at bytes again */
        for (size_t i = 0; i + step < a.size; i += step) {
            if (lower_word(load_u64(a.data + i)) != lower_word(load_u64(b.data + i))) {
                return false;
            }
        }
        return lower_word(load_u64(a.data + a.size - step)) ==
               lower_word(load_u64(b.data + b.size - step));
    }
    for (size_t i = 0; i < a.size; i++) {
        if (a.data[i] != b.data[i] && lower(a.data[i]) != lower(b.data[i])) {
            return false;
        }
    }
    return true;
}

int slice_compare(struct slice a, struct slice b)
{
    int order = compare_bytes(a.data, b.data, a.size < b.size ? a.size : b.size);
    if (order != 0) {
        return order;
    }
    return (a.size > b.size) - (a.size < b.size);
}

struct buf *buf_new(size_t size)
{
    ASSERT(size <= SIZE_MAX - sizeof(struct buf));
    struct buf *buf = mem_alloc(sizeof(*buf) + size);
    buf->ref_count = 1;
    buf->size = size;
    return buf;
}

struct buf *buf_copy(struct slice bytes)
{
    struct buf *buf = buf_new(bytes.size);
    if (bytes.size > 0) {
        memcpy(buf->data, bytes.data, bytes.size);
    }
    return buf;
}

struct buf *buf_ref(struct buf *buf)
{
    if (buf != NULL) {
        ASSERT(buf->ref_count > 0);
        ASSERT(buf->ref_count < UINT32_MAX);
        buf->ref_count++;
    }
    return buf;
}

void buf_unref(struct buf *buf)
{
    if (buf == NULL) {
        return;
    }
    ASSERT(buf->ref_count > 0);
    buf->ref_count--;
    if (buf->ref_count == 0) {
        mem_free(buf);
    }
}

void buf_drop(struct buf **buf)
{
    buf_unref(*buf);
    *buf = NULL;
}

struct slice buf_slice(const struct buf *buf)
{
    return buf != NULL ? (struct slice){buf->data, buf->size} : SLICE_EMPTY;
}
