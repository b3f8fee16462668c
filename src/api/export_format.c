#include "api/export_format.h"

#include <inttypes.h>
#include <json-c/json_object.h>
#include <json-c/json_object_iterator.h>
#include <json-c/json_tokener.h>
#include <stdio.h>
#include <string.h>

#include "api/text.h"
#include "base/assert.h"
#include "base/crc32c.h"

#define FORMAT_VERSION 1
#define CRC_DIGITS 8u
#define JSON_DEPTH_MAX 2

_Static_assert(EXPORT_LINE_SIZE_MAX < INT32_MAX, "json-c counts in ints");

/* ---- writing ---- */

/* Bytes that JSON's escapes add. */
static size_t escapes_size(struct slice text)
{
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        size += byte < 0x20 || byte == 0x7f ? 5 : byte == '"' || byte == '\\' ? 1 : 0;
    }
    return size;
}

/* X1 */
static void put_text(struct writer *out, const char *name, struct slice text)
{
    if (api_text_is_utf8(text) && escapes_size(text) <= text.size / 3) {
        writer_format(out, "\"%s\":", name);
        api_text_json(out, text);
    } else {
        writer_format(out, "\"%s_base64\":\"", name);
        api_text_base64(out, text);
        writer_u8(out, '"');
    }
}

static void end_line(struct export_sums *sums, struct writer *out, size_t begin)
{
    writer_bytes(out, SLICE_LITERAL("}\n"));
    sums->crc = crc32c(sums->crc, out->data + begin, out->size - begin);
}

void api_export_put_head(struct export_sums *sums, const struct store_region *state,
                         struct writer *out)
{
    size_t begin = out->size;
    writer_format(out,
                  "{\"pontoon_export\":%d,\"revision\":%" PRIu64 ",\"keys\":%" PRIu64
                  ",\"state_hash\":\"%016" PRIx64 "%016" PRIx64 "\"",
                  FORMAT_VERSION, state->revision, state->keys, state->state_hash.high,
                  state->state_hash.low);
    end_line(sums, out, begin);
}

void api_export_put_record(struct export_sums *sums, struct slice key,
                           const struct store_record *record, struct writer *out)
{
    size_t begin = out->size;
    writer_u8(out, '{');
    put_text(out, "key", key);
    writer_u8(out, ',');
    put_text(out, "value", record->value);
    if (record->content_type.size > 0) {
        writer_u8(out, ',');
        put_text(out, "content_type", record->content_type);
    }
    sums->records++;
    end_line(sums, out, begin);
}

void api_export_put_end(struct export_sums *sums, struct writer *out)
{
    writer_format(out, "{\"records\":%" PRIu64 ",\"crc32c\":\"%08" PRIx32 "\"}\n", sums->records,
                  sums->crc);
}

/* ---- reading ---- */

/* What a line may hold; each name stands in it at most once, as JSON text. */
struct fields {
    struct json_object *key, *key_base64;
    struct json_object *value, *value_base64;
    struct json_object *content_type, *content_type_base64;
    struct json_object *version, *revision, *keys, *state_hash;
    struct json_object *records, *crc32c;
    unsigned count;
};

static err sort_fields(struct json_object *object, struct fields *fields, struct err_note *note)
{
    const struct {
        const char *name;
        struct json_object **target;
    } table[] = {
        {"key", &fields->key},
        {"key_base64", &fields->key_base64},
        {"value", &fields->value},
        {"value_base64", &fields->value_base64},
        {"content_type", &fields->content_type},
        {"content_type_base64", &fields->content_type_base64},
        {"pontoon_export", &fields->version},
        {"revision", &fields->revision},
        {"keys", &fields->keys},
        {"state_hash", &fields->state_hash},
        {"records", &fields->records},
        {"crc32c", &fields->crc32c},
    };
    struct json_object_iterator end = json_object_iter_end(object);
    for (struct json_object_iterator it = json_object_iter_begin(object);
         !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
        const char *name = json_object_iter_peek_name(&it);
        size_t i = 0;
        while (i < ARRAY_COUNT(table) && strcmp(table[i].name, name) != 0) {
            i++;
        }
        if (i == ARRAY_COUNT(table)) {
            return err_note_set(note, ERR_MALFORMED, "unknown member \"%.40s\"", name);
        }
        *table[i].target = json_object_iter_peek_value(&it);
        fields->count++;
    }
    return OK;
}

