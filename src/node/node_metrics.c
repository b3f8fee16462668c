/* What the node counts, under the names in which Prometheus sees it. */
#include "node/node_int.h"

#define METRIC(name) "pontoon_" name

static const struct node *of_ctx(void *ctx)
{
    return ctx;
}

static double read_term(void *ctx)
{
    return (double)of_ctx(ctx)->replica->hard_state.term;
}

static double read_commit(void *ctx)
{
    return (double)of_ctx(ctx)->replica->hard_state.commit;
}

static double read_applied(void *ctx)
{
    return (double)of_ctx(ctx)->replica->applied;
}

static double read_has_leader(void *ctx)
{
    return of_ctx(ctx)->replica->leader != 0 ? 1 : 0;
}

static double read_is_leader(void *ctx)
{
    return of_ctx(ctx)->replica->role == RAFT_LEADER ? 1 : 0;
}

static double read_is_draining(void *ctx)
{
    return of_ctx(ctx)->drain.is_begun ? 1 : 0;
}

static double read_is_trusted(void *ctx)
{
    return divergence_is_trusted(of_ctx(ctx)->replica) ? 1 : 0;
}

static double read_pending_writes(void *ctx)
{
    return (double)of_ctx(ctx)->replica->writes.count;
}

static double read_pending_bytes(void *ctx)
{
    return (double)of_ctx(ctx)->replica->writes.bytes;
}

static double read_pending_reads(void *ctx)
{
    return (double)of_ctx(ctx)->replica->reads.count;
}

static double read_revision(void *ctx)
{
    return (double)node_revision(ctx);
}

static double read_keys(void *ctx)
{
    const struct store_region *state = store_region(of_ctx(ctx)->store, REGION_FIRST);
    return state == NULL ? 0 : (double)state->keys;
}

static double read_used(void *ctx)
{
    const struct store_region *state = store_region(of_ctx(ctx)->store, REGION_FIRST);
    return state == NULL ? 0 : (double)store_region_used(state);
}

static double read_idempotency(void *ctx)
{
    const struct store_region *state = store_region(of_ctx(ctx)->store, REGION_FIRST);
    return state == NULL ? 0 : (double)state->idempotency_keys;
}

static double read_watchers(void *ctx)
{
    return (double)watches_count(node_watches(ctx));
}

static double read_history_bytes(void *ctx)
{
    return (double)history_bytes(node_history(ctx));
}

static double read_history_disk_bytes(void *ctx)
{
    return (double)history_journal_bytes(of_ctx(ctx)->history);
}

static double read_history_revisions(void *ctx)
{
    const struct history *history = node_history(ctx);
    return (double)(history_newest(history) - history_oldest(history) + 1);
}

static double read_history_oldest(void *ctx)
{
    return (double)history_oldest(node_history(ctx));
}

static double read_quota(void *ctx)
{
    return (double)node_quota_bytes(ctx);
}

static double read_quota_reached(void *ctx)
{
    return of_ctx(ctx)->replica->quota.is_reached ? 1 : 0;
}

static double read_wal_size(void *ctx)
{
    return (double)wal_stats(of_ctx(ctx)->wal)->size_bytes;
}

static double read_wal_appended(void *ctx)
{
    return (double)wal_stats(of_ctx(ctx)->wal)->appended_bytes;
}

static double read_wal_syncs(void *ctx)
{
    return (double)wal_stats(of_ctx(ctx)->wal)->syncs;
}

static double read_wal_segments(void *ctx)
{
    return (double)wal_stats(of_ctx(ctx)->wal)->segments;
}

static double read_wal_stalled(void *ctx)
{
    return of_ctx(ctx)->replica->stall.is_stalled ? 1 : 0;
}

static double read_disk_full(void *ctx)
{
    return of_ctx(ctx)->replica->space.is_short ? 1 : 0;
}

static double read_store_size(void *ctx)
{
    return (double)store_stats(of_ctx(ctx)->store)->size_bytes;
}

