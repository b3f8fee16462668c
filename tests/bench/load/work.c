#include "work.h"

#include <string.h>

#include "api/text.h"
#include "base/assert.h"

#define GETS_OF_TEN 9u

/* What values are filled with; the same in etcd/main.go. */
static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

static void key_text(uint64_t key, uint8_t text[WORK_KEY_SIZE])
{
    static const uint8_t head[4] = {'k', 'e', 'y', '-'};
    memcpy(text, head, sizeof(head));
    for (size_t i = WORK_KEY_SIZE; i > sizeof(head); i--) {
        text[i - 1] = (uint8_t)('0' + key % 10);
        key /= 10;
    }
}

void work_init(struct work *work, enum operation operation, uint64_t key_count, size_t value_size,
               uint64_t seed)
{
    ASSERT(key_count > 0);
    ASSERT(key_count <= WORK_KEYS_MAX);
    ASSERT(value_size >= WORK_KEY_SIZE);
    *work = (struct work){.operation = operation, .key_count = key_count};
    work->count_max = operation == OPERATION_FILL ? key_count : 0;
    size_t filler_size = value_size - WORK_KEY_SIZE;
    uint8_t *filler = writer_extend(&work->filler, filler_size);
    for (size_t i = 0; i < filler_size; i++) {
        filler[i] = (uint8_t)letters[i * 37 % (sizeof(letters) - 1)];
    }
    api_text_base64(&work->filler_base64, writer_slice(&work->filler));
    prng_init(&work->prng, seed);
}

void work_deinit(struct work *work)
{
    writer_deinit(&work->filler);
    writer_deinit(&work->filler_base64);
}

bool work_next(struct work *work, struct request *out_request)
{
    if (work->count_max > 0 && work->count == work->count_max) {
        return false;
    }
    struct request request = {.is_put = true};
    switch (work->operation) {
    case OPERATION_FILL:
        request.is_new = true;
        request.key = work->count;
        break;
    case OPERATION_PUT:
        break;
    case OPERATION_GET:
        request.is_put = false;
        break;
    case OPERATION_MIXED:
        request.is_put = prng_below(&work->prng, 10) >= GETS_OF_TEN;
        break;
    }
    if (!request.is_new) {
        request.key = prng_below(&work->prng, work->key_count);
    }
    work->count++;
    *out_request = request;
    return true;
}

size_t work_value_size(const struct work *work)
{
    return WORK_KEY_SIZE + work->filler.size;
}

void work_write_key(uint64_t key, struct writer *out)
{
    key_text(key, writer_extend(out, WORK_KEY_SIZE));
}

void work_write_value(const struct work *work, uint64_t key, struct writer *out)
{
    work_write_key(key, out);
    writer_bytes(out, writer_slice(&work->filler));
}

void work_write_key_base64(uint64_t key, struct writer *out)
{
    uint8_t text[WORK_KEY_SIZE];
    key_text(key, text);
    api_text_base64(out, (struct slice){text, WORK_KEY_SIZE});
}

void work_write_value_base64(const struct work *work, uint64_t key, struct writer *out)
{
    work_write_key_base64(key, out);
    writer_bytes(out, writer_slice(&work->filler_base64));
}

/* Whether `bytes` are `head` and then what `rest` holds. */
static bool is_joined(struct slice bytes, struct slice head, const struct writer *rest)
{
    if (bytes.size != head.size + rest->size || memcmp(bytes.data, head.data, head.size) != 0) {
        return false;
    }
    struct slice tail = {bytes.data + head.size, rest->size};
    return slice_equal(tail, writer_slice(rest));
}

bool work_is_value(const struct work *work, uint64_t key, struct slice bytes)
{
    uint8_t text[WORK_KEY_SIZE];
    key_text(key, text);
    return is_joined(bytes, (struct slice){text, WORK_KEY_SIZE}, &work->filler);
}

bool work_is_value_base64(const struct work *work, uint64_t key, struct slice bytes)
{
    struct writer head = {0};
    work_write_key_base64(key, &head);
    bool is_value = is_joined(bytes, writer_slice(&head), &work->filler_base64);
    writer_deinit(&head);
    return is_value;
}
