/*
 * When what a leader proposed reached the disk of its own log, and when it was committed: what the
 * time of one write is made of. A mark is made a batch, not a write.
 *
 * G1  Times are for people: nothing is decided by them.
 */
#ifndef NODE_STAGES_H
#define NODE_STAGES_H

#include <stdint.h>

#define STAGES_MAX 64u

/* "From `ns` on everything up to `index`", in the order of both. All zero is an empty one. */
struct stages {
    struct {
        uint64_t index;
        uint64_t ns;
    } items[STAGES_MAX];
    uint32_t begin;
    uint32_t count;
};

/*
 * Adds a mark; 0 is no index, and adds none. An index that is not above the last one begins anew
 * (another leadership). With no room left it takes the newest's place, whose indexes then seem to
 * come a little later.
 */
void stages_add(struct stages *stages, uint64_t index, uint64_t ns);
/* From when on `index` was covered; 0: not yet, or that is not known. Indexes are asked upwards. */
uint64_t stages_at(struct stages *stages, uint64_t index);

#endif
