#include "node/finish.h"

#include "base/assert.h"
#include "node/node_int.h"

static uint64_t waited_ms(const struct node *node)
{
    return env_now_ms(node->env) - node->finish.begun_ms;
}

static bool is_checkpointed(const struct node *node)
{
    const struct store_region *state = store_region(node->store, REGION_FIRST);
    return state == NULL || state->checkpoint.index >= node->finish.index;
}

/* F1 */
static bool is_hopeless(const struct node *node)
{
    return store_stats(node->store)->checkpoint_failures > node->finish.failures ||
           waited_ms(node) >= FINISH_MS_MAX;
}

/* Whether it may yet become a member that knows it. */
static bool is_joining(struct node *node)
{
    return !members_settle(node->replica) && node->replica->leader != 0 &&
           waited_ms(node) < FINISH_JOIN_MS_MAX;
}

void finish_begin(struct node *node, void (*done)(void *ctx), void *ctx)
{
    struct finish *finish = &node->finish;
    const struct store_region *state = store_region(node->store, REGION_FIRST);
    ASSERT(done != NULL);
    ASSERT(!finish->is_begun);
    *finish = (struct finish){
        .is_begun = true,
        .index = state == NULL ? 0 : state->applied.index,
        .begun_ms = env_now_ms(node->env),
        .failures = store_stats(node->store)->checkpoint_failures,
        .done = done,
        .ctx = ctx,
    };
    finish_check(node);
}

void finish_check(struct node *node)
{
    struct finish *finish = &node->finish;
    if (!finish->is_begun || finish->is_over) {
        return;
    }
    bool is_durable = is_checkpointed(node);
    if (!is_hopeless(node)) {
        if (!is_durable) {
            store_checkpoint_soon(node->store);
            return;
        }
        if (is_joining(node)) {
            return;
        }
    }
    finish->is_over = true;
    if (is_durable) {
        LOG_INFO(node->log, "checkpointed", LOG_U64("index", finish->index),
                 LOG_U64("duration_ms", waited_ms(node)));
    } else {
        LOG_WARN(node->log, "ends without a checkpoint: the next start has more to replay",
                 LOG_U64("index", finish->index), LOG_U64("duration_ms", waited_ms(node)));
    }
    finish->done(finish->ctx);
}
