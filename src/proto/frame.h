/*
 * Peer frames: what travels between two nodes. Byte by byte in README.md:
 *
 *   offset size
 *   0      4    magic "PTN1"
 *   4      4    length of the payload
 *   8      4    CRC32C of bytes 12.. of the header and the payload
 *   12     2    type
 *   14     2    check: low half of the CRC32C of the header without both checksums
 *   16     8    sequence: of this connection and direction, 1 for the first frame
 *   24     8    cluster id
 *   32     8    sender's node id
 *   40     8    region id
 *   48     …    payload
 */
#ifndef PROTO_FRAME_H
#define PROTO_FRAME_H

#include "base/codec.h"
#include "base/hash.h"
#include "base/limits.h"
#include "proto/entry.h"

#define FRAME_HEADER_SIZE 48u
#define FRAME_PROTOCOL 1u
#define FRAME_VERSION_SIZE_MAX 64u      /* of the program's version in a HELLO */
#define FRAME_REFUSE_TEXT_SIZE_MAX 200u /* longer ones are cut when they are encoded */

/* The values stand on the wire. */
enum frame_type {
    FRAME_HELLO = 1,   /* first on a connection, dialler to acceptor: struct frame_hello */
    FRAME_WELCOME = 2, /* its answer: the acceptor's struct frame_hello */
    FRAME_REFUSE = 3,  /* its other answer: struct frame_refuse; then the dialler closes */
    FRAME_RAFT = 4,    /* one or more raft messages, each as message_encode */
    FRAME_WRITE = 5, /* follower to leader: u64 request id, u32 time left in ms, then the command */
    FRAME_WRITE_RESULT = 6, /* its answer: u64 request id, then command_result */
    FRAME_PING = 7,      /* keeps an idle connection checked: u64 of the sender's choice, not 0 */
    FRAME_PONG = 8,      /* its answer, with the same u64; 0: unasked, a long frame is coming in */
    FRAME_LOG_FLOOR = 9, /* leader to members: u64 index up to which every member has the log */
    FRAME_SNAPSHOT = 10, /* leader to member, bulk: one chunk, struct frame_snapshot */
    FRAME_SNAPSHOT_ACK = 11, /* its answer: struct frame_snapshot_ack */
    FRAME_ADMIN = 12,        /* follower to leader: struct admin_request (proto/admin.h) */
    FRAME_ADMIN_RESULT = 13, /* its answer: struct admin_result */
    FRAME_HELLO_BULK = 14,   /* as HELLO, first on a connection for bulk */
    FRAME_REPAIR = 15,       /* between any two members: struct frame_repair */
    FRAME_STATE_MARK = 16,   /* member to member: its state at an index, struct frame_mark */
    FRAME_RECORD_ASK = 17,   /* member to member: a record, please; u64 number, then the key */
    FRAME_RECORD = 18,       /* its answer: struct frame_record */
    FRAME_CONDITION = 19, /* member to members: u8 flags; 1: full disk, 2: drains, 4: disk stalls */
    FRAME_LOG_ASK = 20,   /* between any two: entries of your log, struct log_frame_ask */
    FRAME_LOG_ENTRIES = 21, /* its answer: struct log_frame_answer (proto/log_frame.h) */
    FRAME_TYPE_LAST = FRAME_LOG_ENTRIES,
};

enum frame_refusal {
    FRAME_REFUSAL_CLUSTER = 1,  /* another cluster's id */
    FRAME_REFUSAL_ID_TAKEN = 2, /* a live node with another instance has this id */
    FRAME_REFUSAL_UNKNOWN = 3,  /* not a member that this node knows */
    FRAME_REFUSAL_VERSION = 4,  /* no common protocol version */
};

/* "cluster", "id-taken", "unknown", "version"; static storage. */
const char *frame_refusal_name(enum frame_refusal reason);

struct frame_header {
    uint32_t payload_size;
    enum frame_type type;
    uint64_t sequence; /* of its connection and direction: from 1, up by one; not 0 */
    uint64_t cluster_id;
    node_id from;
    region_id region;
};

struct frame_hello {
    uint32_t protocol;           /* FRAME_PROTOCOL */
    node_id to;                  /* whom the dialler believes to reach */
    uint64_t instance;           /* random, made with the data directory */
    struct slice client_address; /* where the sender serves clients; at most ADDRESS_SIZE_MAX */
    struct slice peer_address;   /* where peers reach it; empty: not told; likewise */
    struct slice version; /* the program's version, for logs; at most FRAME_VERSION_SIZE_MAX */
};

struct frame_refuse {
    enum frame_refusal reason;
    uint64_t as_of;    /* the log index as of which the sender knows the members; 0: not told */
    struct slice text; /* for the other side's log */
};

/* One chunk of a snapshot on its way. */
struct frame_snapshot {
    uint64_t transfer; /* the sender's number for this attempt; not 0 */
    uint32_t number;   /* of the chunk, from 0 on */
    bool is_last;
    struct slice message; /* with chunk 0, and only there: the MSG_SNAP, as message_encode */
    struct slice chunk;   /* not empty */
};

/* The values stand on the wire. */
enum frame_snapshot_outcome {
    FRAME_SNAPSHOT_GOES_ON = 0, /* more chunks are welcome */
    FRAME_SNAPSHOT_STAGED = 1,  /* all of it is there, whole and durable */
    FRAME_SNAPSHOT_REFUSED = 2, /* it is not wanted, or something is wrong with it */
};

