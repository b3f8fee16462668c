/*
 * The state machine's storage: the log is the truth, LMDB is a checkpoint of it, the tail is what
 * came since. One LMDB environment and one tail per node, in two spaces of keys: the users', and
 * the system's (leases, locks, what expires when: whatever is replicated and no user's key). What
 * belongs to a region stands under its id. Format byte by byte: README.md.
 *
 * S1  Applying depends on the entry and the applied state alone (determinism).
 * S2  Applied position, membership, revision, clock, counters and state hash are committed in the
 *     same LMDB transaction as the data they describe.
 * S3  A read sees everything applied: tail, then frozen tail, then LMDB.
 * S4  Every record carries CRC32Cs over its key, header and value, verified whenever it is read
 *     from LMDB: damage is ERR_CORRUPT, never data.
 * S5  Entries are applied once, in order: pos.index is the region's applied index + 1 (asserted).
 *
 * All on the loop thread; checkpoints are written by a worker of the store's own.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/hash.h"
#include "base/log.h"
#include "base/metrics.h"
#include "env/env.h"
#include "proto/command.h"
#include "proto/membership.h"

struct store;
struct store_record;

enum store_change_kind {
    STORE_CHANGE_PUT,
    STORE_CHANGE_DELETE,
    STORE_CHANGE_EXPIRE
};

/* What applying an entry did to one key. All is borrowed until the callback returns. */
struct store_change {
    enum store_change_kind kind;
    uint64_t revision;
    uint64_t clock_ms; /* the region's, with this entry applied */
    struct slice key;
    const struct store_record *record; /* PUT: the new one, its owner set; otherwise NULL */
    /* What stood there; NULL: nothing. Without an owner it is the checkpoint's, and then its value
     * is not verified. */
    const struct store_record *replaced;
};

/* A key is one of a space: the same bytes in both are two keys. */
enum store_space {
    STORE_SPACE_USER,   /* at most KEY_SIZE_MAX bytes */
    STORE_SPACE_SYSTEM, /* at most STORE_SYSTEM_KEY_SIZE_MAX; its records are STORE_RECORD_SYSTEM */
};
#define STORE_SPACES 2
#define STORE_SYSTEM_KEY_SIZE_MAX 511u /* LMDB's own limit (mdb_env_get_maxkeysize) */

_Static_assert(KEY_SIZE_MAX <= STORE_SYSTEM_KEY_SIZE_MAX, "room for a key is room for a user's");

static inline size_t store_key_size_max(enum store_space space)
{
    return space == STORE_SPACE_USER ? KEY_SIZE_MAX : STORE_SYSTEM_KEY_SIZE_MAX;
}

/*
 * What the store's owner keeps beside every checkpoint, and ahead of it, so that a crash never
 * leaves less of it than of the checkpoint. All members, or none.
 */
struct store_companion {
    /* The tail was frozen: the checkpoint has what was applied until now. Loop. */
    void (*freeze)(void *ctx);
    /* Makes durable what goes with it, or gives it up. On the checkpointer's thread, with each
     * attempt, and the attempt goes on when it returns. */
    void (*write)(void *ctx);
    /* There is no space for the checkpoint: gives back what it has, on the same thread. Whether
     * that was anything; then the checkpoint is tried again at once. */
    bool (*give_way)(void *ctx);
    /* Another node's state is about to take the place of this one. On the same thread, with each
     * attempt; an error ends it. */
    err (*replace)(void *ctx);
    /* The attempt is over, whatever came of it. Loop. */
    void (*done)(void *ctx);
    void *ctx;
};

