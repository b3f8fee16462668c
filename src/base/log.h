/*
 * Leveled, structured log lines: logfmt for people, JSON for machines. No I/O here: a finished line
 * goes to a sink, which must not block (env/stderr_sink.h drops and counts instead).
 *
 *     LOG_INFO(log, "leader elected", LOG_U64("term", term), LOG_U64("leader", id));
 *
 * L1  No user's keys or values at info or above.
 * L2  Libraries do not log what they return; node, api and main log once, at the level that
 *     decides.
 * L3  The same message of one call site repeats at most LOG_BURST times in LOG_BURST_WINDOW_MS;
 *     then one line says how many were left out.
 * L4  A line has at most LOG_LINE_SIZE_MAX bytes, newline included: what a pipe takes in one piece.
 *     A longer text is cut and ends in "...", a field without room is left out; the line stays
 *     valid.
 * L5  A line is valid UTF-8 and has no control characters, whatever a text field held: it cannot be
 *     split, and nothing in it can drive a terminal.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

#define LOG_LINE_SIZE_MAX 4096u
#define LOG_TEXT_SIZE_MAX 1024u /* of one text field, before escaping */
#define LOG_BURST 10u
#define LOG_BURST_WINDOW_MS 10000u
#define LOG_SITES_MAX 128u /* call sites that L3 tells apart at one time; the quietest makes room */

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
};

enum log_format {
    LOG_FORMAT_LOGFMT,
    LOG_FORMAT_JSON,
};

enum log_field_type {
    LOG_FIELD_U64,
    LOG_FIELD_I64,
    LOG_FIELD_TEXT,
};

struct log_field {
    const char *key;
    enum log_field_type type;
    union {
        uint64_t u64;
        int64_t i64;
        const char *text; /* escaped when written; NULL is an empty one */
    } value;
};

#define LOG_U64(key_, value_)                                                                      \
    ((struct log_field){.key = (key_), .type = LOG_FIELD_U64, .value = {.u64 = (value_)}})
#define LOG_I64(key_, value_)                                                                      \
    ((struct log_field){.key = (key_), .type = LOG_FIELD_I64, .value = {.i64 = (value_)}})
#define LOG_TEXT(key_, value_)                                                                     \
    ((struct log_field){.key = (key_), .type = LOG_FIELD_TEXT, .value = {.text = (value_)}})
#define LOG_ERR(value_) LOG_TEXT("err", err_name(value_))

/* Takes one finished line, newline included; borrows it until it returns. Must not block. */
typedef void log_sink_fn(void *ctx, enum log_level level, const char *line, size_t size);
/* Milliseconds since the epoch. */
typedef uint64_t log_clock_fn(void *ctx);

struct log_options {
    enum log_level level;
    enum log_format format;
    uint64_t node_id; /* a field of every line; 0: none */
    log_sink_fn *sink;
    void *sink_ctx;
    log_clock_fn *clock;
    void *clock_ctx;
};

struct log;

/* A log; copies `options` and borrows its contexts for the log's life. Loop thread, as everything
 * here. Caller frees. */
struct log *log_new(const struct log_options *options);
/* Says what L3 still holds back, and frees `log`; accepts NULL. */
void log_free(struct log *log);
/* Writes lines of `level` and the more important ones from now on. */
void log_set_level(struct log *log, enum log_level level);
/* Puts `node_id` into every line from now on (0: none). */
void log_set_node_id(struct log *log, uint64_t node_id);
/* Whether a line of `level` would be written; false for NULL. */
bool log_enabled(const struct log *log, enum log_level level);

/*
 * Writes one line. `log` may be NULL (nothing is written): tests need none. `site` names the call
 * site for L3 and the macros below make it; NULL: L3 does not apply (lines that were asked for one
 * by one, as an access log). `site` and `message` have static storage: they are told apart by
 * address. A field's key is a literal in lower_case.
 */
void log_write(struct log *log, enum log_level level, const char *site, const char *message,
               const struct log_field *fields, size_t field_count);

#define LOG_STRINGIFY_(x) #x
#define LOG_STRINGIFY(x) LOG_STRINGIFY_(x)
#define LOG_SITE __FILE__ ":" LOG_STRINGIFY(__LINE__)
#define LOG_AT(log, level, message, ...)                                                           \
    do {                                                                                           \
        const struct log_field log_fields_[] = {{.key = NULL}, ##__VA_ARGS__};                     \
        log_write((log), (level), LOG_SITE, (message), log_fields_ + 1,                            \
                  ARRAY_COUNT(log_fields_) - 1);                                                   \
    } while (0)
#define LOG_ERROR(log, message, ...) LOG_AT(log, LOG_LEVEL_ERROR, message, ##__VA_ARGS__)
#define LOG_WARN(log, message, ...) LOG_AT(log, LOG_LEVEL_WARN, message, ##__VA_ARGS__)
#define LOG_INFO(log, message, ...) LOG_AT(log, LOG_LEVEL_INFO, message, ##__VA_ARGS__)
#define LOG_DEBUG(log, message, ...) LOG_AT(log, LOG_LEVEL_DEBUG, message, ##__VA_ARGS__)

#endif
