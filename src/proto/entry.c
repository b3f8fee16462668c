#include "proto/entry.h"

#include "base/assert.h"
#include "base/limits.h"

void entry_encode(const struct entry *entry, struct writer *out)
{
    ASSERT(entry->type <= ENTRY_BOOTSTRAP);
    ASSERT(entry_size(entry) <= ENTRY_SIZE_MAX);
    writer_u64(out, entry->pos.term);
    writer_u64(out, entry->pos.index);
    writer_u8(out, (uint8_t)entry->type);
    writer_sized(out, buf_slice(entry->data));
}

bool entry_decode(struct reader *in, struct entry *out_entry)
{
    struct raft_pos pos = {.term = reader_u64(in)};
    pos.index = reader_u64(in);
    uint8_t type = reader_u8(in);
    struct slice data = reader_sized(in, ENTRY_SIZE_MAX);
    if (!reader_ok(in) || type > ENTRY_BOOTSTRAP) {
        return false;
    }
    *out_entry = (struct entry){
        .pos = pos,
        .type = (enum entry_type)type,
        .data = data.size == 0 ? NULL : buf_copy(data),
    };
    return true;
}