struct store_options {
    struct env *env;
    struct log *log;       /* may be NULL */
    const char *directory; /* made if missing; LMDB's data.mdb and lock.mdb stand in it */
    /* 0: 64 MiB; past it, or if writing it copies more of LMDB's pages, the tail is frozen and
     * checkpointed */
    uint64_t tail_bytes_max;
    uint64_t
        checkpoint_age_ms_max; /* 0: 60 s; an older tail that is not empty is checkpointed too */
    uint64_t map_size_bytes;   /* 0: 64 MiB to begin with; grows by itself (LMDB's map) */
    uint64_t scrub_rate;       /* bytes a second that the scrub reads (scrub.h); 0: it does not */
    uint64_t census_block;     /* 0: STORE_CENSUS_BLOCK (census.h) */
    /* A checkpoint is durable: store_region(…)->checkpoint has moved. May be NULL. */
    void (*checkpointed)(void *ctx);
    /* The scrub has found that the record of `key` (borrowed) is damaged; `revision` of its last
     * change, 0: that is not known either. False: it is to be told again, later. May be NULL. */
    bool (*damaged)(void *ctx, struct slice key, uint64_t revision);
    /* The scrub has found that the store as a whole is not what it was: `why` has static storage.
     * Told again by every pass. May be NULL. */
    void (*distrusted)(void *ctx, const char *why);
    /* Applying has changed a key of `region`: told for each, in order. May be NULL. */
    void (*changed)(void *ctx, region_id region, const struct store_change *change);
    /* All changes of this revision were told. May be NULL. */
    void (*revised)(void *ctx, region_id region, uint64_t revision);
    /* Applying has changed a key of the system's space (system.h). May be NULL. */
    void (*system_changed)(void *ctx, region_id region, struct slice key);
    void *ctx;                        /* of the callbacks above */
    struct store_companion companion; /* all zero: there is none */
};

/*
 * Opens or makes the store; blocks. Caller closes. Errors, with a note that says file and why:
 * ERR_DAMAGED, ERR_VERSION, ERR_BUSY, ERR_NO_SPACE, ERR_PERMISSION, ERR_IO.
 */
MUST_USE err store_open(struct store **out_store, const struct store_options *options,
                        struct err_note *note);
/* Waits for a checkpoint under way; what is only in the tail is in the log. NULL: no-op. */
void store_close(struct store *store);

/* A region as applied. */
struct store_region {
    region_id id;
    struct raft_pos applied;
    struct raft_pos checkpoint; /* what LMDB has durably: applied as of the last checkpoint */
    uint64_t revision;          /* one entry that writes, one revision; at most REVISION_MAX */
    uint64_t clock_ms;          /* max of all stamps: the state machine's time */
    uint64_t elapsed_ms;        /* what TTLs go by (docs/adr/0032) */
    uint64_t last_token;        /* the last fencing token, or place in a queue, that was given */
    uint64_t idempotency_keys;  /* that are remembered */
    uint64_t keys;              /* the users' */
    uint64_t key_bytes;
    uint64_t value_bytes;
    uint64_t system_keys;
    uint64_t system_bytes;     /* of their keys and values */
    struct hash128 state_hash; /* multiset hash over key, revision and record, of both spaces */
    struct membership membership;
};

/* What a record counts in a quota, besides its key and its value. */
#define STORE_RECORD_COST 64u

/* What the records of `region` count in a quota: of what was applied alone, so alike everywhere. */
static inline uint64_t store_region_used(const struct store_region *region)
{
    uint64_t count = region->keys + region->system_keys;
    return region->key_bytes + region->value_bytes + region->system_bytes +
           count * STORE_RECORD_COST;
}

/* NULL if the store does not know it. Borrowed until the store is closed; current at every look. */
const struct store_region *store_region(const struct store *store, region_id region);
/* All of them, in increasing order. */
void store_regions(const struct store *store,
                   void (*each)(void *ctx, const struct store_region *region), void *ctx);

#define STORE_PREFETCH_MAX 32u

/*
 * What is applied or read next has these keys, none empty, at most STORE_PREFETCH_MAX: a hint,
 * which makes that faster.
 */
void store_prefetch(const struct store *store, const struct slice *keys, uint32_t count);

/*
 * Applies one committed command of the region `id`. `command` is decoded from `owner`, which the
 * tail shares for the value's sake. Fills `out_result`, deterministically. A DELETE of what is not
 * there makes no revision; a write past REVISION_MAX, and a PUT that makes the records outgrow the
 * quota that the command brings along, are refused in the result (ERR_QUOTA).
 */
void store_apply(struct store *store, region_id id, struct raft_pos pos,
                 const struct command *command, struct buf *owner,
                 struct command_result *out_result);