static double read_store_used(void *ctx)
{
    return (double)store_stats(of_ctx(ctx)->store)->used_bytes;
}

static double read_tail_bytes(void *ctx)
{
    return (double)store_stats(of_ctx(ctx)->store)->tail_bytes;
}

static double read_checkpoints(void *ctx)
{
    return (double)store_stats(of_ctx(ctx)->store)->checkpoints;
}

static double read_checkpoint_failures(void *ctx)
{
    return (double)store_stats(of_ctx(ctx)->store)->checkpoint_failures;
}

static double read_backup_time(void *ctx)
{
    return (double)of_ctx(ctx)->backups.completed_at_ms / 1000;
}

static double read_repairing(void *ctx)
{
    return of_ctx(ctx)->replica->repair.is_waiting ? 1 : 0;
}

static double read_corrupt(void *ctx)
{
    return (double)store_stats(of_ctx(ctx)->store)->corrupt_records;
}

static double read_mended(void *ctx)
{
    return (double)store_stats(of_ctx(ctx)->store)->mended_records;
}

static double read_mending(void *ctx)
{
    return (double)of_ctx(ctx)->replica->mends.count;
}

static double read_scrub_passes(void *ctx)
{
    return (double)store_stats(of_ctx(ctx)->store)->scrub_passes;
}

static double read_scrub_records(void *ctx)
{
    return (double)store_stats(of_ctx(ctx)->store)->scrub_records;
}

static double read_scrub_bytes(void *ctx)
{
    return (double)store_stats(of_ctx(ctx)->store)->scrub_bytes;
}

static double read_scrub_damaged(void *ctx)
{
    return (double)store_stats(of_ctx(ctx)->store)->scrub_damaged;
}

/* One figure of all peers together. */
static double sum_peers(void *ctx, uint64_t (*figure)(const struct net_peer_info *info))
{
    const struct node *node = ctx;
    const struct membership *membership = &node->replica->membership;
    double sum = 0;
    for (uint32_t i = 0; i < membership->member_count && node->net != NULL; i++) {
        struct net_peer_info info;
        if (net_peer_info(node->net, membership->members[i].id, &info)) {
            sum += (double)figure(&info);
        }
    }
    return sum;
}

static uint64_t bytes_sent(const struct net_peer_info *info)
{
    return info->bytes_sent;
}

static uint64_t bytes_received(const struct net_peer_info *info)
{
    return info->bytes_received;
}

static uint64_t send_failures(const struct net_peer_info *info)
{
    return info->send_failures;
}

static uint64_t frames_dropped(const struct net_peer_info *info)
{
    return info->frames_dropped;
}

static uint64_t frames_missed(const struct net_peer_info *info)
{
    return info->frames_missed;
}

static uint64_t frames_malformed(const struct net_peer_info *info)
{
    return info->frames_malformed;
}

static uint64_t is_up(const struct net_peer_info *info)
{
    return info->is_up ? 1 : 0;
}

static double read_peer_sent(void *ctx)
{
    return sum_peers(ctx, bytes_sent);
}

static double read_peer_received(void *ctx)
{
    return sum_peers(ctx, bytes_received);
}

static double read_peer_failures(void *ctx)
{
    return sum_peers(ctx, send_failures);
}

static double read_peer_dropped(void *ctx)
{
    return sum_peers(ctx, frames_dropped);
}

static double read_peer_missed(void *ctx)
{
    return sum_peers(ctx, frames_missed);
}

static double read_peer_malformed(void *ctx)
{
    return sum_peers(ctx, frames_malformed);
}

static double read_peers_connected(void *ctx)
{
    return sum_peers(ctx, is_up);
}

