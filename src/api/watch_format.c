#include "api/watch_format.h"

#include <inttypes.h>

#include "api/text.h"

static const char *const kinds[] = {
    [STORE_CHANGE_PUT] = "put",
    [STORE_CHANGE_DELETE] = "delete",
    [STORE_CHANGE_EXPIRE] = "expire",
};

/* Up to the members of the data; an id of 0 is none. */
static void begin(struct writer *out, enum watch_form form, const char *event, uint64_t id)
{
    if (form == WATCH_FORM_NDJSON) {
        writer_format(out, "{\"event\":\"%s\",", event);
        if (id != 0) {
            writer_format(out, "\"id\":%" PRIu64 ",", id);
        }
        return;
    }
    writer_format(out, "event: %s\n", event);
    if (id != 0) {
        writer_format(out, "id: %" PRIu64 "\n", id);
    }
    writer_bytes(out, SLICE_LITERAL("data: {"));
}

static void end(struct writer *out, enum watch_form form)
{
    writer_bytes(out, form == WATCH_FORM_NDJSON ? SLICE_LITERAL("}\n") : SLICE_LITERAL("}\n\n"));
}

static void record_members(struct writer *out, const struct store_record *record)
{
    writer_u8(out, ',');
    api_text_json_member(out, "value", record->value);
    writer_format(out,
                  ",\"revision\":%" PRIu64 ",\"create_revision\":%" PRIu64 ",\"version\":%" PRIu64,
                  record->mod_revision, record->create_revision, record->version);
}

static void prev_members(struct writer *out, const struct history_entry *entry)
{
    bool is_damaged;
    const struct store_record *replaced = history_replaced(entry, &is_damaged);
    if (is_damaged) { /* that is not the same as none */
        writer_bytes(out, SLICE_LITERAL(",\"prev_damaged\":true"));
    }
    if (replaced != NULL) {
        writer_u8(out, ',');
        api_text_json_member(out, "prev_value", replaced->value);
        writer_format(out, ",\"prev_revision\":%" PRIu64, replaced->mod_revision);
    }
}

void api_watch_format_change(struct writer *out, struct watch_style style,
                             const struct history_entry *entry, bool is_last)
{
    begin(out, style.form, kinds[entry->kind], is_last ? entry->revision : 0);
    api_text_json_member(out, "key", entry->key);
    if (entry->kind == STORE_CHANGE_PUT) {
        record_members(out, &entry->record);
    } else {
        writer_format(out, ",\"revision\":%" PRIu64, entry->revision);
    }
    if (style.has_prev) {
        prev_members(out, entry);
    }
    end(out, style.form);
}

void api_watch_format_state(struct writer *out, struct watch_style style, struct slice key,
                            const struct store_record *record)
{
    begin(out, style.form, kinds[STORE_CHANGE_PUT], 0);
    api_text_json_member(out, "key", key);
    record_members(out, record);
    end(out, style.form);
}

void api_watch_format_mark(struct writer *out, enum watch_form form, enum watch_mark mark,
                           uint64_t revision)
{
    static const char *const names[] = {
        [WATCH_PROGRESS] = "progress", [WATCH_SYNCED] = "synced", [WATCH_RESET] = "reset"};
    if (form == WATCH_FORM_NDJSON) {
        writer_format(out, "{\"event\":\"%s\",\"%s\":%" PRIu64 "}\n", names[mark],
                      mark == WATCH_RESET ? "oldest" : "id", revision);
    } else if (mark == WATCH_RESET) { /* an id would be where a client goes on */
        writer_format(out, "event: reset\ndata: {\"oldest\":%" PRIu64 "}\n\n", revision);
    } else {
        writer_format(out, "event: %s\nid: %" PRIu64 "\ndata: {}\n\n", names[mark], revision);
    }
}

struct slice api_watch_format_begin(enum watch_form form)
{
    return form == WATCH_FORM_SSE ? SLICE_LITERAL("retry: 1000\n\n") : SLICE_EMPTY;
}

struct slice api_watch_format_heartbeat(enum watch_form form)
{
    return form == WATCH_FORM_SSE ? SLICE_LITERAL(":\n\n") : SLICE_EMPTY;
}
