#include "main/bench_work.h"

#include "api/text.h"
#include "base/assert.h"
#include "base/prng.h"
#include "proto/text.h"

#define HEAD_SIZE 16u        /* the mark and the number */
#define CHANCE_OFFSETS 4096u /* where a value's rest may begin */
#define KEY_DIGITS 10u
#define GOLDEN UINT64_C(0x9e3779b97f4a7c15) /* odd: no two products of it are the same */

void main_bench_work_init(struct bench_work *work, const char *prefix, uint64_t run,
                          size_t value_size)
{
    char digits[TEXT_HEX64_SIZE];
    struct prng prng;
    ASSERT(strlen(prefix) <= BENCH_PREFIX_SIZE_MAX);
    *work = (struct bench_work){.mark = run, .value_size = value_size};
    api_text_hex64(digits, run);
    writer_bytes(&work->prefix, slice_from_text(prefix));
    writer_bytes(&work->prefix, (struct slice){(const uint8_t *)digits, sizeof(digits)});
    writer_u8(&work->prefix, '/');
    writer_bytes(&work->path, SLICE_LITERAL("/kv/"));
    text_escape(writer_slice(&work->prefix), &work->path);
    prng_init(&prng, run);
    while (work->chance.size < value_size + CHANCE_OFFSETS) {
        writer_u64(&work->chance, prng_next(&prng));
    }
}

void main_bench_work_deinit(struct bench_work *work)
{
    writer_deinit(&work->prefix);
    writer_deinit(&work->path);
    writer_deinit(&work->chance);
}

void main_bench_work_path(const struct bench_work *work, uint64_t key, struct writer *out)
{
    char digits[KEY_DIGITS];
    for (size_t i = KEY_DIGITS; i > 0; i--) {
        digits[i - 1] = (char)('0' + key % 10);
        key /= 10;
    }
    ASSERT(key == 0);
    writer_bytes(out, writer_slice(&work->path));
    writer_bytes(out, (struct slice){(const uint8_t *)digits, sizeof(digits)});
}

static void make_head(const struct bench_work *work, uint64_t key, uint64_t number,
                      uint8_t head[HEAD_SIZE])
{
    bool has_number = work->value_size >= HEAD_SIZE;
    store_u64(head, (work->mark ^ key) * GOLDEN + (has_number ? number * GOLDEN : 0));
    store_u64(head + 8, number);
}

static const uint8_t *rest_of(const struct bench_work *work, uint64_t key, uint64_t number)
{
    return work->chance.data + (key * 31 + number * 7) % CHANCE_OFFSETS;
}

struct buf *main_bench_work_value(const struct bench_work *work, uint64_t key, uint64_t number)
{
    uint8_t head[HEAD_SIZE];
    struct buf *value = buf_new(work->value_size);
    size_t head_size = work->value_size < HEAD_SIZE ? work->value_size : HEAD_SIZE;
    make_head(work, key, number, head);
    memcpy(value->data, head, head_size);
    memcpy(value->data + head_size, rest_of(work, key, number), work->value_size - head_size);
    return value;
}

bool main_bench_work_is_value(const struct bench_work *work, uint64_t key, struct slice value)
{
    uint8_t head[HEAD_SIZE];
    if (value.size != work->value_size) {
        return false;
    }
    if (value.size < HEAD_SIZE) { /* what it has of the number tells nothing */
        size_t size = value.size < HEAD_SIZE / 2 ? value.size : HEAD_SIZE / 2;
        make_head(work, key, 0, head);
        return size == 0 || memcmp(value.data, head, size) == 0;
    }
    uint64_t number = load_u64(value.data + 8);
    make_head(work, key, number, head);
    return memcmp(value.data, head, HEAD_SIZE) == 0 &&
           memcmp(value.data + HEAD_SIZE, rest_of(work, key, number), value.size - HEAD_SIZE) == 0;
}