static const struct {
    const char *name;
    const char *help;
    bool is_counter;
    metrics_read_fn *read;
} figures[] = {
    {METRIC("raft_term"), "Current term.", false, read_term},
    {METRIC("raft_commit_index"), "Highest committed index known.", false, read_commit},
    {METRIC("raft_applied_index"), "Highest applied index.", false, read_applied},
    {METRIC("raft_has_leader"), "1 if a leader is known.", false, read_has_leader},
    {METRIC("raft_is_leader"), "1 if this node leads.", false, read_is_leader},
    {METRIC("draining"), "1 while new requests are, or are about to be, refused.", false,
     read_is_draining},
    {METRIC("state_is_trusted"), "0: this node's state differs from others', it does not serve.",
     false, read_is_trusted},
    {METRIC("writes_pending"), "Writes that wait for their outcome.", false, read_pending_writes},
    {METRIC("writes_pending_bytes"), "Bytes of them.", false, read_pending_bytes},
    {METRIC("reads_pending"), "Linearizable reads that wait.", false, read_pending_reads},
    {METRIC("revision"), "Revision of the applied state.", false, read_revision},
    {METRIC("keys"), "Keys in the applied state.", false, read_keys},
    {METRIC("used_bytes"), "What the records count in the quota.", false, read_used},
    {METRIC("quota_bytes"), "The quota; 0: none.", false, read_quota},
    {METRIC("quota_reached"), "1 if writes that grow are refused.", false, read_quota_reached},
    {METRIC("idempotency_entries"), "Idempotency keys whose answers are remembered.", false,
     read_idempotency},
    {METRIC("watchers"), "Watches that are open.", false, read_watchers},
    {METRIC("history_bytes"), "Memory of the last changes, at most.", false, read_history_bytes},
    {METRIC("history_disk_bytes"), "Files of the last changes.", false, read_history_disk_bytes},
    {METRIC("history_revisions"), "Revisions that can be watched from, or read.", false,
     read_history_revisions},
    {METRIC("history_oldest_revision"), "The oldest of them.", false, read_history_oldest},
    {METRIC("wal_size_bytes"), "Size of all log files.", false, read_wal_size},
    {METRIC("wal_segments"), "Log segments that are needed.", false, read_wal_segments},
    {METRIC("wal_appended_bytes_total"), "Bytes appended to the log.", true, read_wal_appended},
    {METRIC("wal_syncs_total"), "Syncs of the log.", true, read_wal_syncs},
    {METRIC("wal_disk_stalled"), "1 if the log's disk does not answer.", false, read_wal_stalled},
    {METRIC("disk_full"), "1 if log or store find no room on the disk.", false, read_disk_full},
    {METRIC("store_size_bytes"), "Size of the checkpoint file.", false, read_store_size},
    {METRIC("store_used_bytes"), "Bytes in use in it.", false, read_store_used},
    {METRIC("store_tail_bytes"), "Memory of what is not checkpointed.", false, read_tail_bytes},
    {METRIC("store_checkpoints_total"), "Checkpoints written.", true, read_checkpoints},
    {METRIC("store_checkpoint_failures_total"), "Checkpoints failed.", true,
     read_checkpoint_failures},
    {METRIC("store_corrupt_records_total"), "Damaged records met by reads.", true, read_corrupt},
    {METRIC("store_mended_records_total"), "Damaged records taken from another member.", true,
     read_mended},
    {METRIC("store_mending_records"), "Damaged records that wait to be.", false, read_mending},
    {METRIC("store_scrub_passes_total"), "Times that all of the store was verified.", true,
     read_scrub_passes},
    {METRIC("store_scrub_records_total"), "Records verified in the background.", true,
     read_scrub_records},
    {METRIC("store_scrub_bytes_total"), "Bytes of them.", true, read_scrub_bytes},
    {METRIC("store_scrub_damaged_total"), "Records found damaged so.", true, read_scrub_damaged},
    {METRIC("peer_sent_bytes_total"), "Bytes sent to peers.", true, read_peer_sent},
    {METRIC("peer_received_bytes_total"), "Bytes received from peers.", true, read_peer_received},
    {METRIC("peer_send_failures_total"), "Frames a peer's queue did not take.", true,
     read_peer_failures},
    {METRIC("peer_dropped_frames_total"), "Frames from peers that came doubled or late.", true,
     read_peer_dropped},
    {METRIC("peer_missed_frames_total"), "Frames from peers that were not there in their turn.",
     true, read_peer_missed},
    {METRIC("peer_malformed_frames_total"),
     "Frames from peers that were damaged: each has closed its connection.", true,
     read_peer_malformed},
    {METRIC("peers_connected"), "Peers that this node reaches.", false, read_peers_connected},
};

