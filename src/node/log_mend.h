/*
 * A node whose log is damaged mends it, record by record, out of its peers' logs, before it opens
 * it (docs/adr/0028, wal/wal_mend.h). Whether a peer's entry is the one that is missing, the log
 * itself tells: so anybody is asked, and nobody is believed.
 *
 * J1  Until then the log is not open and the replica has no core (repair.h, G1). When it is whole
 *     it is byte for byte what it was: what this node has promised it still knows, and it goes on
 *     as after any start.
 * J2  Every peer that was ever met is asked for one hole after the other, with one question open at
 *     a time; for all that are left again a second later. Who is mending its own log answers out of
 *     what is whole of it: so members whose logs are damaged at different places help each other,
 *     without a leader.
 * J3  A leader that has told all that it has of a hole's entries, without filling it, ends this:
 *     the log is set aside, and a new one begun from the peers' state (G6). Without a leader to say
 *     so it goes on asking, and says so once a minute.
 */
#ifndef NODE_LOG_MEND_H
#define NODE_LOG_MEND_H

#include "base/err.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "proto/entry.h"

struct node;
struct replica;
struct wal_mend;

#define LOG_MEND_ASK_MS 1000u         /* between two rounds of questions to one peer */
#define LOG_MEND_TELL_MS 60000u       /* between two lines that it still waits */
#define LOG_MEND_BYTES_MAX (1u << 20) /* of one answer, but for an entry that is larger */

struct log_mend_peer {
    uint64_t number;   /* of the open question; 0: none */
    uint64_t asked_ms; /* when it was asked, or the last round ended */
    uint32_t hole;     /* how far the round has come */
    uint64_t low;      /* entries of that hole before it were told */
};

/* All zero: the log is open. */
struct log_mend {
    struct wal_mend *mend; /* NULL: nothing to be mended */
    uint64_t next_number;
    uint64_t begun_ms;
    uint64_t told_ms;
    struct log_mend_peer peers[MEMBERS_MAX]; /* as identity.peers */
    struct counter records;                  /* holes filled since this process runs */
};

/*
 * At a start: the log is damaged, as `note` says. OK: it can be mended so; node->log_mend.mend is
 * not NULL if peers have to be asked, else it is whole already. ERR_DAMAGED: it cannot, or nobody
 * else is there; the note is as it was. Other errors are no matter of damage (a full disk, a failed
 * sync), with a note: then nothing may be given up.
 */
MUST_USE err log_mend_begin(struct node *node, struct err_note *note);
/* Asks where it is time. Every tick. */
void log_mend_tick(struct replica *replica, uint64_t now_ms);
/* FRAME_LOG_ASK: answers it, out of a log that is open or being mended. */
void log_mend_asked(struct replica *replica, node_id from, struct slice payload);
/* FRAME_LOG_ENTRIES. */
void log_mend_answered(struct replica *replica, node_id from, struct slice payload);
void log_mend_close(struct node *node);

#endif
