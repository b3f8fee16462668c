#include "proto/text.h"

bool text_is_plain(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < 0x20 || text.data[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

static bool is_unreserved(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' ||
           byte == '~' || byte == '/';
}

void text_escape(struct slice bytes, struct writer *out)
{
    for (size_t i = 0; i < bytes.size; i++) {
        if (is_unreserved(bytes.data[i])) {
            writer_u8(out, bytes.data[i]);
        } else {
            writer_format(out, "%%%02X", bytes.data[i]);
        }
    }
}
