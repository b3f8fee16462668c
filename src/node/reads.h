/*
 * The linearizable reads of one region on their way (dissertation, section 6.4):
 *
 *     WAITING ──a batch asks for a read index──> ASKED ──confirmed at index i──> CONFIRMED
 *                                                                                   │ applied >= i
 *                                                                                   └──> answered
 *
 * One that waits for a revision (revision_min) stands in BEHIND until it is applied: a linearizable
 * one after its index, a stale one from the beginning.
 *
 * R1  A batch is asked for only after all its reads came in, so whatever was acknowledged before a
 *     read began is at or below its index.
 * R2  A question may be lost (message dropped, leader changed): it is asked again, under its
 *     number. Whichever answer comes first will do, since R1 holds for the first asking.
 * R3  At most READ_BATCHES_MAX batches are under way; the next gathers meanwhile.
 */
#ifndef NODE_READS_H
#define NODE_READS_H

#include "node/node.h"
#include "proto/message.h"

#define READ_BATCHES_MAX 2u

/* What a scan counts in a turn's budget of bytes: whoever makes one bounds it by about as much. */
#define READS_SCAN_COST (2u << 20)

struct read_batch {
    uint64_t sequence; /* 0: free */
    uint64_t asked_ms;
    struct list reads;
};

struct reads {
    struct list waiting;
    struct list confirmed;      /* in the order of their indexes */
    struct list behind;         /* each waits for its revision_min, in no order */
    uint64_t behind_min;        /* none of these is lower */
    struct deadlines deadlines; /* all of them */
    struct read_batch batches[READ_BATCHES_MAX];
    uint64_t next_sequence;
    uint64_t count;
    struct counter finished;
    struct counter expired;
    struct counter overloaded; /* refused, as too many waited */
    struct histogram index_us; /* from a read's coming to its index */
};

/* An empty one; questions are numbered from `first_sequence` on (0 is left out). */
void reads_init(struct reads *reads, uint64_t first_sequence);
/* Takes `read` (key, deadline, done set) into WAITING. */
void reads_add(struct reads *reads, struct node_read *read);
/* Takes `read`, likewise, into BEHIND: it needs no index. */
void reads_add_behind(struct reads *reads, struct node_read *read);
/* How many batches are ASKED. */
uint32_t reads_asked(const struct reads *reads);
/*
 * If reads wait and a batch is free: makes them one and returns the number to ask the core with.
 * 0: nothing to ask. The caller asks, or calls reads_unasked.
 */
uint64_t reads_ask(struct reads *reads, uint64_t now_ms);
/* The core did not take the question: the batch goes back to WAITING. */
void reads_unasked(struct reads *reads, uint64_t sequence);
/* The answer to `sequence`, at `now_ns`: its reads may be served once `index` is applied. */
void reads_confirm(struct reads *reads, uint64_t sequence, uint64_t index, uint64_t now_ns);
/* How much may still be served in this turn; a record may exceed the bytes. */
struct read_budget {
    uint32_t count;
    uint64_t bytes;
};

/* How far this node is. */
struct read_point {
    uint64_t applied; /* index */
    uint64_t revision;
};

/*
 * Serves what is confirmed at or below `point`, and what was behind it, from `store`, as far as
 * `budget` goes. False: some is left for the next turn.
 */
bool reads_serve(struct reads *reads, struct read_point point, struct store *store,
                 struct read_budget *budget);
/*
 * The next question that was asked before `asked_before_ms`, to be asked again (R2), now; 0: none.
 */
uint64_t reads_overdue(struct reads *reads, uint64_t now_ms, uint64_t asked_before_ms);
/* There is another leader: every question is overdue. */
void reads_lost(struct reads *reads);
/* Answers what is past its deadline. Every tick. */
void reads_tick(struct reads *reads, uint64_t now_ms);
/* Answers all of them with `e`. */
void reads_close(struct reads *reads, err e);

/* Reads one key from the store and answers `read`, which is in no list; a record that is damaged
 * is mended first, if there is somebody to mend it (mends.h). Returns the size of its value. */
uint64_t reads_answer(struct node_read *read, struct store *store);

#endif
