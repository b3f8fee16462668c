/* links: proto */
/* Commands, and results: the first byte says which. What decodes encodes to the same bytes, but for
 * commands of the first format, which had no quota. */
#include "base/assert.h"
#include "fuzz.h"
#include "proto/command.h"

static void try_command(struct slice bytes)
{
    struct command command;
    if (command_decode(bytes, &command) == OK) {
        struct txn txn;
        if (command.type == COMMAND_TXN) {
            err e = txn_decode(command.value, &txn); /* command_decode has looked */
            ASSERT(e == OK);
            command.txn = &txn;
            command.value = SLICE_EMPTY;
        }
        struct buf *encoded = command_encode(&command);
        bool is_first_format = bytes.data[0] == 1;
        ASSERT(is_first_format || slice_equal(buf_slice(encoded), bytes));
        ASSERT(!is_first_format || encoded->size == bytes.size + sizeof(command.quota_bytes));
        buf_unref(encoded);
    }
}

/* An error's name that is not known does not come back as it was. */
static void try_result(struct slice bytes)
{
    struct reader in = reader_of(bytes);
    struct command_result result;
    if (command_result_decode(&in, &result) == OK) {
        struct writer out = {0};
        command_result_encode(&result, &out);
        ASSERT(result.e == ERR_INTERNAL ||
               slice_equal(writer_slice(&out), (struct slice){bytes.data, bytes.size - in.size}));
        writer_deinit(&out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct slice rest = {data + 1, size - 1};
    if (data[0] == 0) {
        try_command(rest);
    } else {
        try_result(rest);
    }
    return 0;
}
