/*
 * Damaged records, found by a read or by the scrub, until another member's whole one has their
 * place (store/mend.h: what is taken, and why that is right).
 *
 *     found ──asked──> taken: mended, who waits is answered
 *       ^       │
 *       └───────┘ no answer, damaged there too, or it cannot be told yet: the next member, a little
 *                 later
 *
 * M1  What is damaged is never served. A read that meets it waits for MENDS_WAIT_MS at most, then
 *     it is told to come again (ERR_MENDING). A node that is alone says ERR_CORRUPT at once.
 * M2  At most MENDS_ASKED_MAX questions are open, since a record may have 64 MiB; at most MENDS_MAX
 *     records are under way. The scrub waits when there is no room.
 * M3  A member that has been told by MENDS_CONFLICTS_MAX others (or by the only one) that a record
 *     must be another one, or none, is wrong about more than a record: divergence_condemn.
 * M4  A read that finds nothing while the store is not proven (store/scrub.h, B4) waits, too:
 *     damage may have hidden its record. Another member that has none either ends that, so a store
 *     whose first pass takes long, or that is written all the while, answers later by a round trip.
 *     On a node alone it waits until the first pass is over.
 * M5  One whose state is not trusted neither gives nor takes (divergence.h).
 */
#ifndef NODE_MENDS_H
#define NODE_MENDS_H

#include "base/metrics.h"
#include "node/node.h"

struct replica;

#define MENDS_MAX 64u
#define MENDS_DOUBTS_MAX (MENDS_MAX / 2) /* of them may be M4's: what is damaged comes first */
#define MENDS_ASKED_MAX 8u
#define MENDS_WAIT_MS 2000u
#define MENDS_ANSWER_MS 2000u /* without an answer, the next one is asked */
#define MENDS_CONFLICTS_MAX 2u

struct mend {
    uint16_t key_size; /* 0: free */
    uint8_t key[KEY_SIZE_MAX];
    bool is_doubt;     /* M4: no damage was seen; is there a record at all? */
    uint64_t revision; /* 0: not known */
    uint64_t number;   /* of the open question; 0: none */
    uint64_t asked_ms;
    node_id asked; /* who was asked last; 0: nobody yet */
    uint32_t conflicts;
    node_id conflict_with; /* the last one */
};

struct mends {
    struct mend items[MENDS_MAX];
    uint32_t count;
    uint32_t doubt_count;
    uint32_t asked_count;
    bool has_doubts;            /* reads wait because of one (M4), asked or not */
    uint32_t turn;              /* whose turn it is to ask: none waits for another one's luck */
    struct list reads;          /* struct node_read: those that wait */
    struct deadlines deadlines; /* theirs */
    uint64_t next_number;
};

/* None; questions are numbered from `first_number` on (0 is left out). */
void mends_init(struct mends *mends, uint64_t first_number);
/* Answers the reads that wait with `e` and forgets everything. */
void mends_close(struct mends *mends, err e);

/* The scrub has found the record of `key` damaged. False: there is no room, tell again. */
bool mends_found(struct replica *replica, struct slice key, uint64_t revision);
/* A scan has met it: has it mended, and says what to answer: ERR_MENDING, ERR_CORRUPT (M1). */
MUST_USE err mends_met(struct replica *replica, struct slice key);
/* `read`, in no list, has met its record damaged. False: nobody can mend it, answer ERR_CORRUPT. */
bool mends_wait(struct replica *replica, struct node_read *read);
/* `read`, in no list, has found no record. False: there is none. */
bool mends_doubt(struct replica *replica, struct node_read *read);
/* FRAME_RECORD_ASK: answers it. */
void mends_asked(struct replica *replica, node_id from, struct slice payload);
/* FRAME_RECORD. */
void mends_answered(struct replica *replica, node_id from, struct slice payload);
/* Asks where it is time, answers reads that have waited long enough. Every tick. */
void mends_tick(struct replica *replica, uint64_t now_ms);

#endif
