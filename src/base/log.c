#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/mem.h"

#define MARK_CUT "..."
/* Kept free at the end of a line for `truncated=true`, a closing brace and the newline. */
#define TAIL_SIZE 32u

/* One call site's repetitions within the window that began at `since_ms` (L3). */
struct site {
    const char *name; /* NULL: free */
    const char *message;
    enum log_level level;
    uint64_t since_ms;
    uint64_t count;
};

struct log {
    struct log_options options;
    struct site sites[LOG_SITES_MAX];
    uint64_t held_back; /* sites whose count is above LOG_BURST */
};

/* A line under construction. Nothing is ever written past LOG_LINE_SIZE_MAX (L4). */
struct line {
    char text[LOG_LINE_SIZE_MAX];
    size_t size;
    size_t limit;
    bool is_json;
    bool is_full; /* the last piece did not fit */
};

static const char *level_name(enum log_level level)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    ASSERT(level <= LOG_LEVEL_DEBUG);
    return names[level];
}

/* ---- pieces of a line ---- */

/* Appends all of the piece, or nothing. */
static void put(struct line *line, const char *piece, size_t size)
{
    ASSERT(line->size <= line->limit);
    if (size > line->limit - line->size) {
        line->is_full = true;
        return;
    }
    memcpy(line->text + line->size, piece, size);
    line->size += size;
}

static void put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/*
 * The size of the UTF-8 sequence at `text` (RFC 3629: no overlong forms, no surrogates), and 0 if
 * there is none. A NUL ends every sequence, so that this never reads past the text's end.
 */
static size_t utf8_size(const unsigned char *text)
{
    unsigned char lead = text[0];
    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xc2 || lead > 0xf4) {
        return 0;
    }
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    if (lead == 0xe0) {
        low = 0xa0;
    } else if (lead == 0xed) {
        high = 0x9f;
    } else if (lead == 0xf0) {
        low = 0x90;
    } else if (lead == 0xf4) {
        high = 0x8f;
    }
    if (text[1] < low || text[1] > high) {
        return 0;
    }
    size_t size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    for (size_t i = 2; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return size;
}

/* Whether the sequence is a control character: C0, DEL or C1 (U+0080 to U+009F). */
static bool is_control(const unsigned char *text)
{
    return text[0] < 0x20 || text[0] == 0x7f || (text[0] == 0xc2 && text[1] < 0xa0);
}

/* Appends one character, escaped as JSON does it (L5), and returns how many bytes it had. */
static size_t put_escaped(struct line *line, const unsigned char *text)
{
    char escape[8];
    size_t size = utf8_size(text);
    if (size == 0) {
        put_text(line, "\\ufffd");
        return 1;
    }
    if (*text == '"' || *text == '\\') {
        (void)snprintf(escape, sizeof(escape), "\\%c", *text);
        put_text(line, escape);
    } else if (*text == '\n') {
        put_text(line, "\\n");
    } else if (is_control(text)) {
        (void)snprintf(escape, sizeof(escape), "\\u%04x", size == 1 ? text[0] : text[1]);
        put_text(line, escape);
    } else {
        put(line, (const char *)text, size);
    }
    return size;
}

/* Whether logfmt needs no quotes around `text`. */
static bool is_bare(const char *text)
{
    const unsigned char *next = (const unsigned char *)text;
    if (*next == '\0') {
        return false;
    }
    while (*next != '\0') {
        size_t size = utf8_size(next);
        if (size == 0 || is_control(next) || strchr(" =\"\\", *next) != NULL) {
            return false;
        }
        next += size;
    }
    return true;
}

static void put_value(struct line *line, const char *value)
{
    const unsigned char *begin = (const unsigned char *)(value != NULL ? value : "");
    if (!line->is_json && is_bare((const char *)begin) &&
        strlen((const char *)begin) <= LOG_TEXT_SIZE_MAX) {
        put_text(line, (const char *)begin);
        return;
    }
    put_text(line, "\"");
    const unsigned char *next = begin;
    while (*next != '\0' && (size_t)(next - begin) < LOG_TEXT_SIZE_MAX) {
        next += put_escaped(line, next);
    }
    put_text(line, *next != '\0' ? MARK_CUT "\"" : "\"");
}

/* ---- fields ---- */

static void put_key(struct line *line, const char *key)
{
    bool is_first = line->size == 0;
    if (line->is_json) {
        put_text(line, is_first ? "{\"" : ",\"");
        put_text(line, key);
        put_text(line, "\":");
    } else {
        put_text(line, is_first ? "" : " ");
        put_text(line, key);
        put_text(line, "=");
    }
}

/* Appends the whole field, or nothing; false: it had no room. */
static bool put_field(struct line *line, const struct log_field *field)
{
    char number[24];
    size_t size_before = line->size;
    line->is_full = false;
    put_key(line, field->key);
    switch (field->type) {
    case LOG_FIELD_U64:
        (void)snprintf(number, sizeof(number), "%" PRIu64, field->value.u64);
        put_text(line, number);
        break;
    case LOG_FIELD_I64:
        (void)snprintf(number, sizeof(number), "%" PRId64, field->value.i64);
        put_text(line, number);
        break;
    case LOG_FIELD_TEXT:
        put_value(line, field->value.text);
        break;
    default:
        UNREACHABLE();
    }
    if (line->is_full) {
        line->size = size_before;
        return false;
    }
    return true;
}