static void register_stages(struct node *node)
{
    struct metrics *metrics = node->options.metrics;
    const struct writes *writes = &node->replica->writes;
    const struct {
        const char *label;
        const struct histogram *histogram;
    } stages[] = {{"stage=\"queue\"", &writes->queue_us},
                  {"stage=\"fsync\"", &writes->fsync_us},
                  {"stage=\"replicate\"", &writes->replicate_us},
                  {"stage=\"apply\"", &writes->apply_us}};
    for (size_t i = 0; i < ARRAY_COUNT(stages); i++) {
        metrics_add_histogram(metrics, METRIC("write_stage_seconds"),
                              "Where writes spend their time, of those that this leader took: "
                              "until proposed; from then until on its disk, until a quorum had "
                              "it; from then until applied.",
                              stages[i].label, stages[i].histogram, 1e-6);
    }
    metrics_add_histogram(metrics, METRIC("read_index_seconds"),
                          "From a linearizable read's coming until a quorum confirmed its index.",
                          NULL, &node->replica->reads.index_us, 1e-6);
}

static void register_backups(struct node *node)
{
    struct metrics *metrics = node->options.metrics;
    const struct backups *backups = &node->backups;
    metrics_add_counter(metrics, METRIC("backups_total"), "Backups handed out whole.", NULL,
                        &backups->completed);
    metrics_add_counter(metrics, METRIC("backup_failures_total"),
                        "Backups that did not begin, or were broken off.", NULL, &backups->failed);
    metrics_add_counter(metrics, METRIC("backup_bytes_total"), "Bytes of backups handed out.", NULL,
                        &backups->bytes);
    metrics_add_read(metrics, METRIC("backup_last_success_timestamp_seconds"),
                     "When this node last handed out a whole backup; 0: not since it runs.", false,
                     read_backup_time, node);
}

static void register_snapshots(struct node *node)
{
    struct metrics *metrics = node->options.metrics;
    const struct snapshots *snapshots = &node->snapshots;
    metrics_add_counter(metrics, METRIC("snapshots_sent_total"),
                        "Snapshots that a member has taken over from here.", NULL,
                        &snapshots->sent);
    metrics_add_counter(metrics, METRIC("snapshot_failures_total"),
                        "Snapshots for members that were begun and not delivered.", NULL,
                        &snapshots->failed);
    metrics_add_counter(metrics, METRIC("snapshot_resumes_total"),
                        "Broken connections behind which a snapshot went on.", NULL,
                        &snapshots->resumed);
    metrics_add_counter(metrics, METRIC("snapshot_sent_bytes_total"),
                        "Bytes of snapshots sent to members.", NULL, &snapshots->sent_bytes);
    metrics_add_counter(metrics, METRIC("snapshots_received_total"),
                        "Snapshots that came in whole.", NULL, &snapshots->received);
}

static void register_expiry(struct node *node)
{
    struct metrics *metrics = node->options.metrics;
    const struct expiry *expiry = &node->replica->expiry;
    metrics_add_counter(metrics, METRIC("expiry_commands_total"),
                        "Commands by which this node, leading, had removed what was due.", NULL,
                        &expiry->commands);
    metrics_add_counter(metrics, METRIC("expired_total"),
                        "Keys, leases, places in queues and idempotency keys removed so.", NULL,
                        &expiry->removed);
}

