/* A small generator, xoshiro256**, seeded by splitmix64. Every source of chance has an owner. */
#ifndef BASE_PRNG_H
#define BASE_PRNG_H

#include <stdint.h>

struct prng {
    uint64_t state[4];
};

/* Begins the sequence that belongs to `seed`, any number. */
void prng_init(struct prng *prng, uint64_t seed);
/* The next 64 bits of the sequence. */
uint64_t prng_next(struct prng *prng);
/* Uniform in [0, bound); bound > 0. */
uint64_t prng_below(struct prng *prng, uint64_t bound);

#endif