static struct slice text_of(struct json_object *value)
{
    return (struct slice){(const uint8_t *)json_object_get_string(value),
                          (size_t)json_object_get_string_len(value)};
}

/* One of the two forms (X1) into `target`, which is reset. */
static err take_text(struct json_object *plain, struct json_object *base64, const char *name,
                     struct writer *target, struct err_note *note)
{
    struct json_object *value = plain != NULL ? plain : base64;
    writer_reset(target);
    if ((plain != NULL) == (base64 != NULL) || !json_object_is_type(value, json_type_string)) {
        return err_note_set(note, ERR_MALFORMED, "\"%s\" or \"%s_base64\" is there once, a text",
                            name, name);
    }
    if (plain != NULL) {
        writer_bytes(target, text_of(plain));
        return OK;
    }
    return api_text_base64_decode(target, text_of(base64)) == OK
               ? OK
               : err_note_set(note, ERR_MALFORMED, "\"%s_base64\" is no base64", name);
}

static err take_number(struct json_object *value, const char *name, uint64_t *out_number,
                       struct err_note *note)
{
    if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0) {
        return err_note_set(note, ERR_MALFORMED, "\"%s\" is a number", name);
    }
    *out_number = (uint64_t)json_object_get_int64(value);
    return OK;
}

static err take_head(struct export_parser *parser, const struct fields *fields,
                     struct err_note *note)
{
    uint64_t version = 0;
    if (parser->lines > 1 || fields->version == NULL) {
        return err_note_set(note, ERR_MALFORMED,
                            "an export begins with {\"pontoon_export\":1, and nothing else does");
    }
    err e = take_number(fields->version, "pontoon_export", &version, note);
    if (e == OK && version != FORMAT_VERSION) {
        return err_note_set(note, ERR_VERSION,
                            "an export of format %" PRIu64 ": use the pontoon that knows it",
                            version);
    }
    if (e == OK) {
        e = take_number(fields->revision, "revision", &parser->revision, note);
    }
    if (e == OK) {
        e = take_number(fields->keys, "keys", &parser->keys, note);
    }
    if (e == OK && (fields->count != 4 || fields->state_hash == NULL)) {
        return err_note_set(note, ERR_MALFORMED,
                            "the first line has pontoon_export, revision, keys and state_hash");
    }
    return e;
}

/* It goes into a header field. */
static bool is_content_type(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < 0x20 || text.data[i] > 0x7e) {
            return false;
        }
    }
    return text.size <= CONTENT_TYPE_SIZE_MAX;
}

static err check_record(const struct export_parser *parser, struct err_note *note)
{
    struct slice key = writer_slice(&parser->key);
    struct slice last = writer_slice(&parser->last_key);
    if (key.size == 0 || key.size > KEY_SIZE_MAX) {
        return err_note_set(note, ERR_MALFORMED, "a key has 1 to %u bytes", KEY_SIZE_MAX);
    }
    if (parser->value.size > VALUE_SIZE_CEILING) {
        return err_note_set(note, ERR_MALFORMED, "a value has at most %u bytes",
                            VALUE_SIZE_CEILING);
    }
    if (!is_content_type(writer_slice(&parser->content_type))) {
        return err_note_set(note, ERR_MALFORMED,
                            "a content type is at most %u bytes of visible ASCII",
                            CONTENT_TYPE_SIZE_MAX);
    }
    if (last.size > 0 && slice_compare(last, key) >= 0) {
        return err_note_set(note, ERR_DAMAGED, "its key does not come behind the one before it");
    }
    return OK;
}

