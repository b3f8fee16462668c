/*
 * Runs a fuzz target without a fuzzer: every file of a corpus as it is, then mutations of it. They
 * are the same in every run, so that a failure can be repeated; the fuzz preset is what searches.
 *
 *     fuzz_NAME DIRECTORY [INPUT-FILE]...    the corpus, or single inputs (a fuzzer's findings)
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/prng.h"
#include "fuzz.h"

#define MUTATION_COUNT 4000u
#define MUTATIONS_IN_A_ROW 4u
#define INPUT_SIZE_MAX (1u << 16)

struct input {
    uint8_t *data;
    size_t size;
};

/* The target gets a block of the very size, so that ASan sees a read past it. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *block = mem_alloc(size);
    if (size > 0) {
        memcpy(block, data, size);
    }
    LLVMFuzzerTestOneInput(block, size);
    mem_free(block);
}

static struct input input_read(const char *path)
{
    struct input input = {.data = mem_alloc(INPUT_SIZE_MAX)};
    bool is_whole = false;
    FILE *file = fopen(path, "rb");
    if (file != NULL) {
        input.size = fread(input.data, 1, INPUT_SIZE_MAX, file);
        is_whole = ferror(file) == 0 && fgetc(file) == EOF;
        (void)fclose(file);
    }
    if (!is_whole) {
        fatal(0, "cannot read %s, or it is above %u bytes", path, INPUT_SIZE_MAX);
    }
    return input;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* ---- mutations ---- */

static size_t below(struct prng *prng, size_t bound)
{
    return (size_t)prng_below(prng, bound);
}

/* An integer of up to 8 bytes, little-endian, becomes a value at which counts and sizes break. */
static void set_integer(struct prng *prng, uint8_t *data, size_t size)
{
    static const uint64_t values[] = {0,        1,          2,          0x7f,          0x80,
                                      0xff,     0x100,      0xffff,     0x10000,       0x7fffffff,
                                      1u << 31, UINT32_MAX, UINT64_MAX, UINT64_MAX - 1};
    uint64_t value = values[below(prng, sizeof(values) / sizeof(values[0]))];
    size_t width = (size_t)1 << below(prng, 4);
    size_t offset = below(prng, size);
    for (size_t i = 0; i < width && offset + i < size; i++) {
        data[offset + i] = (uint8_t)(value >> 8 * i);
    }
}

/* Takes bytes out somewhere, or puts random ones in; returns the new size. */
static size_t resize(struct prng *prng, uint8_t *data, size_t size)
{
    size_t offset = below(prng, size + 1);
    size_t count = 1 + below(prng, 16);
    if (below(prng, 2) == 0) {
        size_t removed = count < size - offset ? count : size - offset;
        memmove(data + offset, data + offset + removed, size - offset - removed);
        return size - removed;
    }
    if (size + count > INPUT_SIZE_MAX) {
        return size;
    }
    memmove(data + offset + count, data + offset, size - offset);
    for (size_t i = 0; i < count; i++) {
        data[offset + i] = (uint8_t)prng_next(prng);
    }
    return size + count;
}

static size_t mutate(struct prng *prng, uint8_t *data, size_t size, const struct input *other)
{
    switch (size == 0 ? 3 : below(prng, 6)) {
    case 0:
        data[below(prng, size)] ^= (uint8_t)(1u << below(prng, 8));
        return size;
    case 1:
        data[below(prng, size)] = (uint8_t)prng_next(prng);
        return size;
    case 2:
        set_integer(prng, data, size);
        return size;
    case 3:
        return resize(prng, data, size);
    case 4:
        return below(prng, size + 1);
    default: {
        size_t offset = below(prng, size + 1);
        size_t tail = other->size == 0 ? 0 : below(prng, other->size);
        size_t count = other->size - tail;
        if (offset + count > INPUT_SIZE_MAX) {
            return size;
        }
        memmove(data + offset, other->data + tail, count);
        return offset + count;
    }
    }
}

static void run_mutations(const struct input *inputs, size_t count)
{
    struct prng prng;
    prng_init(&prng, 1);
    uint8_t *data = mem_alloc(INPUT_SIZE_MAX);
    for (unsigned i = 0; i < MUTATION_COUNT; i++) {
        const struct input *origin = &inputs[below(&prng, count)];
        memcpy(data, origin->data, origin->size);
        size_t size = origin->size;
        size_t steps = 1 + below(&prng, MUTATIONS_IN_A_ROW);
        for (size_t step = 0; step < steps; step++) {
            size = mutate(&prng, data, size, &inputs[below(&prng, count)]);
        }
        run(data, size);
    }
    mem_free(data);
}

/* ---- the corpus ---- */

static bool run_corpus(const char *directory)
{
    struct dirent **names;
    int count = scandir(directory, &names, is_visible, alphasort);
    if (count <= 0) {
        return false;
    }
    struct input *inputs = mem_calloc((size_t)count, sizeof(inputs[0]));
    for (int i = 0; i < count; i++) {
        char path[4096];
        (void)snprintf(path, sizeof(path), "%s/%s", directory, names[i]->d_name);
        inputs[i] = input_read(path);
        run(inputs[i].data, inputs[i].size);
        free(names[i]); /* scandir's own */
    }
    free(names);
    run(NULL, 0);
    run_mutations(inputs, (size_t)count);
    for (int i = 0; i < count; i++) {
        mem_free(inputs[i].data);
    }
    mem_free(inputs);
    printf("%d inputs, %u mutations\n", count, MUTATION_COUNT);
    return true;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: %s DIRECTORY [INPUT-FILE]...\n", argv[0]);
        return 2;
    }
    if (argc == 2) {
        if (!run_corpus(argv[1])) {
            fatal(0, "no inputs in %s", argv[1]);
        }
        return 0;
    }
    for (int i = 2; i < argc; i++) {
        struct input input = input_read(argv[i]);
        run(input.data, input.size);
        mem_free(input.data);
    }
    return 0;
}
