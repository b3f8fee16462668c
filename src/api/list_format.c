#include "api/list_format.h"

#include <inttypes.h>

#include "api/text.h"
#include "proto/text.h"

void api_list_put_key(struct writer *out, struct slice key, const struct store_record *record,
                      bool has_value)
{
    writer_u8(out, '{');
    api_text_json_member(out, "key", key);
    writer_format(out,
                  ",\"etag\":\"%" PRIu64 "\",\"size\":%zu,\"create_revision\":%" PRIu64
                  ",\"version\":%" PRIu64,
                  record->mod_revision, record->value.size, record->create_revision,
                  record->version);
    if (record->content_type.size > 0) {
        writer_u8(out, ',');
        api_text_json_member(out, "content_type", record->content_type);
    }
    if (has_value) {
        writer_u8(out, ',');
        api_text_json_member(out, "value", record->value);
    }
    writer_u8(out, '}');
}

void api_list_put_prefix(struct writer *out, struct slice prefix)
{
    writer_u8(out, '{');
    api_text_json_member(out, "prefix", prefix);
    writer_u8(out, '}');
}

void api_list_put_line(struct writer *out, struct slice key)
{
    text_escape(key, out);
    writer_u8(out, '\n');
}
