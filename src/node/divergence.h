/*
 * Whether this replica's state is what the others' is (docs/adr/0027). Logs are compared by Raft,
 * states by nobody: a bug, a flipped bit that no checksum covers, or a file edited by hand would
 * only show as answers that depend on who is asked.
 *
 * V1  A mark is what the state was after an entry (struct frame_mark). Every member notes one for
 *     each entry that it applies. One index, one mark: whoever has another one is wrong.
 * V2  The leader tells its mark to all every DIVERGENCE_ROUND_MS, and after as many entries as
 *     DIVERGENCE_ROUND_ENTRIES, and asks: whoever hears that tells its own mark at that index to
 *     all, as soon as it has applied the entry. Only a question is answered, so nothing goes round
 *     in circles. Lost is harmless: another round follows, also while nothing is written.
 * V3  Each judges itself, and nobody else. The mark that a quorum of voters has is right. One that
 *     has another is DIVERGED, for this life. Two marks, and neither has a quorum for
 *     DIVERGENCE_DISPUTE_MS: DISPUTED, until one has.
 * V4  Neither serves reads, writes, backups or snapshots. Both go on in consensus, for their logs
 *     are as good as ever, and only what was made of them is not; but a DIVERGED leader hands over,
 *     and a DIVERGED member tells no marks any more.
 * V5  Who has DIVERGED, and has peers, marks its store and ends after DIVERGENCE_END_MS: by then
 *     clients know, and the lead is another's. The next start rebuilds the state (repair.h).
 */
#ifndef NODE_DIVERGENCE_H
#define NODE_DIVERGENCE_H

#include "base/metrics.h"
#include "proto/conf.h"
#include "proto/frame.h"

struct replica;

#define DIVERGENCE_ROUND_MS 500u
#define DIVERGENCE_ROUND_ENTRIES 1000u
#define DIVERGENCE_DISPUTE_MS 300u
#define DIVERGENCE_END_MS 5000u
/* Marks remembered; at least what is applied between two looks (replica_apply). */
#define DIVERGENCE_NOTES 4096u
/* Indexes under comparison: four seconds' worth, or those that a member that lags has to reach. */
#define DIVERGENCE_ROUNDS 8u

enum divergence_verdict {
    DIVERGENCE_NONE, /* nothing speaks against this replica */
    DIVERGENCE_DISPUTED,
    DIVERGENCE_DIVERGED,
};

/* One index under comparison. */
struct divergence_round {
    uint64_t index; /* 0: free */
    uint32_t count;
    bool is_asked;  /* by a leader; this node has not answered yet */
    bool is_passed; /* this node has applied it: its own mark is among them, or forgotten */
    struct {
        node_id from;
        struct frame_mark mark;
    } marks[MEMBERS_MAX];
};

/* All zero at first. */
struct divergence {
    enum divergence_verdict verdict;
    uint64_t agreed_index;   /* the last one at which a quorum had this node's mark; 0: none yet */
    uint64_t disputed_index; /* 0: no dispute */
    uint64_t disputed_ms;    /* since when */
    uint64_t end_ms;         /* V5 */
    uint64_t begun_index;    /* of the last round that this node began */
    uint64_t begun_ms;
    struct divergence_round rounds[DIVERGENCE_ROUNDS];
    uint64_t noted_first; /* the marks from here to noted_last are known; 0: none */
    uint64_t noted_last;
    struct frame_mark notes[DIVERGENCE_NOTES]; /* by index modulo their number */
    struct counter agreements;                 /* rounds in which a quorum had this node's mark */
    struct counter mismatches; /* rounds in which it had another one, or nobody had one */
};

/* The entry at replica->applied was applied, a snapshot installed there, or the store opened. */
void divergence_note(struct replica *replica);
/* FRAME_STATE_MARK. */
void divergence_receive(struct replica *replica, node_id from, struct slice payload);
/* After entries were applied: tells what somebody waits for, begins a round if it is time. */
void divergence_applied(struct replica *replica);
/* Begins a round if it is time, ends the patience with a dispute, and hands over (V4). */
void divergence_tick(struct replica *replica, uint64_t now_ms);

/* The store itself was found to be wrong, beyond a record that could be mended: as one that has
 * DIVERGED. `why` has static storage. */
void divergence_condemn(struct replica *replica, const char *why);

/* Whether this replica's state may be shown to anybody (V4). */
bool divergence_is_trusted(const struct replica *replica);
/* "none", "disputed", "diverged". */
const char *divergence_name(enum divergence_verdict verdict);

#endif
