#include "proto/log_frame.h"

#include "base/assert.h"

enum {
    FLAG_LEADS = 1,
    FLAG_ALL = 2,
};

static bool is_ask_valid(const struct log_frame_ask *ask)
{
    return ask->number != 0 && ask->low != 0 && ask->high > ask->low &&
           ask->high - ask->low <= LOG_FRAME_ENTRIES_MAX;
}

void log_frame_ask_encode(const struct log_frame_ask *ask, struct writer *out)
{
    ASSERT(is_ask_valid(ask));
    writer_u64(out, ask->number);
    writer_u64(out, ask->low);
    writer_u64(out, ask->high);
}

err log_frame_ask_decode(struct slice bytes, struct log_frame_ask *out_ask)
{
    struct reader in = reader_of(bytes);
    struct log_frame_ask ask = {.number = reader_u64(&in)};
    ask.low = reader_u64(&in);
    ask.high = reader_u64(&in);
    if (reader_finish(&in) != OK || !is_ask_valid(&ask)) {
        return ERR_MALFORMED;
    }
    *out_ask = ask;
    return OK;
}

void log_frame_answer_encode(const struct log_frame_answer *answer, struct writer *out)
{
    ASSERT(answer->number != 0);
    ASSERT(answer->count <= LOG_FRAME_ENTRIES_MAX);
    writer_u64(out, answer->number);
    writer_u8(out, (uint8_t)((answer->leads ? FLAG_LEADS : 0) | (answer->is_all ? FLAG_ALL : 0)));
    writer_u8(out, (uint8_t)answer->count);
    for (uint32_t i = 0; i < answer->count; i++) {
        ASSERT(i == 0 || answer->entries[i].pos.index > answer->entries[i - 1].pos.index);
        entry_encode(&answer->entries[i], out);
    }
}

static bool decode_entries(struct reader *in, uint32_t count, struct log_frame_answer *answer)
{
    uint64_t previous = 0;
    while (answer->count < count) {
        struct entry *entry = &answer->entries[answer->count];
        if (!entry_decode(in, entry)) {
            return false;
        }
        answer->count++;
        if (entry->pos.index <= previous) {
            return false;
        }
        previous = entry->pos.index;
    }
    return true;
}

err log_frame_answer_decode(struct slice bytes, struct log_frame_answer *out_answer)
{
    struct reader in = reader_of(bytes);
    struct log_frame_answer *answer = out_answer;
    answer->count = 0;
    answer->number = reader_u64(&in);
    uint8_t flags = reader_u8(&in);
    uint8_t count = reader_u8(&in);
    answer->leads = (flags & FLAG_LEADS) != 0;
    answer->is_all = (flags & FLAG_ALL) != 0;
    if (!reader_ok(&in) || answer->number == 0 || flags > (FLAG_LEADS | FLAG_ALL) ||
        count > LOG_FRAME_ENTRIES_MAX || !decode_entries(&in, count, answer) ||
        reader_finish(&in) != OK) {
        log_frame_answer_deinit(answer);
        return ERR_MALFORMED;
    }
    return OK;
}

void log_frame_answer_deinit(struct log_frame_answer *answer)
{
    for (uint32_t i = 0; i < answer->count; i++) {
        buf_drop(&answer->entries[i].data);
    }
    answer->count = 0;
}
