#include "base/assert.h"
#include "raft_cluster.h"

/* Whatever came in: what the core keeps fits together. */
static void check_shape(const struct node *node)
{
    struct raft_status status;
    raft_status(node->raft, &status);
    const struct raft_log *log = &node->raft->log;
    ASSERT(log->applied <= log->applying); /* log.h, L1 */
    ASSERT(log->applying <= log->committed);
    ASSERT(log->committed <= status.last_index);
    ASSERT(raft_conf_is_valid(&status.conf));
    ASSERT(conf_state_is_valid(&status.conf));
    ASSERT((status.role == RAFT_LEADER) == (status.leader == node->id));
    ASSERT(status.role == RAFT_LEADER || status.transfer_target == 0);
    for (uint32_t i = 0; i < status.member_count; i++) {
        ASSERT(status.members[i].match < status.members[i].next); /* progress.h, P1 */
        ASSERT(status.members[i].match <= status.last_index);
    }
}

/* Term and commit index never go back, and in one term there is one vote (raft_int.h, C1). */
static void check_own_word(struct node *node)
{
    struct hard_state now = raft_hard_state(node->raft);
    ASSERT(now.term >= node->term);
    ASSERT(now.term > node->term || node->vote == 0 || now.vote == node->vote);
    ASSERT(now.term > node->granted.term ||
           (now.term == node->granted.term && now.vote == node->granted.candidate));
    ASSERT(now.commit >= node->committed);
    node->term = now.term;
    node->vote = now.vote;
}

/* Log Matching, for what is new in a log: what is on the disk was new once. */
static void check_log(struct cluster *cluster, const struct node *node)
{
    const struct raft_unstable *unstable = &node->raft->log.unstable;
    uint64_t previous_term = 0;
    if (unstable->entries.count > 0) {
        ASSERT(raft_log_term(&node->raft->log, unstable->offset - 1, &previous_term) == OK);
    }
    for (uint32_t i = 0; i < unstable->entries.count; i++) {
        const struct entry *entry = &unstable->entries.items[i];
        struct made_entry *made = cluster->history.made[entry->pos.index];
        uint32_t v = 0;
        while (v < VARIANTS_MAX && made[v].term != 0 && made[v].term != entry->pos.term) {
            v++;
        }
        if (v == VARIANTS_MAX) {
            cluster->is_over = true;
            return;
        }
        if (made[v].term == 0) {
            made[v] = (struct made_entry){entry->pos.term, previous_term, entry_word(entry)};
        }
        ASSERT(made[v].previous_term == previous_term);
        ASSERT(made[v].word == entry_word(entry));
        previous_term = entry->pos.term;
    }
}

/* What is committed is the same everywhere, for ever. */
static void check_committed(struct cluster *cluster, const struct node *node)
{
    struct history *history = &cluster->history;
    const struct raft_log *log = &node->raft->log;
    uint64_t index = raft_log_first_index(log) - 1;
    index = index > node->committed ? index : node->committed + 1;
    for (; index <= log->committed; index++) {
        uint64_t term = 0;
        ASSERT(raft_log_term(log, index, &term) == OK);
        if (history->committed[index].term == 0) {
            history->committed[index].term = term;
            history->committed[index].in_term = node->term;
        }
        ASSERT(history->committed[index].term == term);
    }
    if (log->committed > history->committed_max) {
        history->committed_max = log->committed;
    }
}

/* Election Safety; and Leader Completeness for a new leader: it has what was committed before. */
static void check_leader(struct cluster *cluster, const struct node *node)
{
    struct history *history = &cluster->history;
    if (node->raft->role != RAFT_LEADER) {
        return;
    }
    node_id *leader = &history->leader_of[node->term];
    if (*leader != 0) {
        ASSERT(*leader == node->id);
        return;
    }
    *leader = node->id;
    for (uint64_t index = 1; index <= history->committed_max; index++) {
        uint64_t term = 0;
        if (history->committed[index].in_term < node->term) {
            err e = raft_log_term(&node->raft->log, index, &term);
            ASSERT(e == ERR_COMPACTED || (e == OK && term == history->committed[index].term));
        }
    }
}

void cluster_check(struct cluster *cluster, struct node *node)
{
    if (node->raft == NULL || cluster->is_over) {
        return;
    }
    check_shape(node);
    check_own_word(node);
    if (!cluster->is_hostile) {
        if (node->term >= TERM_MAX || raft_log_last_index(&node->raft->log) >= INDEX_MAX) {
            cluster->is_over = true;
            return;
        }
        check_log(cluster, node);
        check_committed(cluster, node);
        check_leader(cluster, node);
    }
    node->committed = node->raft->log.committed;
}

void cluster_check_machine(struct cluster *cluster, const struct machine *machine)
{
    if (cluster->is_hostile || machine->pos.index >= INDEX_MAX) {
        return;
    }
    struct history *history = &cluster->history;
    uint64_t index = machine->pos.index;
    if (!history->machine[index].is_known) {
        history->machine[index].is_known = true;
        history->machine[index].hash = machine->hash;
    }
    ASSERT(history->machine[index].hash == machine->hash);
}

void cluster_check_read(const struct cluster *cluster, const struct node *node,
                        const struct raft_read_state *read)
{
    if (!cluster->is_hostile && node->config.read_mode == RAFT_READ_SAFE) {
        ASSERT(read->ctx.sequence <= cluster->history.read_count);
        ASSERT(read->index >= cluster->history.read_index_min[read->ctx.sequence - 1]);
    }
}
void cluster_check_vote(struct node *node, const struct message *message)
{
    bool is_grant = message->type == MSG_VOTE_RESP && !message->reject;
    if (!is_grant && message->type != MSG_VOTE) {
        return;
    }
    node_id candidate = is_grant ? message->to : node->id;
    ASSERT(message->term >= node->granted.term);
    ASSERT(message->term > node->granted.term || candidate == node->granted.candidate);
    node->granted.term = message->term;
    node->granted.candidate = candidate;
}
