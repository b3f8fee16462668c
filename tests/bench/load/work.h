/*
 * What is asked for: which operation comes next, of which key, and what the values are.
 *
 * A value begins with the text of its key, and goes on with bytes that depend on nothing but their
 * place. So each answer can be compared with what must stand there, whoever wrote it.
 */
#ifndef LOAD_WORK_H
#define LOAD_WORK_H

#include "base/codec.h"
#include "base/prng.h"

#define WORK_KEY_SIZE 12u /* "key-" and eight digits; a multiple of 3, for base64 */
#define WORK_KEYS_MAX 99999999u
#define WORK_VALUE_SIZE_MAX (8u << 20)

enum operation {
    OPERATION_FILL, /* puts each key once, in their order */
    OPERATION_PUT,
    OPERATION_GET,
    OPERATION_MIXED, /* 90 % get, 10 % put */
};

struct work {
    enum operation operation;
    uint64_t key_count;
    uint64_t count_max; /* requests in all; 0: no bound */
    uint64_t count;     /* handed out so far */
    struct prng prng;
    struct writer filler;        /* a value behind its key */
    struct writer filler_base64; /* the same, encoded */
};

/* One request of a connection that is on its way. */
struct request {
    bool is_put;
    bool is_new; /* a put of a key that is not there yet */
    uint64_t key;
    uint64_t sent_ns;
};

/* Begins `operation` over `key_count` keys and values of `value_size` bytes, at least
 * WORK_KEY_SIZE. What is random is the same for the same `seed`. */
void work_init(struct work *work, enum operation operation, uint64_t key_count, size_t value_size,
               uint64_t seed);

/* Frees what init allocated. */
void work_deinit(struct work *work);

/* The next request, all but its sent_ns; false: there are no more. */
bool work_next(struct work *work, struct request *out_request);

/* Bytes of a value. */
size_t work_value_size(const struct work *work);

/* Append the key, the key's value, and both in base64. */
void work_write_key(uint64_t key, struct writer *out);
void work_write_value(const struct work *work, uint64_t key, struct writer *out);
void work_write_key_base64(uint64_t key, struct writer *out);
void work_write_value_base64(const struct work *work, uint64_t key, struct writer *out);

/* Whether `bytes` are the value of `key`; or its base64. */
bool work_is_value(const struct work *work, uint64_t key, struct slice bytes);
bool work_is_value_base64(const struct work *work, uint64_t key, struct slice bytes);

#endif
