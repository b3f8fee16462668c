/* links: proto */
/* Memberships: what decodes has a valid configuration and encodes to the same bytes again. */
#include "base/assert.h"
#include "fuzz.h"
#include "proto/membership.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader in = reader_of((struct slice){data, size});
    struct membership membership;
    if (membership_decode(&in, &membership) == OK) {
        ASSERT(conf_state_is_valid(&membership.conf));
        struct writer out = {0};
        membership_encode(&membership, &out);
        ASSERT(slice_equal(writer_slice(&out), (struct slice){data, size - in.size}));
        writer_deinit(&out);
    }
    return 0;
}