static void put_timestamp(struct line *line, uint64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm calendar = {0};
    char date[32];
    char text[48];
    if (gmtime_r(&seconds, &calendar) == NULL ||
        strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &calendar) == 0) {
        date[0] = '\0'; /* a clock beyond the calendar: the line matters more */
    }
    (void)snprintf(text, sizeof(text), "%s.%03uZ", date, (unsigned)(wall_ms % 1000));
    put_field(line, &LOG_TEXT("ts", text));
}

static void line_write(struct log *log, uint64_t now_ms, enum log_level level, const char *message,
                       const struct log_field *fields, size_t field_count)
{
    struct line line = {.size = 0,
                        .limit = LOG_LINE_SIZE_MAX - TAIL_SIZE,
                        .is_json = log->options.format == LOG_FORMAT_JSON};
    put_timestamp(&line, now_ms);
    put_field(&line, &LOG_TEXT("level", level_name(level)));
    if (log->options.node_id != 0) {
        put_field(&line, &LOG_U64("node", log->options.node_id));
    }
    put_field(&line, &LOG_TEXT("msg", message));
    bool is_whole = true;
    for (size_t i = 0; i < field_count; i++) {
        ASSERT(fields[i].key != NULL);
        is_whole = put_field(&line, &fields[i]) && is_whole;
    }
    line.limit = LOG_LINE_SIZE_MAX;
    if (!is_whole) {
        put_key(&line, "truncated");
        put_text(&line, "true");
    }
    put_text(&line, line.is_json ? "}\n" : "\n");
    log->options.sink(log->options.sink_ctx, level, line.text, line.size);
}

/* ---- repetitions (L3) ---- */

/* Ends the site's window: says what was left out, and makes the slot free. */
static void site_close(struct log *log, struct site *site, uint64_t now_ms)
{
    if (site->name != NULL && site->count > LOG_BURST) {
        const struct log_field fields[] = {
            LOG_TEXT("repeated", site->message),
            LOG_TEXT("site", site->name),
            LOG_U64("count", site->count - LOG_BURST),
        };
        ASSERT(log->held_back > 0);
        log->held_back--;
        line_write(log, now_ms, site->level, "lines left out", fields, ARRAY_COUNT(fields));
    }
    *site = (struct site){0};
}

/* A wall clock may jump back: then, too, the window is over. */
static bool site_has_expired(const struct site *site, uint64_t now_ms)
{
    return now_ms < site->since_ms || now_ms - site->since_ms >= LOG_BURST_WINDOW_MS;
}

static void close_expired(struct log *log, uint64_t now_ms)
{
    for (size_t i = 0; i < LOG_SITES_MAX && log->held_back > 0; i++) {
        struct site *site = &log->sites[i];
        if (site->count > LOG_BURST && site_has_expired(site, now_ms)) {
            site_close(log, site, now_ms);
        }
    }
}

/* The slot of the site, which may be a new one; another site may lose its own for it. */
static struct site *site_of(struct log *log, const struct site *wanted)
{
    struct site *victim = &log->sites[0];
    for (size_t i = 0; i < LOG_SITES_MAX; i++) {
        struct site *site = &log->sites[i];
        if (site->name == wanted->name && site->message == wanted->message) {
            if (site_has_expired(site, wanted->since_ms)) {
                victim = site;
                break;
            }
            return site;
        }
        if (victim->name != NULL && (site->name == NULL || site->since_ms < victim->since_ms)) {
            victim = site;
        }
    }
    site_close(log, victim, wanted->since_ms);
    *victim = *wanted;
    return victim;
}

/* Counts one line of the site; whether it may be written. */
static bool site_admit(struct log *log, const struct site *wanted)
{
    struct site *site = site_of(log, wanted);
    site->count++;
    if (site->count == LOG_BURST + 1) {
        log->held_back++;
    }
    return site->count <= LOG_BURST;
}

/* ---- the log ---- */

struct log *log_new(const struct log_options *options)
{
    ASSERT(options->sink != NULL);
    ASSERT(options->clock != NULL);
    struct log *log = mem_calloc(1, sizeof(*log));
    log->options = *options;
    return log;
}

void log_free(struct log *log)
{
    if (log == NULL) {
        return;
    }
    uint64_t now_ms = log->options.clock(log->options.clock_ctx);
    for (size_t i = 0; i < LOG_SITES_MAX; i++) {
        site_close(log, &log->sites[i], now_ms);
    }
    ASSERT(log->held_back == 0);
    mem_free(log);
}

void log_set_level(struct log *log, enum log_level level)
{
    log->options.level = level;
}

void log_set_node_id(struct log *log, uint64_t node_id)
{
    log->options.node_id = node_id;
}

bool log_enabled(const struct log *log, enum log_level level)
{
    return log != NULL && level <= log->options.level;
}

void log_write(struct log *log, enum log_level level, const char *site, const char *message,
               const struct log_field *fields, size_t field_count)
{
    if (!log_enabled(log, level)) {
        return;
    }
    ASSERT(message != NULL);
    uint64_t now_ms = log->options.clock(log->options.clock_ctx);
    close_expired(log, now_ms);
    const struct site wanted = {
        .name = site, .message = message, .level = level, .since_ms = now_ms, .count = 0};
    if (site == NULL || site_admit(log, &wanted)) {
        line_write(log, now_ms, level, message, fields, field_count);
    }
}
