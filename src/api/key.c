#include "api/key.h"

#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "http/http_percent.h"

err api_key_decode(struct slice raw, uint8_t *scratch, struct slice *out_key,
                   struct problem *problem)
{
    ASSERT(raw.size > 0);
    ASSERT(scratch != NULL || memchr(raw.data, '%', raw.size) == NULL);
    struct slice key = raw;
    if (scratch != NULL && http_percent_decode(raw, scratch, &key) != OK) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "the key is not percent-encoded correctly: two hex digits must "
                               "follow every '%%', and '%%' itself is written %%25");
    }
    ASSERT(key.size > 0);
    if (key.size > KEY_SIZE_MAX) {
        problem->limit = KEY_SIZE_MAX;
        return api_problem_set(problem, ERR_KEY_TOO_LONG,
                               "a key is at most %u bytes, this one has %zu", KEY_SIZE_MAX,
                               key.size);
    }
    *out_key = key;
    return OK;
}
