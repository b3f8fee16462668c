/* links: proto */
/* Membership changes: what decodes encodes to the same bytes again. */
#include "base/assert.h"
#include "fuzz.h"
#include "proto/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = {data, size};
    struct conf_change change;
    if (conf_change_decode(bytes, &change) == OK) {
        struct writer out = {0};
        conf_change_encode(&change, &out);
        ASSERT(slice_equal(writer_slice(&out), bytes));
        writer_deinit(&out);
    }
    return 0;
}
