#include "store/region.h"

#include "base/assert.h"
#include "base/crc32c.h"

#define FORMAT_VERSION 2u
#define FORMAT_WITHOUT_SYSTEM 1u /* knows the users' space alone, and no TTL */
#define CRC_SIZE 4u

void store_region_encode(const struct store_region *region, struct writer *out)
{
    ASSERT(region->id != 0);
    ASSERT(region->revision <= REVISION_MAX);
    size_t begin = out->size;
    writer_u8(out, FORMAT_VERSION);
    writer_u64(out, region->id);
    writer_u64(out, region->applied.term);
    writer_u64(out, region->applied.index);
    writer_u64(out, region->revision);
    writer_u64(out, region->clock_ms);
    writer_u64(out, region->keys);
    writer_u64(out, region->key_bytes);
    writer_u64(out, region->value_bytes);
    writer_u64(out, region->state_hash.low);
    writer_u64(out, region->state_hash.high);
    writer_u64(out, region->system_keys);
    writer_u64(out, region->system_bytes);
    writer_u64(out, region->elapsed_ms);
    writer_u64(out, region->last_token);
    writer_u64(out, region->idempotency_keys);
    membership_encode(&region->membership, out);
    writer_u32(out, crc32c(0, out->data + begin, out->size - begin));
}

err store_region_decode(struct slice state, region_id id, struct store_region *out_region)
{
    if (state.size < CRC_SIZE) {
        return ERR_CORRUPT;
    }
    size_t size = state.size - CRC_SIZE;
    if (load_u32(state.data + size) != crc32c(0, state.data, size)) {
        return ERR_CORRUPT;
    }
    struct reader in = reader_of((struct slice){state.data, size});
    uint8_t version = reader_u8(&in);
    if (reader_ok(&in) && version != FORMAT_VERSION && version != FORMAT_WITHOUT_SYSTEM) {
        return ERR_VERSION;
    }
    struct store_region region = {.id = reader_u64(&in)};
    region.applied.term = reader_u64(&in);
    region.applied.index = reader_u64(&in);
    region.checkpoint = region.applied;
    region.revision = reader_u64(&in);
    region.clock_ms = reader_u64(&in);
    region.keys = reader_u64(&in);
    region.key_bytes = reader_u64(&in);
    region.value_bytes = reader_u64(&in);
    region.state_hash.low = reader_u64(&in);
    region.state_hash.high = reader_u64(&in);
    if (version != FORMAT_WITHOUT_SYSTEM) {
        region.system_keys = reader_u64(&in);
        region.system_bytes = reader_u64(&in);
        region.elapsed_ms = reader_u64(&in);
        region.last_token = reader_u64(&in);
        region.idempotency_keys = reader_u64(&in);
    }
    err e = membership_decode(&in, &region.membership);
    if (e != OK) {
        return e;
    }
    if (reader_finish(&in) != OK || region.revision > REVISION_MAX || region.applied.index == 0) {
        return ERR_MALFORMED;
    }
    if (region.id != id) {
        return ERR_CORRUPT;
    }
    *out_region = region;
    return OK;
}
