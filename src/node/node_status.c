#include <string.h>

#include "base/assert.h"
#include "node/node.h"
#include "node/node_int.h"

const char *node_role_name(enum node_role role)
{
    switch (role) {
    case NODE_FOLLOWER:
        return "follower";
    case NODE_CANDIDATE:
        return "candidate";
    case NODE_LEADER:
        return "leader";
    case NODE_LEARNER:
        return "learner";
    }
    UNREACHABLE();
}

static enum node_role role_of(const struct replica *replica)
{
    switch (replica->role) {
    case RAFT_LEADER:
        return NODE_LEADER;
    case RAFT_PRE_CANDIDATE:
    case RAFT_CANDIDATE:
        return NODE_CANDIDATE;
    case RAFT_FOLLOWER:
        break;
    }
    bool is_voter =
        id_set_has(&replica->membership.conf.voters, replica->node->identity.node) ||
        id_set_has(&replica->membership.conf.voters_outgoing, replica->node->identity.node);
    return is_voter ? NODE_FOLLOWER : NODE_LEARNER;
}

static const char *progress_name(enum raft_progress_state state)
{
    switch (state) {
    case RAFT_PROGRESS_PROBE:
        return "probe";
    case RAFT_PROGRESS_REPLICATE:
        return "replicate";
    case RAFT_PROGRESS_SNAPSHOT:
        return "snapshot";
    }
    UNREACHABLE();
}

static void copy_text(char *target, size_t size, const char *source)
{
    size_t length = strnlen(source, size - 1);
    memcpy(target, source, length);
    target[length] = '\0';
}

static void fill_connection(const struct node *node, struct node_peer_status *peer)
{
    struct net_peer_info info;
    if (node->net != NULL && net_peer_info(node->net, peer->id, &info)) {
        copy_text(peer->client_address, sizeof(peer->client_address), info.client_address);
        copy_text(peer->version, sizeof(peer->version), info.version);
        peer->is_connected = info.is_up;
        peer->round_trip_us = info.rtt_us;
        peer->queued_bytes = info.queued_bytes;
    }
}

static void fill_progress(const struct raft_status *raft, struct node_peer_status *peer)
{
    peer->progress = "";
    for (uint32_t i = 0; i < raft->member_count; i++) {
        const struct raft_member_status *member = &raft->members[i];
        if (member->id == peer->id) {
            peer->match_index = member->match;
            peer->next_index = member->next;
            peer->is_active = member->recent_active;
            peer->progress = progress_name(member->state);
        }
    }
}

static void fill_peers(const struct node *node, const struct raft_status *raft,
                       struct node_status *status)
{
    const struct membership *membership = &node->replica->membership;
    for (uint32_t i = 0; i < membership->member_count; i++) {
        const struct member *member = &membership->members[i];
        if (member->id == status->id) {
            status->wants_vote = member->wants_vote;
            continue;
        }
        struct node_peer_status *peer = &status->peers[status->peer_count];
        status->peer_count++;
        peer->id = member->id;
        peer->is_voter = id_set_has(&membership->conf.voters, member->id);
        peer->wants_vote = member->wants_vote;
        copy_text(peer->peer_address, sizeof(peer->peer_address), member->peer_address);
        fill_connection(node, peer);
        fill_progress(raft, peer);
        if (peer->id == status->leader) {
            copy_text(status->leader_client_address, sizeof(status->leader_client_address),
                      peer->client_address);
        }
    }
}

uint64_t node_quota_bytes(const struct node *node)
{
    uint64_t applied = node->replica->quota.bytes;
    return applied != 0 ? applied : node->options.quota_bytes;
}

void node_status(const struct node *node, struct node_status *out_status)
{
    const struct replica *replica = node->replica;
    struct wal_bounds bounds = wal_bounds(node->wal, replica->region);
    struct raft_status raft = {.member_count = 0};
    *out_status = (struct node_status){
        .cluster_id = node->identity.cluster_id,
        .id = node->identity.node,
        .region = replica->region,
        .role = role_of(replica),
        .leader = replica->leader,
        .is_voter = id_set_has(&replica->membership.conf.voters, node->identity.node),
        .is_draining = node->drain.is_begun,
        .is_joining = node->identity.is_joining,
        .is_removed = replica->members.is_removed,
        .is_repairing = replica->repair.is_waiting,
        .store_repairs = replica->repair.stores.value,
        .log_repairs = replica->repair.logs.value,
        .log_mends = node->log_mend.records.value,
        .is_joint = replica->membership.conf.voters_outgoing.count > 0,
        .term = replica->hard_state.term,
        .commit_index = replica->hard_state.commit,
        .applied_index = replica->applied,
        .first_index = bounds.compacted.index + 1,
        .last_index = bounds.last_index,
        .quota_bytes = node_quota_bytes(node),
        .is_disk_full = replica->space.is_short,
        .is_quota_reached = replica->quota.is_reached,
        .idempotency_age_ms = node->options.idempotency_age_ms,
        .idempotency_count = node->options.idempotency_count,
        .pending_writes = replica->writes.count,
        .pending_reads = replica->reads.count,
        .state = store_region(node->store, replica->region),
    };
    if (replica->raft != NULL) {
        raft_status(replica->raft, &raft);
        out_status->transfer_target = raft.transfer_target;
        out_status->term = raft.hard_state.term;
        out_status->commit_index = raft.hard_state.commit;
        out_status->last_index = raft.last_index;
    }
    if (out_status->state != NULL) {
        out_status->applied_term = out_status->state->applied.term;
        out_status->snapshot_index = out_status->state->checkpoint.index;
    }
    out_status->is_trusted = divergence_is_trusted(replica);
    out_status->divergence = divergence_name(replica->divergence.verdict);
    out_status->agreed_index = replica->divergence.agreed_index;
    out_status->has_quorum = replica_reaches_quorum(replica);
    if (out_status->leader == out_status->id) {
        copy_text(out_status->leader_client_address, sizeof(out_status->leader_client_address),
                  node->options.client_address);
    }
    copy_text(out_status->peer_address, sizeof(out_status->peer_address), node->peer_address);
    copy_text(out_status->client_address, sizeof(out_status->client_address),
              node->options.client_address);
    fill_peers(node, &raft, out_status);
}

void node_standing(const struct node *node, struct node_standing *out_standing)
{
    const struct replica *replica = node->replica;
    *out_standing = (struct node_standing){
        .leader = replica->leader,
        .term = replica->term,
        .staleness_ms = freshness_staleness_ms(replica),
    };
}

bool node_leader_address(const struct node *node, char out_address[ADDRESS_SIZE_MAX + 1])
{
    const struct replica *replica = node->replica;
    bool is_own = replica->role == RAFT_LEADER;
    struct net_peer_info info = {.client_address = ""};
    if (is_own) {
        copy_text(out_address, ADDRESS_SIZE_MAX + 1, node->options.client_address);
    } else {
        bool is_met = replica->leader != 0 && node->net != NULL &&
                      net_peer_info(node->net, replica->leader, &info);
        copy_text(out_address, ADDRESS_SIZE_MAX + 1, is_met ? info.client_address : "");
    }
    return is_own;
}
