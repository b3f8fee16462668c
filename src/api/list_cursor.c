#include "api/list_cursor.h"

#include "api/text.h"
#include "base/assert.h"
#include "base/crc32c.h"

#define FORMAT_VERSION 1u
#define CRC_SIZE 4u
#define TEXT_SIZE_MAX 1024u /* more than the longest place makes */

static uint32_t crc_of(struct slice bytes, uint64_t cluster_id)
{
    uint8_t id[8];
    store_u64(id, cluster_id);
    return crc32c(crc32c(0, id, sizeof(id)), bytes.data, bytes.size);
}

void api_list_cursor_write(const struct list_cursor *cursor, uint64_t cluster_id,
                           struct writer *out)
{
    ASSERT(cursor->place.size <= STORE_BOUND_SIZE_MAX);
    struct writer bytes = {0};
    writer_u8(&bytes, FORMAT_VERSION);
    writer_u8(&bytes, cursor->is_reverse);
    writer_u64(&bytes, cursor->revision);
    writer_u64(&bytes, cursor->list_hash);
    writer_bytes(&bytes, cursor->place);
    writer_u32(&bytes, crc_of(writer_slice(&bytes), cluster_id));
    size_t begin = out->size;
    api_text_base64(out, writer_slice(&bytes));
    writer_deinit(&bytes);
    while (out->size > begin && out->data[out->size - 1] == '=') {
        out->size--;
    }
    for (size_t i = begin; i < out->size; i++) {
        uint8_t byte = out->data[i];
        out->data[i] = byte == '+' ? '-' : byte == '/' ? '_' : byte;
    }
}

/* The alphabet of RFC 4648, section 4, with its padding. False: a byte is of neither alphabet. */
static bool to_standard(struct slice text, struct writer *out)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte == '+' || byte == '/' || byte == '=') {
            return false;
        }
        writer_u8(out, byte == '-' ? '+' : byte == '_' ? '/' : byte);
    }
    while (out->size % 4 != 0) {
        writer_u8(out, '=');
    }
    return true;
}

static err decode(struct slice bytes, uint64_t cluster_id, struct list_cursor *out_cursor)
{
    if (bytes.size < CRC_SIZE) {
        return ERR_BAD_REQUEST;
    }
    struct slice covered = {bytes.data, bytes.size - CRC_SIZE};
    struct reader reader = reader_of(covered);
    uint8_t version = reader_u8(&reader);
    uint8_t is_reverse = reader_u8(&reader);
    struct list_cursor cursor = {.is_reverse = is_reverse == 1,
                                 .revision = reader_u64(&reader),
                                 .list_hash = reader_u64(&reader)};
    cursor.place = reader_bytes(&reader, reader.size);
    if (!reader_ok(&reader) || version != FORMAT_VERSION || is_reverse > 1 ||
        cursor.place.size == 0 || cursor.place.size > STORE_BOUND_SIZE_MAX ||
        load_u32(bytes.data + covered.size) != crc_of(covered, cluster_id)) {
        return ERR_BAD_REQUEST;
    }
    *out_cursor = cursor;
    return OK;
}

err api_list_cursor_read(struct slice text, uint64_t cluster_id, struct writer *scratch,
                         struct list_cursor *out_cursor)
{
    struct writer standard = {0};
    writer_reset(scratch);
    bool is_text = text.size <= TEXT_SIZE_MAX && to_standard(text, &standard);
    err e = is_text ? api_text_base64_decode(scratch, writer_slice(&standard)) : ERR_MALFORMED;
    writer_deinit(&standard);
    return e == OK ? decode(writer_slice(scratch), cluster_id, out_cursor) : ERR_BAD_REQUEST;
}
