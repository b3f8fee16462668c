/*
 * An export: a state as lines of JSON, for people and other programs, byte-exact. No I/O.
 *
 *     {"pontoon_export":1,"revision":42,"keys":2,"state_hash":"6f…"}
 *     {"key":"app/a","value":"bar","content_type":"text/plain"}
 *     {"key_base64":"/wA=","value":""}
 *     {"records":2,"crc32c":"1b0c8a3f"}
 *
 * X1  A text is what it says, anything else stands as base64 in …_base64: what is not UTF-8, and
 *     what would be longer with JSON's escapes. Either is read, whichever it is.
 * X2  The keys grow from line to line: none comes twice, so the order of writing them is free.
 * X3  The last line has the number of records and the CRC-32C of all bytes before it: what was cut,
 *     or changed, is refused. So is everything that is not known.
 */
#ifndef API_EXPORT_FORMAT_H
#define API_EXPORT_FORMAT_H

#include "base/codec.h"
#include "base/limits.h"
#include "store/store.h"

/* A value in base64, and everything beside it. */
#define EXPORT_LINE_SIZE_MAX ((size_t)VALUE_SIZE_CEILING / 3 * 4 + 16384)

/* What the last line tells. All zero at first. */
struct export_sums {
    uint64_t records;
    uint32_t crc;
};

/* ---- writing: each appends one line ---- */

/* The first one. Borrows `state`. */
void api_export_put_head(struct export_sums *sums, const struct store_region *state,
                         struct writer *out);
/* One record. Borrows both. */
void api_export_put_record(struct export_sums *sums, struct slice key,
                           const struct store_record *record, struct writer *out);
/* The last one. */
void api_export_put_end(struct export_sums *sums, struct writer *out);

/* ---- reading ---- */

enum export_line {
    EXPORT_HEAD,
    EXPORT_RECORD,
    EXPORT_END,
};

/* All zero: before the first line. */
struct export_parser {
    struct export_sums sums;
    uint64_t lines;
    bool is_complete; /* after the last line: everything was right */
    uint64_t revision;
    uint64_t keys;
    /* Of the last record. */
    struct writer key;
    struct writer value;
    struct writer content_type; /* empty: none */
    struct writer last_key;
};

/*
 * Takes the next line, without its end, which was a newline. The note names no line: the caller
 * does. ERR_MALFORMED (it is none of ours), ERR_DAMAGED (X2, X3), ERR_VERSION; after an error there
 * is no next.
 */
MUST_USE err api_export_take(struct export_parser *parser, struct slice line,
                             enum export_line *out_kind, struct err_note *note);
/* That was all: ERR_DAMAGED, with a note, unless it is complete. */
MUST_USE err api_export_finish(const struct export_parser *parser, struct err_note *note);
/* Frees what is held. */
void api_export_parser_deinit(struct export_parser *parser);

#endif
