#include "main/draft.h"

#include <inttypes.h>
#include <string.h>

#include "api/units.h"
#include "base/assert.h"
#include "proto/text.h"

void main_draft_init(struct draft *draft, const char *path)
{
    *draft = (struct draft){.count = 0};
    ASSERT(path[0] == '/');
    main_draft_path(draft, path);
}

void main_draft_deinit(struct draft *draft)
{
    writer_deinit(&draft->target);
    writer_deinit(&draft->fields);
}

/* ---- the path ---- */

void main_draft_path(struct draft *draft, const char *text)
{
    ASSERT(!draft->has_query);
    writer_bytes(&draft->target, slice_from_text(text));
}

void main_draft_segment(struct draft *draft, const char *text)
{
    ASSERT(!draft->has_query);
    text_escape(slice_from_text(text), &draft->target);
}

/* ---- the query ---- */

void main_draft_param(struct draft *draft, const char *name, const char *value)
{
    writer_u8(&draft->target, draft->has_query ? '&' : '?');
    draft->has_query = true;
    writer_bytes(&draft->target, slice_from_text(name));
    if (value != NULL) {
        writer_u8(&draft->target, '=');
        text_escape(slice_from_text(value), &draft->target);
    }
}

void main_draft_param_u64(struct draft *draft, const char *name, uint64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRIu64, value);
    main_draft_param(draft, name, text);
}

void main_draft_param_ms(struct draft *draft, const char *name, uint64_t ms)
{
    char text[UNITS_TEXT_SIZE];
    api_units_format_duration(ms, text);
    main_draft_param(draft, name, text);
}

/* ---- header fields ---- */

/* RFC 9110, section 5.5, without the bytes above ASCII. */
static bool is_sendable(const char *value)
{
    for (const char *byte = value; *byte != '\0'; byte++) {
        if ((*byte < ' ' && *byte != '\t') || *byte > '~') {
            return false;
        }
    }
    return true;
}

void main_draft_field(struct draft *draft, const char *name, const char *value)
{
    ASSERT(draft->count < DRAFT_FIELDS_MAX);
    if (!is_sendable(value)) {
        draft->bad = name;
        return;
    }
    draft->starts[draft->count++] = draft->fields.size;
    writer_format(&draft->fields, "%s: %s", name, value);
    writer_u8(&draft->fields, '\0');
}

static bool is_number(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

void main_draft_field_etag(struct draft *draft, const char *name, const char *value)
{
    if (!is_number(value)) {
        main_draft_field(draft, name, value);
        return;
    }
    struct writer quoted = {0};
    writer_format(&quoted, "\"%s\"", value);
    writer_u8(&quoted, '\0');
    main_draft_field(draft, name, (const char *)quoted.data);
    writer_deinit(&quoted);
}

void main_draft_field_once(struct draft *draft, struct env *env)
{
    if (!DRAFT_HAS_IDEMPOTENCY_KEYS) {
        return;
    }
    char text[48];
    uint64_t high = env_random(env);
    uint64_t low = env_random(env);
    /* A UUID of version 4 (RFC 9562, section 5.4). */
    high = (high & ~UINT64_C(0xf000)) | UINT64_C(0x4000);
    low = (low & (UINT64_MAX >> 2)) | UINT64_C(1) << 63;
    (void)snprintf(
        text, sizeof(text), "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%012" PRIx64,
        high >> 32, high >> 16 & 0xffff, high & 0xffff, low >> 48, low & UINT64_C(0xffffffffffff));
    main_draft_field(draft, "Idempotency-Key", text);
    draft->is_repeatable = true;
}

/* ---- the request ---- */

err main_draft_finish(struct draft *draft, struct client_request *request, struct err_note *note)
{
    if (draft->bad != NULL) {
        return err_note_set(note, ERR_BAD_REQUEST,
                            "%s: a header field carries printable ASCII, and this has more",
                            draft->bad);
    }
    for (size_t i = 0; i < draft->count; i++) {
        draft->headers[i] = (const char *)draft->fields.data + draft->starts[i];
    }
    draft->headers[draft->count] = NULL;
    if (draft->target.data[draft->target.size - 1] != '\0') {
        writer_u8(&draft->target, '\0');
    }
    request->path = (const char *)draft->target.data;
    request->headers = draft->headers;
    request->is_repeatable = draft->is_repeatable;
    return OK;
}
