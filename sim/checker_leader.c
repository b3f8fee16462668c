/* K10: what a leader is, how it commits, and what it proposes. */
#include <inttypes.h>

#include "raft/raft_int.h"
#include "sim/checker_int.h"

/* Whether a majority of the voters is known to have all up to `index`; of none, it is. */
static bool is_quorum(const struct raft *raft, const struct id_set *voters, uint64_t index)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < voters->count; i++) {
        const struct raft_progress *progress = raft_tracker_get(&raft->tracker, voters->ids[i]);
        count += progress != NULL && progress->match >= index ? 1 : 0;
    }
    return voters->count == 0 || count > voters->count / 2;
}

/* A leader counts the copies of its own term's entries only; those before come with them
 * (Raft, 5.4.2). What it had heard of before it was elected may be of any term. One that stepped
 * down since, in the same turn, does not know any more who had what. */
void checker_check_commit(struct checker *checker, const struct host *host, const struct raft *raft,
                          const struct life *life)
{
    uint64_t commit = raft->log.committed;
    uint64_t term = 0;
    if (!life->is_leader || raft->role != RAFT_LEADER || life->term != raft->term ||
        commit == life->commit) {
        return;
    }
    if (raft_log_term(&raft->log, commit, &term) == OK && term != raft->term) {
        sim_fail(checker->sim,
                 "commit rule: node %u leads term %" PRIu64 " and commits up to index %" PRIu64
                 ", which is of term %" PRIu64,
                 host->number, raft->term, commit, term);
    }
    const struct conf_state *conf = &raft->tracker.conf;
    if (conf_state_equal(conf, &life->conf) && (!is_quorum(raft, &conf->voters, commit) ||
                                                !is_quorum(raft, &conf->voters_outgoing, commit))) {
        sim_fail(checker->sim,
                 "commit rule: node %u leads term %" PRIu64 " and commits up to index %" PRIu64
                 ", which no quorum has",
                 host->number, raft->term, commit);
    }
}

void checker_check_leader(struct checker *checker, const struct host *host, const struct raft *raft,
                          const struct life *life)
{
    const struct raft_progress *own = raft_tracker_get(&raft->tracker, host->number);
    uint64_t last = raft_log_last_index(&raft->log);
    if (own == NULL || own->is_learner) {
        sim_fail(checker->sim,
                 "node %u leads term %" PRIu64 " and is no voter by the configuration that it has "
                 "applied",
                 host->number, raft->term);
    }
    /* Its time may be over, it may propose, and begin again with the same one: all in one turn. */
    bool goes_on = raft->transfer_target != 0 && raft->transfer_target == life->transfer_target &&
                   raft->election_elapsed >= life->transfer_ticks;
    if (life->is_leader && life->term == raft->term && goes_on && last > life->last) {
        sim_fail(checker->sim,
                 "node %u hands term %" PRIu64 " over to node %" PRIu64
                 " and goes on proposing, up to index %" PRIu64,
                 host->number, raft->term, raft->transfer_target, last);
    }
}

bool checker_is_change(const struct entry *entry)
{
    return entry->type == ENTRY_CONF_CHANGE || entry->type == ENTRY_CONF_CHANGE_V2;
}

/* The first change of members that the node has up to `last` and has not applied; 0: none. */
static uint64_t find_change(struct checker *checker, const struct raft *raft, uint64_t last)
{
    for (uint64_t index = raft->log.applied + 1; index <= last; index++) {
        uint64_t term;
        const struct version *version = NULL;
        if (raft_log_term(&raft->log, index, &term) == OK) {
            version = checker_version(checker_slot(checker, index), term);
        }
        if (version != NULL && version->is_change) {
            return index;
        }
    }
    return 0;
}

void checker_check_change(struct checker *checker, const struct host *host,
                          const struct entry *entry)
{
    const struct raft *raft = host_raft(host);
    bool is_own = raft != NULL && raft->role == RAFT_LEADER && entry->pos.term == raft->term;
    uint64_t earlier =
        is_own && checker_is_change(entry) ? find_change(checker, raft, entry->pos.index - 1) : 0;
    if (earlier != 0) {
        sim_fail(checker->sim,
                 "node %u leads term %" PRIu64 " and proposes a change of members at index "
                 "%" PRIu64 " before it has applied the one at index %" PRIu64,
                 host->number, raft->term, entry->pos.index, earlier);
    }
}

void checker_check_candidate(struct checker *checker, const struct host *host,
                             const struct raft *raft)
{
    uint64_t index = find_change(checker, raft, raft->log.committed);
    if (index != 0) {
        sim_fail(checker->sim,
                 "node %u stands in term %" PRIu64 " before it has applied the committed change of "
                 "members at index %" PRIu64,
                 host->number, raft->term, index);
    }
}
