#include "micro.h"

#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"

#define KEY_DIGITS 6u
#define OPEN_DIRECTORIES_MAX 8

static uint64_t now_ns(void)
{
    struct timespec now;
    int status = clock_gettime(CLOCK_MONOTONIC, &now);
    ASSERT(status == 0);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

__attribute__((noinline)) void micro_collect(void (*work)(void *ctx), void *ctx)
{
    work(ctx);
    __asm__ volatile(""); /* no jump in place of the call: its return is the end of the counting */
}

void micro_measure(struct micro *micro, void (*work)(void *ctx), void *ctx, uint64_t operations)
{
    uint64_t begin_ns = now_ns();
    micro_collect(work, ctx);
    micro->elapsed_ns += now_ns() - begin_ns;
    micro->measured += operations;
}

static void run(const struct micro_scenario *scenario, uint64_t operations)
{
    struct micro micro = {.operations = operations};
    scenario->run(&micro);
    ASSERT(micro.measured == operations);
    (void)printf("%-16s %9" PRIu64 " operations %8.1f ns each\n", scenario->name, micro.measured,
                 (double)micro.elapsed_ns / (double)micro.measured);
}

static int usage(const char *program, const struct micro_scenario *scenarios, uint32_t count)
{
    (void)fprintf(stderr, "usage: %s [SCENARIO [OPERATIONS]]\n", program);
    for (uint32_t i = 0; i < count; i++) {
        (void)fprintf(stderr, "  %-16s %9" PRIu64 "\n", scenarios[i].name, scenarios[i].operations);
    }
    (void)fprintf(stderr, "OPERATIONS is a multiple of %u\n", MICRO_BATCH);
    return 2;
}

int micro_main(int argc, char **argv, const struct micro_scenario *scenarios, uint32_t count)
{
    bool is_found = argc == 1;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t operations = scenarios[i].operations;
        char *end = NULL;
        if (argc > 1 && strcmp(argv[1], scenarios[i].name) != 0) {
            continue;
        }
        if (argc > 2) {
            operations = strtoull(argv[2], &end, 10);
        }
        if (argc > 3 || (end != NULL && *end != '\0') || operations == 0 ||
            operations % MICRO_BATCH != 0) {
            return usage(argv[0], scenarios, count);
        }
        run(&scenarios[i], operations);
        is_found = true;
    }
    return is_found ? 0 : usage(argv[0], scenarios, count);
}

struct slice micro_key(uint8_t target[MICRO_KEY_SIZE], uint64_t number)
{
    memcpy(target, "bench/", MICRO_KEY_SIZE - KEY_DIGITS);
    for (size_t i = MICRO_KEY_SIZE; i > MICRO_KEY_SIZE - KEY_DIGITS; i--) {
        target[i - 1] = (uint8_t)('0' + number % 10);
        number /= 10;
    }
    return (struct slice){target, MICRO_KEY_SIZE};
}

struct buf *micro_bytes(struct prng *prng, size_t size)
{
    struct buf *buf = buf_new(size);
    for (size_t i = 0; i < size; i++) {
        buf->data[i] = (uint8_t)prng_next(prng);
    }
    return buf;
}

void micro_directory_make(char path[MICRO_PATH_SIZE])
{
    static const char template[] = "/tmp/pontoon-micro-XXXXXX";
    _Static_assert(sizeof(template) <= MICRO_PATH_SIZE, "it fits");
    memcpy(path, template, sizeof(template));
    const char *made = mkdtemp(path);
    ASSERT(made != NULL);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

void micro_directory_remove(const char *path)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    int status = nftw(path, remove_one, OPEN_DIRECTORIES_MAX, FTW_DEPTH | FTW_PHYS);
    ASSERT(status == 0);
}
