/* links: store proto env */
/*
 * Blocks of the journal of changes (store/journal_format.h). The first byte says how the rest is
 * read: as a block (0), or as a block's body whose size and checksum are made right (1), so that
 * mutations get past them. What is told of a block is sound, and written again it is that block.
 */
#include "base/assert.h"
#include "base/crc32c.h"
#include "fuzz.h"
#include "store/journal_format.h"

static void check_block(struct slice bytes)
{
    struct store_journal_block block;
    size_t size = 0;
    if (store_journal_block_open(bytes, &block, &size) != OK) {
        return;
    }
    ASSERT(size <= bytes.size);
    struct writer again = {0};
    struct store_journal_change told;
    uint64_t revision = block.after;
    store_journal_block_begin(&again, block.after);
    err e;
    while ((e = store_journal_block_next(&block, &told)) == OK) {
        ASSERT(told.change.revision > block.after && told.change.revision >= revision);
        ASSERT(told.change.revision <= block.through);
        ASSERT((told.change.kind == STORE_CHANGE_PUT) == (told.record.owner != NULL));
        revision = told.change.revision;
        store_journal_block_add(&again, &told.change);
        buf_unref(told.record.owner);
    }
    if (e == ERR_NOT_FOUND) {
        store_journal_block_end(&again, block.through);
        ASSERT(slice_equal(writer_slice(&again), (struct slice){bytes.data, size}));
    } else {
        ASSERT(e == ERR_CORRUPT);
    }
    writer_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct slice rest = {data + 1, size - 1};
    if (data[0] == 0) {
        check_block(rest);
        return 0;
    }
    struct writer sealed = {0};
    writer_u32(&sealed, (uint32_t)rest.size);
    writer_u32(&sealed, crc32c(0, rest.data, rest.size));
    writer_bytes(&sealed, rest);
    check_block(writer_slice(&sealed));
    writer_deinit(&sealed);
    return 0;
}
