/*
 * Payload bytes. A `slice` is a borrowed view and never owns. A `buf` is a reference-counted block
 * that is immutable once published (handed to anyone else): a value travels from socket to entry to
 * log to peers to tail without a copy.
 *
 * B1  The count is a plain integer: only the loop thread touches it. A job on a worker thread may
 *     read the bytes while somebody on the loop holds a reference for it.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *data;
    size_t size;
};

#define SLICE_EMPTY ((struct slice){NULL, 0})
#define SLICE_LITERAL(text) ((struct slice)SLICE_INIT(text))
/* The same as an initializer, for static storage. */
#define SLICE_INIT(text)                                                                           \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

/* The view of a NUL-terminated text, without its NUL. Of a literal it costs nothing. */
static inline struct slice slice_from_text(const char *text)
{
    return (struct slice){(const uint8_t *)text, strlen(text)};
}
bool slice_equal(struct slice a, struct slice b);
/* The same, but upper and lower case of ASCII are the same. */
bool slice_equal_nocase(struct slice a, struct slice b);
/* Byte order, a prefix before what it is a prefix of: <0, 0, >0. */
int slice_compare(struct slice a, struct slice b);

struct buf {
    uint32_t ref_count;
    size_t size;
    uint8_t data[];
};

/* A new block of `size` uninitialised bytes with one reference. Caller unrefs. */
struct buf *buf_new(size_t size);

/* A new block with a copy of `bytes`. */
struct buf *buf_copy(struct slice bytes);

/* Takes one more reference and returns `buf`; accepts NULL. */
struct buf *buf_ref(struct buf *buf);

/* Gives one reference back and frees the block with the last; accepts NULL. */
void buf_unref(struct buf *buf);

/* Gives back *buf and sets it to NULL. */
void buf_drop(struct buf **buf);

/* The whole block as a view; SLICE_EMPTY for NULL. */
struct slice buf_slice(const struct buf *buf);

#endif
