#include "api/fence.h"

#include <inttypes.h>
#include <string.h>

#include "api/key.h"
#include "api/units.h"
#include "base/assert.h"
#include "proto/text.h"

err api_fence_decode_name(struct exchange *x, struct slice raw, enum txn_lock_kind kind,
                          struct slice *out_name, struct problem *problem)
{
    struct slice name;
    uint8_t *memory = http_alloc(x->request, raw.size + 1);
    err e = api_key_decode(raw, memory + 1, &name, problem);
    if (e == ERR_KEY_TOO_LONG || (e == OK && name.size > TXN_LOCK_NAME_SIZE_MAX)) {
        problem->limit = TXN_LOCK_NAME_SIZE_MAX;
        return api_problem_set(problem, ERR_BAD_REQUEST, "a lock's name is at most %u bytes",
                               TXN_LOCK_NAME_SIZE_MAX);
    }
    if (e == OK) {
        memmove(memory + 1, name.data, name.size);
        memory[0] = (uint8_t)kind;
        *out_name = (struct slice){memory, name.size + 1};
    }
    return e;
}

err api_fence_parse(struct exchange *x, struct slice text, struct fence *out_fence,
                    struct problem *problem)
{
    size_t colon = text.size;
    while (colon > 0 && text.data[colon - 1] != ':') {
        colon--;
    }
    struct slice token = {text.data + colon, text.size - colon};
    struct slice raw = {text.data, colon > 0 ? colon - 1 : 0};
    if (raw.size == 0 || api_units_parse_u64(token, &out_fence->token) != OK) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "KV-Fence is NAME:TOKEN, as the answer that gave the lock has it");
    }
    return api_fence_decode_name(x, raw, TXN_LOCK_PLAIN, &out_fence->name, problem);
}

void api_fence_write(struct slice name, uint64_t token, struct writer *out)
{
    ASSERT(name.size > 1);
    text_escape((struct slice){name.data + 1, name.size - 1}, out);
    writer_format(out, ":%" PRIu64, token);
}
