#include "node/startup.h"

#include "base/assert.h"
#include "node/node_int.h"

#define PROGRESS_NS UINT64_C(1000000000)

static uint64_t since_ms(const struct node *node, uint64_t begin_ns)
{
    return (env_now_ns(node->env) - begin_ns) / 1000000;
}

void startup_begin(struct node *node)
{
    node->startup = (struct startup){.begun_ns = env_now_ns(node->env)};
}

void startup_opened(struct node *node)
{
    struct startup *startup = &node->startup;
    const struct store_region *state = store_region(node->store, REGION_FIRST);
    uint64_t last_index = wal_bounds(node->wal, REGION_FIRST).last_index;
    startup->applied_index = node->replica->applied;
    ASSERT(last_index >= startup->applied_index);
    startup->entries = last_index - startup->applied_index;
    startup->until_index = startup->entries > 0 ? last_index : 0;
    startup->told_ns = env_now_ns(node->env);
    LOG_INFO(node->log, "store and log are open", LOG_U64("keys", state == NULL ? 0 : state->keys),
             LOG_U64("index", startup->applied_index), LOG_U64("to_replay", startup->entries),
             LOG_U64("duration_ms", since_ms(node, startup->begun_ns)));
}

void startup_tick(struct node *node)
{
    struct startup *startup = &node->startup;
    uint64_t applied_index = node->replica->applied;
    if (startup->until_index == 0) {
        return;
    }
    if (applied_index >= startup->until_index) {
        startup->until_index = 0;
        LOG_INFO(node->log, "log replayed", LOG_U64("entries", startup->entries),
                 LOG_U64("duration_ms", since_ms(node, startup->begun_ns)));
    } else if (applied_index > startup->applied_index && /* else it waits for a leader */
               env_now_ns(node->env) - startup->told_ns >= PROGRESS_NS) {
        LOG_INFO(node->log, "replaying the log",
                 LOG_U64("left", startup->until_index - applied_index),
                 LOG_U64("entries", startup->entries));
        startup->applied_index = applied_index;
        startup->told_ns = env_now_ns(node->env);
    }
}
