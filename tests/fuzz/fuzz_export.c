/* links: main */
/*
 * The lines of an export, as they come from somebody's file. The first byte says whether the last
 * line's checksum is made right (1), so that mutations get past it. A record that is accepted is
 * within the limits, fit for a request, behind the one before, and becomes a line that is read as
 * the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/export_format.h"
#include "base/assert.h"
#include "fuzz.h"

static void check_record(const struct export_parser *parser)
{
    struct slice key = writer_slice(&parser->key);
    struct slice type = writer_slice(&parser->content_type);
    ASSERT(key.size > 0 && key.size <= KEY_SIZE_MAX);
    ASSERT(parser->value.size <= VALUE_SIZE_CEILING);
    for (size_t i = 0; i < type.size; i++) {
        ASSERT(type.data[i] >= 0x20 && type.data[i] < 0x7f);
    }
    ASSERT(parser->last_key.size == 0 || slice_compare(writer_slice(&parser->last_key), key) < 0);
}

/* Writes what was read, and reads that. */
static void check_again(const struct export_parser *parser)
{
    struct export_sums sums = {0};
    struct export_parser again = {.lines = 0};
    struct writer out = {0};
    struct err_note note;
    enum export_line kind;
    struct store_region state = {.revision = parser->revision, .keys = 1};
    struct store_record record = {.value = writer_slice(&parser->value),
                                  .content_type = writer_slice(&parser->content_type)};
    api_export_put_head(&sums, &state, &out);
    size_t begin = out.size;
    err e = api_export_take(&again, (struct slice){out.data, begin - 1}, &kind, &note);
    ASSERT(e == OK && kind == EXPORT_HEAD);
    api_export_put_record(&sums, writer_slice(&parser->key), &record, &out);
    e = api_export_take(&again, (struct slice){out.data + begin, out.size - begin - 1}, &kind,
                        &note);
    ASSERT(e == OK && kind == EXPORT_RECORD);
    ASSERT(slice_equal(writer_slice(&again.key), writer_slice(&parser->key)));
    ASSERT(slice_equal(writer_slice(&again.value), writer_slice(&parser->value)));
    ASSERT(slice_equal(writer_slice(&again.content_type), writer_slice(&parser->content_type)));
    begin = out.size;
    api_export_put_end(&sums, &out);
    e = api_export_take(&again, (struct slice){out.data + begin, out.size - begin - 1}, &kind,
                        &note);
    ASSERT(e == OK && again.is_complete);
    api_export_parser_deinit(&again);
    writer_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct export_parser parser = {.lines = 0};
    struct err_note note;
    err e = OK;
    bool is_sealed = size > 0 && data[0] == '1';
    struct slice rest = {data + 1, size > 0 ? size - 1 : 0};
    while (e == OK && rest.size > 0) {
        enum export_line kind = EXPORT_HEAD;
        const uint8_t *end = memchr(rest.data, '\n', rest.size);
        struct slice line = {rest.data, end == NULL ? rest.size : (size_t)(end - rest.data)};
        rest.data += line.size + (end != NULL);
        rest.size -= line.size + (end != NULL);
        char last[80];
        if (is_sealed && slice_equal(line, SLICE_LITERAL("end"))) {
            (void)snprintf(last, sizeof(last), "{\"records\":%" PRIu64 ",\"crc32c\":\"%08x\"}",
                           parser.sums.records, parser.sums.crc);
            line = slice_from_text(last);
        }
        e = api_export_take(&parser, line, &kind, &note);
        ASSERT(e == OK || e == ERR_MALFORMED || e == ERR_DAMAGED || e == ERR_VERSION);
        if (e == OK && kind == EXPORT_RECORD) {
            check_record(&parser);
            check_again(&parser);
        }
    }
    ASSERT((api_export_finish(&parser, &note) == OK) == parser.is_complete);
    api_export_parser_deinit(&parser);
    return 0;
}