struct frame_snapshot_ack {
    uint64_t transfer;
    uint32_t received; /* chunks taken so far */
    enum frame_snapshot_outcome outcome;
};

/* The values stand on the wire. */
enum frame_repair_kind {
    FRAME_REPAIR_SEND = 1,     /* "send me your state, if it is at `index` or later"; with a `term`:
                                  "where I have cut my log at a committed entry of that term"; with
                                  a `transfer`: "unless this process of yours has begun that one" */
    FRAME_REPAIR_QUESTION = 2, /* "how far are you? I have no core"; the rest is 0 */
    FRAME_REPAIR_ANSWER = 3,   /* `term`, the last `index` of the log, whether it leads */
};

/* A node that has lost a part of its data, and who has it. */
struct frame_repair {
    enum frame_repair_kind kind;
    uint64_t term;
    uint64_t index;
    uint64_t transfer; /* as in struct frame_snapshot; 0: nothing is coming from you */
    bool leads;
};

/* What a replica's state is after an entry: equal on all that have applied it. */
struct frame_mark {
    bool is_question; /* what is yours there? */
    uint64_t index;   /* of the entry; not 0 */
    struct hash128 state_hash;
    uint64_t revision;
    uint64_t clock_ms;
};

/* The values stand on the wire. */
enum frame_record_state {
    FRAME_RECORD_NONE = 0,    /* there is no such key */
    FRAME_RECORD_WHOLE = 1,   /* it follows */
    FRAME_RECORD_REFUSED = 2, /* it is damaged here, too, or this member is not to be believed */
};

struct frame_record {
    uint64_t number; /* the question's */
    enum frame_record_state state;
    uint64_t applied;   /* the index that the sender had applied */
    struct slice bytes; /* the record, as in src/store/README.md; empty unless it is WHOLE */
};

/* What the payload of a FRAME_SNAPSHOT has besides its chunk, at most. */
#define FRAME_SNAPSHOT_OVERHEAD_MAX (2u << 10)

/*
 * Builds a whole frame: header, then `payload` copied in. Caller unrefs. The payload must not be
 * above FRAME_SIZE_MAX; header->payload_size is not read.
 */
struct buf *frame_build(const struct frame_header *header, struct slice payload);

/*
 * Takes frames out of a byte stream that arrives in pieces. All zero is an empty one.
 */
struct frame_parser {
    struct writer pending; /* bytes of a frame that is not complete yet */
};

/* `payload` borrows until it returns. Not OK: parsing stops and that is the result. */
typedef err frame_handler_fn(void *ctx, const struct frame_header *header, struct slice payload);

/*
 * Feeds `bytes`, calling `handler` for every complete frame whose magic, length and CRC are right,
 * in whatever order their numbers are: comparing them is the connection's part (net).
 * ERR_MALFORMED: the stream cannot be trusted any further, close the connection.
 */
MUST_USE err frame_parser_feed(struct frame_parser *parser, struct slice bytes,
                               frame_handler_fn *handler, void *ctx);
/* Gives the memory back and leaves an empty parser. */
void frame_parser_deinit(struct frame_parser *parser);

/* Appends the payload of a HELLO or WELCOME. */
void frame_hello_encode(const struct frame_hello *hello, struct writer *out);
/* Slices borrow from `bytes`; they are plain text. ERR_MALFORMED, ERR_VERSION (another protocol).
 */
MUST_USE err frame_hello_decode(struct slice bytes, struct frame_hello *out_hello);

/* Appends the payload of a REFUSE, its text cut to FRAME_REFUSE_TEXT_SIZE_MAX. */
void frame_refuse_encode(const struct frame_refuse *refuse, struct writer *out);
/* `out_refuse->text` borrows from `bytes`; it is plain text. ERR_MALFORMED. */
MUST_USE err frame_refuse_decode(struct slice bytes, struct frame_refuse *out_refuse);

/* Appends the payload of a FRAME_REPAIR. */
void frame_repair_encode(const struct frame_repair *repair, struct writer *out);
/* ERR_MALFORMED. */
MUST_USE err frame_repair_decode(struct slice bytes, struct frame_repair *out_repair);

/* Appends the payload of a FRAME_SNAPSHOT. */
void frame_snapshot_encode(const struct frame_snapshot *snapshot, struct writer *out);
/* Slices borrow from `bytes`; the message is not looked at. ERR_MALFORMED. */
MUST_USE err frame_snapshot_decode(struct slice bytes, struct frame_snapshot *out_snapshot);

/* Appends the payload of a FRAME_SNAPSHOT_ACK. */
void frame_snapshot_ack_encode(const struct frame_snapshot_ack *ack, struct writer *out);
/* ERR_MALFORMED. */
MUST_USE err frame_snapshot_ack_decode(struct slice bytes, struct frame_snapshot_ack *out_ack);

/* Appends the payload of a FRAME_RECORD. */
void frame_record_encode(const struct frame_record *record, struct writer *out);
/* `bytes` borrows and is not looked at. ERR_MALFORMED. */
MUST_USE err frame_record_decode(struct slice bytes, struct frame_record *out_record);

/* Appends the payload of a FRAME_STATE_MARK. */
void frame_mark_encode(const struct frame_mark *mark, struct writer *out);
/* ERR_MALFORMED; ERR_VERSION: of a newer pontoon, whose states cannot be compared with ours. */
MUST_USE err frame_mark_decode(struct slice bytes, struct frame_mark *out_mark);

#endif
