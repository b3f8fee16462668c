#include "main/events.h"

#include <string.h>

#include "api/units.h"

void main_events_deinit(struct events *events)
{
    writer_deinit(&events->line);
    writer_deinit(&events->name);
    writer_deinit(&events->id);
    writer_deinit(&events->data);
}

static void forget_event(struct events *events)
{
    writer_reset(&events->name);
    writer_reset(&events->id);
    writer_reset(&events->data);
    events->has_data = false;
}

void main_events_begin(struct events *events)
{
    forget_event(events);
    writer_reset(&events->line);
    events->is_behind_return = false;
    events->is_too_large = false;
}

static const char *text_of(struct writer *writer, const char *standard)
{
    if (writer->size == 0) {
        return standard;
    }
    writer_u8(writer, '\0');
    return (const char *)writer->data;
}

static bool dispatch(struct events *events)
{
    bool goes_on = true;
    if (events->has_data) {
        const struct event event = {
            .name = text_of(&events->name, "message"),
            .id = text_of(&events->id, ""),
            .data = writer_slice(&events->data),
        };
        goes_on = events->event(events->ctx, &event);
    }
    forget_event(events);
    return goes_on;
}

static bool is_field(struct slice name, const char *text)
{
    return slice_equal(name, slice_from_text(text));
}

static void set(struct writer *target, struct slice value)
{
    writer_reset(target);
    writer_bytes(target, value);
}

static void take_field(struct events *events, struct slice name, struct slice value)
{
    uint64_t ms = 0;
    if (is_field(name, "data")) {
        if (events->has_data) {
            writer_u8(&events->data, '\n');
        }
        events->has_data = true;
        writer_bytes(&events->data, value);
    } else if (is_field(name, "event")) {
        set(&events->name, value);
    } else if (is_field(name, "id")) {
        if (value.size == 0 || memchr(value.data, '\0', value.size) == NULL) {
            set(&events->id, value);
        }
    } else if (is_field(name, "retry") && api_units_parse_u64(value, &ms) == OK) {
        events->retry_ms = ms;
    }
}

static bool take_line(struct events *events)
{
    struct slice line = writer_slice(&events->line);
    if (line.size == 0) {
        return dispatch(events);
    }
    const uint8_t *colon = memchr(line.data, ':', line.size);
    size_t name_size = colon == NULL ? line.size : (size_t)(colon - line.data);
    size_t value_start = colon == NULL ? line.size : name_size + 1;
    if (value_start < line.size && line.data[value_start] == ' ') {
        value_start++;
    }
    struct slice name = {line.data, name_size};
    struct slice value = {line.data + value_start, line.size - value_start};
    take_field(events, name, value); /* a comment has no name */
    writer_reset(&events->line);
    return true;
}

/* Where the line ends, or the bytes do. */
static size_t line_size(struct slice bytes)
{
    size_t size = 0;
    while (size < bytes.size && bytes.data[size] != '\n' && bytes.data[size] != '\r') {
        size++;
    }
    return size;
}

bool main_events_take(struct events *events, struct slice bytes)
{
    while (bytes.size > 0) {
        if (events->is_behind_return && bytes.data[0] == '\n') {
            events->is_behind_return = false;
            bytes = (struct slice){bytes.data + 1, bytes.size - 1};
            continue;
        }
        events->is_behind_return = false;
        size_t size = line_size(bytes);
        size_t held = events->line.size + events->data.size;
        if (size > events->size_max || held > events->size_max - size) {
            events->is_too_large = true;
            return false;
        }
        writer_bytes(&events->line, (struct slice){bytes.data, size});
        bool is_line = size < bytes.size;
        if (is_line) {
            events->is_behind_return = bytes.data[size] == '\r';
            size++;
            if (!take_line(events)) {
                return false;
            }
        }
        bytes.data += size;
        bytes.size -= size;
    }
    return true;
}
