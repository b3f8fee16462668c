/* links: proto */
/* A frame's raft messages: what decodes encodes to the same bytes again. */
#include "base/assert.h"
#include "fuzz.h"
#include "proto/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader in = reader_of((struct slice){data, size});
    while (in.size > 0) {
        struct slice before = {in.data, in.size};
        struct owned_message owned;
        if (message_decode(&in, &owned) != OK) {
            return 0;
        }
        ASSERT((owned.message.snapshot != NULL) == (owned.message.type == MSG_SNAP));
        struct writer out = {0};
        message_encode(&owned.message, &out);
        ASSERT(slice_equal(writer_slice(&out), (struct slice){before.data, before.size - in.size}));
        writer_deinit(&out);
        message_deinit(&owned);
    }
    return 0;
}
