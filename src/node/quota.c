#include "node/quota.h"

#include "base/assert.h"
#include "node/node_int.h"

static bool is_over(const struct quota *quota, uint64_t used)
{
    return quota->bytes != 0 && used > quota->bytes;
}

static bool is_left(const struct quota *quota, uint64_t used)
{
    uint64_t then = quota->reached_used_bytes;
    return !is_over(quota, used) &&
           (quota->bytes == 0 || quota->bytes > quota->reached_bytes || used <= then - then / 10);
}

void quota_applied(struct replica *replica, const struct command *command,
                   const struct command_result *result)
{
    struct quota *quota = &replica->quota;
    const struct store_region *state = store_region(replica->node->store, replica->region);
    ASSERT(state != NULL);
    uint64_t used = store_region_used(state);
    bool is_refused = result->e == ERR_QUOTA && command->quota_bytes != 0;
    quota->bytes = command->quota_bytes;
    counter_add(&quota->refused, is_refused ? 1 : 0);
    bool is_met = is_over(quota, used) || (is_refused && used > quota->bytes / 2);
    if (is_met && !quota->is_reached) {
        quota->is_reached = true;
        quota->reached_bytes = quota->bytes;
        quota->reached_used_bytes = used;
        LOG_WARN(replica->node->log,
                 "the storage quota is reached: writes that grow are refused (507) until keys are "
                 "deleted, or --quota-bytes is raised on every node",
                 LOG_U64("region", replica->region), LOG_U64("quota_bytes", quota->bytes),
                 LOG_U64("used_bytes", used));
    } else if (quota->is_reached && is_left(quota, used)) {
        quota->is_reached = false;
        LOG_INFO(replica->node->log, "below the storage quota again",
                 LOG_U64("region", replica->region), LOG_U64("quota_bytes", quota->bytes),
                 LOG_U64("used_bytes", used));
    }
}