/* An entry without effect: a no-op, or one whose command could not be decoded. */
void store_apply_nothing(struct store *store, region_id id, struct raft_pos pos);
/* A membership entry. Makes the region if the store does not know it (its bootstrap entry). */
void store_apply_membership(struct store *store, region_id id, struct raft_pos pos,
                            const struct membership *membership);

/* In a record's flags. */
#define STORE_RECORD_LEASED 0x01u /* expires_ms holds a lease's id */
#define STORE_RECORD_SYSTEM 0x80u /* it is of the system's space */

/*
 * When the next thing of the region is due, by its elapsed_ms; false: nothing is. Only
 * system_changed changes that, so it is worth asking again then. A damaged record in the way ends
 * the process (store_end_damaged).
 */
bool store_next_due(struct store *store, region_id region, uint64_t *out_elapsed_ms);

struct store_record {
    struct buf *owner; /* one reference: the caller unrefs; the slices lie in it */
    struct slice value;
    struct slice content_type; /* empty: none is stored */
    uint64_t create_revision;
    uint64_t mod_revision;
    uint64_t version;
    uint64_t modified_ms;
    uint64_t expires_ms; /* by the region's elapsed_ms; 0: never */
    uint32_t value_crc;  /* CRC32C over key, mod_revision and value */
    /* STORE_RECORD_…. All of the system's records, and no other, are STORE_RECORD_SYSTEM: so none
     * has the hash of a user's record with the same key. */
    uint8_t flags;
};

/* ERR_NOT_FOUND; ERR_CORRUPT (S4); ERR_IO. */
MUST_USE err store_get(struct store *store, struct slice key, struct store_record *out_record);

/*
 * Whether ERR_NOT_FOUND of this key can be believed: LMDB may have lost a key to damage without
 * noticing. It can once the scrub has seen every record that the state counts (scrub.h, B4), or if
 * the scrub is off.
 */
bool store_is_absence_proven(const struct store *store, struct slice key);

/*
 * Freezes and checkpoints if size or age ask for it and none is under way; tries one that failed
 * again; frees a part of a tail that was checkpointed. Once a turn, and after every few MiB of
 * entries while the log is replayed; cheap.
 */
void store_turn(struct store *store);
/* Freezes and checkpoints now, unless one is under way or there is nothing new. */
void store_checkpoint(struct store *store);
/* The same, but what has failed waits for its time (store_turn): may be called again and again. */
void store_checkpoint_soon(struct store *store);

/*
 * OK, or why writes should be refused before they are proposed, and entries left unapplied for a
 * while: the tail has outgrown twice its bound, because checkpoints fail (ERR_NO_SPACE; the last
 * error is in the log) or because the one under way has not yet ended (ERR_OVERLOADED).
 */
MUST_USE err store_health(const struct store *store);

/* The last checkpoint failed for want of space, and will be tried again. */
bool store_is_full(const struct store *store);

struct store_stats {
    uint64_t map_size_bytes; /* LMDB's map */
    uint64_t size_bytes;     /* of the file */
    uint64_t used_bytes;     /* pages in use */
    uint64_t tail_bytes;     /* in memory, frozen one included */
    uint64_t tail_records;
    bool is_checkpointing; /* one is being written */
    uint64_t checkpoints;
    uint64_t checkpoint_failures;
    uint64_t corrupt_records;    /* found on reads */
    uint64_t mended_records;     /* taken from another member */
    uint64_t census_blocks;      /* census.h */
    uint64_t census_bytes;       /* that they hold in memory */
    uint64_t scrub_passes;       /* since it was opened */
    uint64_t scrub_pass_ms;      /* that the last one took */
    uint64_t scrub_pass_records; /* of the one under way */
    uint64_t scrub_records;
    uint64_t scrub_bytes;
    uint64_t scrub_damaged;      /* records found damaged */
    uint64_t scrub_faults;       /* that are no single record's */
    uint64_t checkpoint_records; /* in the file, as of the last checkpoint */
    struct histogram checkpoint_us;
};

/* Borrowed until the store is closed; file figures are as of the last checkpoint. */
const struct store_stats *store_stats(const struct store *store);
/* The engine's name and file, for /stats. Static / borrowed. */
const char *store_engine(void);
const char *store_path(const struct store *store);

#endif