void node_register_metrics(struct node *node)
{
    struct metrics *metrics = node->options.metrics;
    struct replica *replica = node->replica;
    register_expiry(node);
    for (size_t i = 0; i < ARRAY_COUNT(figures); i++) {
        metrics_add_read(metrics, figures[i].name, figures[i].help, figures[i].is_counter,
                         figures[i].read, node);
    }
    metrics_add_counter(metrics, METRIC("raft_leader_changes_total"), "Leaders seen come.", NULL,
                        &replica->elections);
    metrics_add_counter(metrics, METRIC("raft_stall_handovers_total"),
                        "Handovers because the log's disk did not answer.", NULL,
                        &replica->stall_handovers);
    metrics_add_counter(metrics, METRIC("writes_proposed_total"), "Writes proposed here.", NULL,
                        &replica->proposed);
    metrics_add_counter(metrics, METRIC("entries_applied_total"), "Entries applied.", NULL,
                        &replica->applied_entries);
    metrics_add_counter(metrics, METRIC("watch_events_total"), "Events sent to watches.", NULL,
                        watches_told(replica->watches));
    metrics_add_counter(metrics, METRIC("quota_refused_total"), "Writes refused by the quota.",
                        NULL, &replica->quota.refused);
    metrics_add_counter(metrics, METRIC("disk_full_refused_total"),
                        "Writes refused for want of space.", NULL, &replica->space.refused);
    metrics_add_counter(metrics, METRIC("writes_finished_total"), "Writes answered.", NULL,
                        &replica->writes.finished);
    metrics_add_counter(metrics, METRIC("writes_unknown_total"), "Answered: outcome unknown.", NULL,
                        &replica->writes.unknown);
    metrics_add_counter(metrics, METRIC("writes_overloaded_total"),
                        "Writes refused, or given up unproposed, as more waited than may.", NULL,
                        &replica->writes.overloaded);
    metrics_add_counter(metrics, METRIC("reads_overloaded_total"),
                        "Linearizable reads refused, as more waited than may.", NULL,
                        &replica->reads.overloaded);
    metrics_add_counter(metrics, METRIC("reads_finished_total"), "Linearizable reads answered.",
                        NULL, &replica->reads.finished);
    metrics_add_counter(metrics, METRIC("state_agreements_total"),
                        "Comparisons in which a majority had this node's state.", NULL,
                        &replica->divergence.agreements);
    metrics_add_counter(metrics, METRIC("state_mismatches_total"),
                        "Comparisons in which others had another state.", NULL,
                        &replica->divergence.mismatches);
    metrics_add_histogram(metrics, METRIC("write_batch_entries"), "Proposals of one turn.", NULL,
                          &replica->batch_writes, 1);
    metrics_add_histogram(metrics, METRIC("write_commit_seconds"),
                          "From a write's proposal to its applied entry.", NULL,
                          &replica->writes.commit_us, 1e-6);
    register_stages(node);
    metrics_add_histogram(metrics, METRIC("wal_sync_seconds"), "One fdatasync of the log.", NULL,
                          &wal_stats(node->wal)->sync_us, 1e-6);
    metrics_add_histogram(metrics, METRIC("wal_batch_entries"), "Entries of one log write.", NULL,
                          &wal_stats(node->wal)->batch_entries, 1);
    metrics_add_histogram(metrics, METRIC("store_checkpoint_seconds"), "One checkpoint.", NULL,
                          &store_stats(node->store)->checkpoint_us, 1e-6);
    metrics_add_counter(metrics, METRIC("store_repairs_total"),
                        "Times the store was rebuilt, from a peer or from the log.", NULL,
                        &replica->repair.stores);
    metrics_add_counter(metrics, METRIC("log_repairs_total"),
                        "Times a new log was begun in place of a damaged one.", NULL,
                        &replica->repair.logs);
    metrics_add_counter(metrics, METRIC("log_mends_total"),
                        "Damaged places of the log that were mended.", NULL,
                        &node->log_mend.records);
    metrics_add_read(metrics, METRIC("repairing"), "1 while what was lost is rebuilt.", false,
                     read_repairing, node);
    register_backups(node);
    register_snapshots(node);
}
