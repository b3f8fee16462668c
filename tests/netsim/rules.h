/*
 * What the switch does to packets: a rule for each direction between two ports, and the lines that
 * change the rules while it runs.
 *
 * R1  A line is carried out whole or not at all.
 * R2  Each direction draws from a generator of its own: what happens to one's packets does not move
 *     another's.
 * R3  A rule decides when a packet comes in. What is on its way by then still arrives.
 */
#ifndef NETSIM_RULES_H
#define NETSIM_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/codec.h"
#include "base/prng.h"
#include "queue.h"

#define RULES_PORTS_MAX 16u /* they are numbered from 1 */
#define RULES_COPIES_MAX 2u
#define RULES_DELAY_US_MAX 10000000u

struct rule {
    bool is_cut;
    uint32_t loss; /* chances, in thousandths */
    uint32_t duplicate;
    uint32_t corrupt;
    uint32_t delay_us_min; /* each copy's own, and so they overtake each other if these differ */
    uint32_t delay_us_max;
    struct queue queue; /* has its rate; a new rule begins with an empty one */
};

struct rules {
    unsigned port_count;
    struct rule links[RULES_PORTS_MAX][RULES_PORTS_MAX]; /* [from - 1][to - 1] */
    struct prng prngs[RULES_PORTS_MAX][RULES_PORTS_MAX];
    struct {
        uint64_t forwarded, cut, lost, duplicated;
        uint64_t corrupted, overflowed; /* counted by whoever carries it out */
    } counts;
};

struct rules_copy {
    bool is_corrupt; /* for packet_damage */
    uint32_t delay_us;
};

/* What becomes of one packet: so many copies of it arrive. */
struct rules_fate {
    unsigned count;
    struct rules_copy copies[RULES_COPIES_MAX];
};

/* Every link is perfect. `port_count` is 1 to RULES_PORTS_MAX. */
void rules_init(struct rules *rules, unsigned port_count, uint64_t seed);

/*
 * Carries out one line, without its end (README.md has them), and appends the answer, a line of its
 * own: "ok", the counts, or "error: " and what is wrong. Borrows `line`.
 */
void rules_command(struct rules *rules, struct slice line, struct writer *answer);

/* Draws what becomes of a packet, and counts it. Both ports are of this switch. */
void rules_judge(struct rules *rules, unsigned from, unsigned to, struct rules_fate *out_fate);

/* The generator of this direction, for damage (R2). Borrowed for the rules' life. */
struct prng *rules_prng(struct rules *rules, unsigned from, unsigned to);

/* What each copy goes through before its delay. Borrowed for the rules' life. */
struct queue *rules_queue(struct rules *rules, unsigned from, unsigned to);

#endif
