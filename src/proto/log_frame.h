/*
 * What a node whose log is damaged asks of the others' logs, and what they answer: the payloads of
 * FRAME_LOG_ASK and FRAME_LOG_ENTRIES. Byte by byte in README.md.
 */
#ifndef PROTO_LOG_FRAME_H
#define PROTO_LOG_FRAME_H

#include "base/codec.h"
#include "proto/entry.h"

#define LOG_FRAME_ENTRIES_MAX 64u

/* Entries [low, high) of the region's log, please. */
struct log_frame_ask {
    uint64_t number; /* of the question; not 0 */
    uint64_t low;    /* not 0 */
    uint64_t high;   /* above low, by LOG_FRAME_ENTRIES_MAX at most */
};

struct log_frame_answer {
    uint64_t number; /* the question's */
    bool leads;      /* the sender leads the region */
    bool is_all;     /* it has no others of those that were asked for */
    uint32_t count;
    struct entry entries[LOG_FRAME_ENTRIES_MAX]; /* of ascending indexes, perhaps with gaps */
};

/* Appends the payload of a FRAME_LOG_ASK. */
void log_frame_ask_encode(const struct log_frame_ask *ask, struct writer *out);
/* ERR_MALFORMED. */
MUST_USE err log_frame_ask_decode(struct slice bytes, struct log_frame_ask *out_ask);

/* Appends the payload of a FRAME_LOG_ENTRIES. */
void log_frame_answer_encode(const struct log_frame_answer *answer, struct writer *out);
/* The caller has a reference to each entry's data: log_frame_answer_deinit. ERR_MALFORMED. */
MUST_USE err log_frame_answer_decode(struct slice bytes, struct log_frame_answer *out_answer);
/* Gives the entries' data back. */
void log_frame_answer_deinit(struct log_frame_answer *answer);

#endif
