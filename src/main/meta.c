#include "main/meta.h"

#include <limits.h>
#include <string.h>

#include "api/document.h"
#include "api/text.h"
#include "api/units.h"
#include "base/assert.h"

struct field {
    const char *header;
    const char *name;
    bool is_number;
};

static const struct field fields[] = {
    {"ETag", "etag", false},
    {"KV-Revision", "revision", true},
    {"KV-Create-Revision", "create_revision", true},
    {"KV-Version", "version", true},
    {"Content-Length", "size", true},
    {"Content-Type", "content_type", false},
    {"Last-Modified", "modified", false},
    {"KV-TTL", "ttl", false},
    {"KV-Lease", "lease", false},
    {"KV-Consistency", "consistency", false},
    {"KV-Deleted", "deleted", true},
    {"Idempotency-Replayed", "replayed", false},
};

/* Calls each with the fields that are there, without the quotes of an entity tag. */
static void each_field(const struct client *client,
                       void (*each)(void *ctx, const struct field *field, const char *value),
                       void *ctx)
{
    for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
        const char *value = main_client_header(client, fields[i].header);
        if (value == NULL) {
            continue;
        }
        char text[256];
        bool is_quoted = value[0] == '"';
        (void)snprintf(text, sizeof(text), "%s", is_quoted ? value + 1 : value);
        size_t size = strlen(text);
        if (is_quoted && size > 0 && text[size - 1] == '"') {
            text[size - 1] = '\0';
        }
        each(ctx, &fields[i], text);
    }
}

static void add(void *ctx, const struct field *field, const char *value)
{
    uint64_t number = 0;
    if (field->is_number && api_units_parse_u64(slice_from_text(value), &number) == OK) {
        api_document_add_u64(ctx, field->name, number);
    } else {
        api_document_add_text(ctx, field->name, value);
    }
}

void main_meta_add(const struct client *client, struct json_object *document)
{
    each_field(client, add, document);
}

static void print(void *ctx, const struct field *field, const char *value)
{
    (void)fprintf(ctx, "%s: %s\n", field->name, value);
}

void main_meta_print(const struct client *client, FILE *out)
{
    each_field(client, print, out);
}

void main_meta_add_bytes(struct json_object *document, const char *name, struct slice bytes)
{
    struct writer text = {0};
    struct writer member = {0};
    bool is_text = api_text_is_utf8(bytes);
    if (!is_text) {
        api_text_base64(&text, bytes);
        bytes = writer_slice(&text);
    }
    writer_format(&member, "%s%s", name, is_text ? "" : "_base64");
    writer_u8(&member, '\0');
    ASSERT(bytes.size <= INT_MAX);
    api_document_add(document, (const char *)member.data,
                     json_object_new_string_len(bytes.size == 0 ? "" : (const char *)bytes.data,
                                                (int)bytes.size));
    writer_deinit(&member);
    writer_deinit(&text);
}
