#include "http/http_percent.h"

#include "base/assert.h"

unsigned http_hex_value(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        return (unsigned)byte - '0';
    }
    uint8_t lower = byte | 0x20;
    return lower >= 'a' && lower <= 'f' ? (unsigned)lower - 'a' + 10 : 16;
}

err http_percent_decode(struct slice text, uint8_t *target, struct slice *out_bytes)
{
    size_t size = 0;
    size_t i = 0;
    while (i < text.size) {
        uint8_t byte = text.data[i];
        i++;
        if (byte == '%') {
            unsigned high = i < text.size ? http_hex_value(text.data[i]) : 16;
            unsigned low = i + 1 < text.size ? http_hex_value(text.data[i + 1]) : 16;
            if (high > 15 || low > 15) {
                return ERR_BAD_REQUEST;
            }
            byte = (uint8_t)(high << 4 | low);
            i += 2;
        }
        target[size] = byte;
        size++;
    }
    ASSERT(size <= text.size);
    *out_bytes = (struct slice){target, size};
    return OK;
}