static err take_record(struct export_parser *parser, const struct fields *fields,
                       struct err_note *note)
{
    bool has_type = fields->content_type != NULL || fields->content_type_base64 != NULL;
    struct writer last = parser->last_key;
    parser->last_key = parser->key;
    parser->key = last;
    err e = take_text(fields->key, fields->key_base64, "key", &parser->key, note);
    if (e == OK) {
        e = take_text(fields->value, fields->value_base64, "value", &parser->value, note);
    }
    writer_reset(&parser->content_type);
    if (e == OK && has_type) {
        e = take_text(fields->content_type, fields->content_type_base64, "content_type",
                      &parser->content_type, note);
    }
    if (e == OK && fields->count != (has_type ? 3 : 2)) {
        e = err_note_set(note, ERR_MALFORMED,
                         "a record has a key, a value and perhaps a content_type");
    }
    if (e == OK) {
        parser->sums.records++;
        e = check_record(parser, note);
    }
    return e;
}

/* X3. `parser->sums.crc` is of the lines before this one. */
static err take_end(struct export_parser *parser, const struct fields *fields,
                    struct err_note *note)
{
    uint64_t records = 0;
    char crc[CRC_DIGITS + 1];
    err e = take_number(fields->records, "records", &records, note);
    if (e != OK) {
        return e;
    }
    if (fields->count != 2 || !json_object_is_type(fields->crc32c, json_type_string)) {
        return err_note_set(note, ERR_MALFORMED, "the last line has records and crc32c");
    }
    (void)snprintf(crc, sizeof(crc), "%08" PRIx32, parser->sums.crc);
    if (records != parser->sums.records || records != parser->keys) {
        return err_note_set(note, ERR_DAMAGED,
                            "there are %" PRIu64 " records of %" PRIu64 ": it was cut or changed",
                            parser->sums.records, parser->keys);
    }
    if (!slice_equal(text_of(fields->crc32c), slice_from_text(crc))) {
        return err_note_set(note, ERR_DAMAGED,
                            "the checksum of what is before it is %s: it was changed", crc);
    }
    parser->is_complete = true;
    return OK;
}

/* One JSON object and nothing else; NULL: it is none. Caller puts it. */
static struct json_object *parse(struct slice line)
{
    struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
    ASSERT(tokener != NULL);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *object =
        json_tokener_parse_ex(tokener, (const char *)line.data, (int)line.size);
    bool is_whole = object != NULL && json_tokener_get_error(tokener) == json_tokener_success &&
                    json_tokener_get_parse_end(tokener) == line.size &&
                    json_object_is_type(object, json_type_object);
    json_tokener_free(tokener);
    if (!is_whole) {
        (void)json_object_put(object);
        return NULL;
    }
    return object;
}

static err take_object(struct export_parser *parser, struct json_object *object,
                       enum export_line *out_kind, struct err_note *note)
{
    struct fields fields = {.count = 0};
    err e = sort_fields(object, &fields, note);
    if (e != OK) {
        return e;
    }
    if (parser->lines == 1 || fields.version != NULL) {
        *out_kind = EXPORT_HEAD;
        return take_head(parser, &fields, note);
    }
    if (fields.records != NULL) {
        *out_kind = EXPORT_END;
        return take_end(parser, &fields, note);
    }
    *out_kind = EXPORT_RECORD;
    return take_record(parser, &fields, note);
}

err api_export_take(struct export_parser *parser, struct slice line, enum export_line *out_kind,
                    struct err_note *note)
{
    parser->lines++;
    if (parser->is_complete) {
        return err_note_set(note, ERR_MALFORMED, "there is something behind the last line");
    }
    struct json_object *object =
        line.size <= EXPORT_LINE_SIZE_MAX && line.size > 0 ? parse(line) : NULL;
    if (object == NULL) {
        return err_note_set(note, ERR_MALFORMED, "it is no JSON object on one line, or too long");
    }
    err e = take_object(parser, object, out_kind, note);
    (void)json_object_put(object);
    parser->sums.crc = crc32c(parser->sums.crc, line.data, line.size);
    parser->sums.crc = crc32c(parser->sums.crc, "\n", 1);
    return e;
}

err api_export_finish(const struct export_parser *parser, struct err_note *note)
{
    return parser->is_complete
               ? OK
               : err_note_set(note, ERR_DAMAGED,
                              "its last line is not there: it was cut short; export it again");
}

void api_export_parser_deinit(struct export_parser *parser)
{
    writer_deinit(&parser->key);
    writer_deinit(&parser->value);
    writer_deinit(&parser->content_type);
    writer_deinit(&parser->last_key);
}
