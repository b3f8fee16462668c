/*
 * Random schedules over a small cluster: messages are delivered late, twice, in any order or never;
 * disks are slow; nodes crash and lose what was not durable. Whatever happens: nobody applies two
 * things at one index (checked when applying), nobody leads a term that another leads, and what is
 * committed stays.
 */
#include "base/prng.h"
#include "fixture.h"

#define STEPS 3000

struct chaos {
    struct group *group;
    struct prng prng;
    node_id leader_of[HISTORY_MAX]; /* by term */
    uint64_t committed[GROUP_MAX + 1];
};

static node_id any_node(struct chaos *chaos)
{
    return 1 + prng_below(&chaos->prng, chaos->group->count);
}

/* Election Safety (paper, figure 3), and the commit index never goes back while a node lives. */
static void check(struct chaos *chaos)
{
    for (node_id id = 1; id <= chaos->group->count; id++) {
        const struct raft *raft = group_raft(chaos->group, id);
        if (raft == NULL) {
            chaos->committed[id] = 0;
            continue;
        }
        assert_true(raft->term < HISTORY_MAX);
        if (raft->role == RAFT_LEADER) {
            node_id *leader = &chaos->leader_of[raft->term];
            assert_true(*leader == 0 || *leader == id);
            *leader = id;
        }
        assert_true(raft->log.committed >= chaos->committed[id]);
        chaos->committed[id] = raft->log.committed;
    }
}

static void one_message(struct chaos *chaos)
{
    struct group *group = chaos->group;
    if (group->network.count == 0) {
        return;
    }
    uint32_t position = (uint32_t)prng_below(&chaos->prng, group->network.count);
    uint64_t fate = prng_below(&chaos->prng, 20);
    if (fate != 0) {
        group_deliver(group, position);
    }
    if (fate != 1) { /* 1: comes once more */
        group_drop(group, position);
    }
}

static void crash_or_start(struct chaos *chaos)
{
    node_id id = any_node(chaos);
    if (group_raft(chaos->group, id) == NULL) {
        group_start(chaos->group, id);
    } else if (prng_below(&chaos->prng, 4) == 0) {
        group_crash(chaos->group, id);
    }
}

static void propose(struct chaos *chaos)
{
    struct raft *raft = group_raft(chaos->group, any_node(chaos));
    if (raft == NULL || raft->log.committed > HISTORY_MAX / 2) {
        return;
    }
    char word[32];
    (void)snprintf(word, sizeof(word), "%llu", (unsigned long long)prng_next(&chaos->prng));
    struct entry entry = {.data = buf_copy(slice_from_text(word))};
    err e = raft_propose(raft, &entry, 1, NULL);
    assert_true(e == OK || e == ERR_NOT_LEADER || e == ERR_PROPOSAL_DROPPED);
    buf_unref(entry.data);
}

static void transfer(struct chaos *chaos)
{
    struct raft *raft = group_raft(chaos->group, any_node(chaos));
    if (raft != NULL) {
        err e = raft_transfer_leader(raft, any_node(chaos));
        assert_true(e == OK || e == ERR_NO_LEADER || e == ERR_NOT_FOUND || e == ERR_BUSY);
    }
}

static void step(struct chaos *chaos)
{
    node_id id = any_node(chaos);
    struct peer *peer = &chaos->group->peers[id];
    uint64_t dice = prng_below(&chaos->prng, 100);
    if (dice < 45) {
        one_message(chaos);
    } else if (dice < 46) {
        crash_or_start(chaos);
    } else if (dice < 47) {
        transfer(chaos);
    } else if (dice < 52) {
        propose(chaos);
    } else if (dice < 60) {
        if (peer->raft != NULL) {
            raft_tick(peer->raft);
        }
    } else if (dice < 80) {
        if (peer->raft != NULL && raft_has_ready(peer->raft) && peer->batch_count < BATCHES_MAX) {
            group_ready(chaos->group, id);
        }
    } else if (peer->raft != NULL && peer->batch_count > 0) {
        group_persist(chaos->group, id);
    }
    check(chaos);
}

static void heal(struct chaos *chaos)
{
    for (node_id id = 1; id <= chaos->group->count; id++) {
        if (group_raft(chaos->group, id) == NULL) {
            group_start(chaos->group, id);
        }
    }
    for (int tick = 0; tick < 200; tick++) {
        for (node_id id = 1; id <= chaos->group->count; id++) {
            raft_tick(group_raft(chaos->group, id));
        }
        group_settle(chaos->group);
        check(chaos);
    }
}

static void run(uint64_t seed)
{
    struct chaos *chaos = mem_calloc(1, sizeof(*chaos));
    prng_init(&chaos->prng, seed);
    struct raft_config config = default_config();
    config.election_ticks = 5;
    config.seed = seed * 100;
    config.async_storage_writes = true;
    config.pre_vote = seed % 2 == 0;
    config.check_quorum = seed % 3 == 0;
    config.max_inflight_messages = seed % 5 == 0 ? 2 : 0;
    config.max_size_per_message = seed % 7 == 0 ? 1 : 0;
    chaos->group = group_new(seed % 2 == 0 ? 3 : 5, &config);
    for (int i = 0; i < STEPS; i++) {
        step(chaos);
    }
    heal(chaos);
    /* Once all is well again, everybody has everything. */
    for (node_id id = 1; id <= chaos->group->count; id++) {
        assert_int_equal(chaos->group->peers[id].applied, chaos->group->peers[1].applied);
        assert_int_equal(chaos->group->peers[id].applied,
                         raft_log_last_index(&group_raft(chaos->group, id)->log));
    }
    assert_true(chaos->group->peers[1].applied > 0);
    group_free(chaos->group);
    mem_free(chaos);
}

static void random_schedules_keep_the_promises(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        run(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_schedules_keep_the_promises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
