#include "node/expiry.h"

#include "base/assert.h"
#include "node/node_int.h"

/* A few ms of applying, of keys that have a time each. A lease counts once, with all its keys: they
 * go in one revision, however long that takes (docs/limits.md). */
#define REMOVED_PER_COMMAND 1000u
#define RETRY_MS 100u
#define DEADLINE_MS 10000u

static void on_due(struct env_timer *timer)
{
    struct expiry *expiry = CONTAINER_OF(timer, struct expiry, due);
    expiry->due_at_ms = 0;
    env_turn_wake(expiry->replica->node->env);
}

void expiry_init(struct expiry *expiry, struct replica *replica)
{
    *expiry = (struct expiry){.replica = replica};
    env_timer_init(replica->node->env, &expiry->due, on_due);
}

void expiry_deinit(struct expiry *expiry)
{
    ASSERT(!expiry->is_proposed);
    env_timer_deinit(&expiry->due);
}

uint64_t expiry_elapsed_ms(const struct expiry *expiry)
{
    uint64_t now_ms = env_now_ms(expiry->replica->node->env);
    return expiry->is_known ? expiry->base_ms + (now_ms - expiry->since_ms) : 0;
}

uint64_t expiry_guess_ms(const struct expiry *expiry)
{
    const struct replica *replica = expiry->replica;
    uint64_t now_ms = env_now_ms(replica->node->env);
    if (expiry->is_known) {
        return expiry_elapsed_ms(expiry);
    }
    uint64_t guess_ms = expiry->seen_ms == 0 ? 0 : expiry->seen_ms + (now_ms - expiry->seen_at_ms);
    /* What this turn has applied was not looked at yet: its keys would have more left than was
     * asked for. */
    const struct store_region *state = store_region(replica->node->store, replica->region);
    return state != NULL && state->elapsed_ms > guess_ms ? state->elapsed_ms : guess_ms;
}

/* Wakes the loop at `at_ms`; 0: not at all. */
static void wake_at(struct expiry *expiry, uint64_t at_ms, uint64_t now_ms)
{
    if (at_ms == expiry->due_at_ms) {
        return;
    }
    expiry->due_at_ms = at_ms;
    if (at_ms == 0) {
        env_timer_stop(&expiry->due);
    } else {
        env_timer_start(&expiry->due, at_ms - now_ms, 0);
    }
}

/* E1 */
static void take_time(struct expiry *expiry, const struct store_region *state)
{
    struct replica *replica = expiry->replica;
    bool leads = replica->role == RAFT_LEADER && state->applied.term == replica->term;
    if (leads && !expiry->is_known) {
        expiry->base_ms = state->elapsed_ms;
        expiry->since_ms = env_now_ms(replica->node->env);
    }
    expiry->is_known = leads;
    if (state->elapsed_ms != expiry->seen_ms || expiry->seen_at_ms == 0) {
        expiry->seen_ms = state->elapsed_ms;
        expiry->seen_at_ms = env_now_ms(replica->node->env);
    }
}

static void done(struct node_write *write, const struct command_result *result)
{
    struct expiry *expiry = CONTAINER_OF(write, struct expiry, write);
    struct node *node = expiry->replica->node;
    expiry->is_proposed = false;
    if (result->e != OK) { /* it did not come into the log, or nobody knows: due it still is */
        expiry->again_ms = env_now_ms(node->env) + RETRY_MS;
    }
    struct reader results = reader_of(result->results);
    struct txn_result removed;
    if (result->e == OK && txn_result_decode(&results, &removed) == OK) {
        counter_add(&expiry->removed, removed.number);
    }
    env_turn_wake(node->env);
}

static void propose(struct expiry *expiry, uint64_t now_ms)
{
    struct txn_builder builder = {0};
    const struct txn_op op = {.type = TXN_EXPIRE, .number = REMOVED_PER_COMMAND};
    txn_add_op(&builder, &op, false);
    struct txn txn = txn_builder_result(&builder);
    /* It is about no key of a user: any one leads to its region. */
    const struct command command = {
        .type = COMMAND_TXN, .key = SLICE_LITERAL("expire"), .txn = &txn};
    expiry->write = (struct node_write){
        .command = command_encode(&command), .deadline_ms = now_ms + DEADLINE_MS, .done = done};
    txn_builder_deinit(&builder);
    expiry->is_proposed = true;
    counter_add(&expiry->commands, 1);
    replica_write(expiry->replica, &expiry->write);
    env_turn_wake(expiry->replica->node->env);
}

void expiry_turn(struct expiry *expiry)
{
    struct replica *replica = expiry->replica;
    struct store *store = replica->node->store;
    const struct store_region *state = store_region(store, replica->region);
    if (state == NULL) {
        return;
    }
    take_time(expiry, state);
    uint64_t now_ms = env_now_ms(replica->node->env);
    uint64_t due_ms;
    if (!expiry->is_known || expiry->is_proposed ||
        !store_next_due(store, replica->region, &due_ms)) {
        wake_at(expiry, 0, now_ms);
        return;
    }
    uint64_t elapsed_ms = expiry_elapsed_ms(expiry);
    uint64_t at_ms = due_ms > elapsed_ms ? now_ms + (due_ms - elapsed_ms) : now_ms;
    at_ms = at_ms > expiry->again_ms ? at_ms : expiry->again_ms;
    if (at_ms > now_ms) {
        wake_at(expiry, at_ms, now_ms);
    } else {
        wake_at(expiry, 0, now_ms);
        propose(expiry, now_ms);
    }
}
