"""The bugs of src/raft, and of the node that drives it: elections, replication, reads, members."""

from mutant import Mutant

# ---- the core: elections -----------------------------------------------------------------------

# Messages of one entry: otherwise nearly every append ends with the leader's last one.
SMALL_MESSAGES = ("node/replica_start.c", ".max_size_per_message = node->options.message_bytes_max,",
                  ".max_size_per_message = 1,")

# A leader that looks for the last common entry a little further back than it needs to, as many do.
EARLY_PROBES = ("raft/leader_step.c",
                "    if (raft_progress_maybe_decrease(progress, message->index, hint)) {", """\
    uint64_t term;
    if (hint > 4 && raft_log_term(&raft->log, hint - 4, &term) == OK) {
        hint -= 4;
    }
    if (raft_progress_maybe_decrease(progress, message->index, hint)) {""")

# Connections that repeat or delay the core's frames, which the core has to bear.
REPEATED_FRAMES = [
    ("net/link.c", "    if (header->sequence <= link->received) {",
     "    if (header->sequence <= link->received && header->type != FRAME_RAFT) {"),
    ("net/link.c", "    link->received = header->sequence;",
     "    link->received = header->sequence > link->received ? header->sequence : link->received;"),
]

SEND_WAITS = "    if (waits_for_disk(sent.type)) {"

ELECTIONS = [
    Mutant(
        name="vote-before-sync",
        bug="A vote leaves before it is durable: a crash forgets it, and it is given again.",
        seen="property 4; etcd 3.5 ordering fixes; RedisRaft",
        file="raft/raft.c",
        text=SEND_WAITS,
        becomes="""\
    if (waits_for_disk(sent.type) && (sent.type != MSG_VOTE_RESP || sent.to == raft->id)) {""",
        profile="crash",
    ),
    Mutant(
        name="vote-request-before-sync",
        bug="A candidate asks before its own vote is durable: it can ask for one term twice.",
        seen="adr 17; property 5",
        file="raft/raft.c",
        text=SEND_WAITS,
        becomes="    if (waits_for_disk(sent.type) && sent.type != MSG_VOTE) {",
        profile="crash",
    ),
    Mutant(
        name="vote-not-durable",
        bug="The log keeps the term and forgets whom the vote went to.",
        seen="property 4; TinyKV",
        file="wal/wal_format.c",
        text="    store_u64(target + 8, hard_state->vote);",
        becomes="    store_u64(target + 8, 0);",
        profile="crash",
    ),
    Mutant(
        name="vote-twice-in-a-term",
        bug="Whoever knows no leader votes for everybody who asks.",
        seen="property 4",
        file="raft/election.c",
        text="    bool is_free = raft->vote == 0 && raft->leader == 0;",
        becomes="    bool is_free = raft->leader == 0;",
    ),
    Mutant(
        name="vote-without-log-check",
        bug="A vote goes to a candidate whose log lacks what may be committed.",
        seen="property 5; libraft",
        file="raft/election.c",
        text="    bool grant = can_vote && raft_log_is_up_to_date(&raft->log, last);",
        becomes="    bool grant = can_vote;",
    ),
    Mutant(
        name="vote-log-check-by-length",
        bug="The longer log wins the vote, whatever its last term is.",
        seen="property 5; TinyKV",
        file="raft/log.c",
        text="last.term > ours.term || (last.term == ours.term && last.index >= ours.index);",
        becomes="last.index >= ours.index;",
    ),
    Mutant(
        name="vote-without-its-term",
        bug="A vote is given in a term that the voter does not enter.",
        seen="property 4",
        file="raft/step.c",
        text="        message->type == MSG_PRE_VOTE || (message->type",
        becomes="        is_vote_request(message) || (message->type",
    ),
    Mutant(
        name="pre-vote-counts-as-vote",
        bug="A late answer to the pre-vote counts as a vote of the election that followed.",
        seen="etcd raft 8517",
        file="raft/election.c",
        text="""\
    if (message->type != (is_pre ? MSG_PRE_VOTE_RESP : MSG_VOTE_RESP)) {
        return; /* of an earlier stage of this campaign */
    }
""",
        becomes="",
    ),
    Mutant(
        name="votes-counted-by-message",
        bug="Votes are counted by message, and the network doubles one.",
        seen="a calibration simulator of ours; RedisRaft",
        file="raft/tracker.c",
        text="""\
    if (progress != NULL && progress->vote == RAFT_VOTE_NONE) {""",
        becomes="""\
    for (uint32_t i = 0; progress != NULL && progress->vote == RAFT_VOTE_YES && granted; i++) {
        if (i == tracker->count || tracker->members[i].vote == RAFT_VOTE_NONE) {
            progress = i == tracker->count ? progress : &tracker->members[i];
            break;
        }
    }
    if (progress != NULL && progress->vote == RAFT_VOTE_NONE) {""",
        also=REPEATED_FRAMES,
        profile="network",
    ),
    Mutant(
        name="half-is-a-quorum",
        bug="Half of the voters elect and commit where their number is even.",
        seen="property 3",
        file="raft/quorum.c",
        text="    uint32_t majority = voters->count / 2 + 1;",
        becomes="    uint32_t majority = (voters->count + 1) / 2;",
        also=[("raft/quorum.c", "    return sorted[count / 2];",
               "    return sorted[(count - 1) / 2];")],
        profile="network",
    ),
    Mutant(
        name="lower-term-accepted",
        bug="Messages of an earlier term are taken for present ones.",
        seen="property 6; TinyKV",
        file="raft/step.c",
        text="    if (message->term != 0 && message->term < raft->term) {",
        becomes="    if (false) {",
        profile="network",
    ),
    Mutant(
        name="pre-vote-raises-the-term",
        bug="A pre-candidate enters the term that it only asks about: whoever was away deposes the "
            "leader.",
        seen="property 12; etcd raft 8501",
        file="raft/role.c",
        text="    enter(raft, RAFT_PRE_CANDIDATE);",
        becomes="    reset(raft, raft->term + 1);\n    enter(raft, RAFT_PRE_CANDIDATE);",
        profile="quiet",
    ),
    Mutant(
        name="no-pre-vote",
        bug="Who could hear nobody stands without asking first, and comes back with a higher term.",
        seen="property 12; etcd 3.4",
        file="node/replica_start.c",
        text="        .pre_vote = true,",
        becomes="        .pre_vote = false,",
        profile="quiet",
    ),
    Mutant(
        name="no-stickiness",
        bug="Followers help to depose the leader that they have just heard.",
        seen="property 12; the Raft dissertation, 4.2.3",
        file="raft/step.c",
        text="    return raft->config.check_quorum && raft->leader != 0 && "
             "!message->is_transfer &&",
        becomes="    return false && raft->leader != 0 && !message->is_transfer &&",
        profile="quiet",
    ),
]

# ---- the core: replication ---------------------------------------------------------------------

REPLICATION = [
    Mutant(
        name="ack-before-sync",
        bug="A follower acknowledges entries before they are durable.",
        seen="property 2; etcd 3.5; RedisRaft",
        file="raft/raft.c",
        text=SEND_WAITS,
        becomes="""\
    if (waits_for_disk(sent.type) && (sent.type != MSG_APP_RESP || sent.to == raft->id)) {""",
        profile="crash",
    ),
    Mutant(
        name="own-entries-count-at-once",
        bug="The leader counts its own copy of an entry before that is durable.",
        seen="property 3; etcd raft 14370",
        file="raft/leader.c",
        text="    struct raft_pos pos = {.term = raft->term, .index = raft_tracker_committed",
        becomes="""\
    raft_tracker_find(&raft->tracker, raft->id)->match = raft_log_last_index(&raft->log);
    struct raft_pos pos = {.term = raft->term, .index = raft_tracker_committed""",
        profile="crash",
    ),
    Mutant(
        name="promise-overtakes-the-disk",
        bug="A promise with nothing of its own to write does not wait for what it rests on.",
        seen="property 4; raft/raft.h R1",
        file="node/replica.c",
        text="    } else if (!persists_is_empty(&replica->persists) &&",
        becomes="    } else if (false &&",
        profile="crash",
    ),
    Mutant(
        name="commit-of-older-term",
        bug="An entry of an older term is committed by counting its copies (Figure 8).",
        seen="property 1; libraft 0.15; the Raft paper, 5.4.2",
        file="raft/leader.c",
        text="    struct raft_pos pos = {.term = raft->term, .index = raft_tracker_committed"
             "(&raft->tracker)};",
        becomes="""\
    struct raft_pos pos = {.index = raft_tracker_committed(&raft->tracker)};
    (void)!raft_log_term(&raft->log, pos.index, &pos.term);""",
        profile="crash",
    ),
    Mutant(
        name="no-entry-at-term-start",
        bug="A new leader appends nothing: what it inherits stays undecided until somebody writes.",
        seen="property 1; libraft 0.15",
        file="raft/role.c",
        text="    bool taken = raft_leader_append(raft, &empty, 1); /* C2 */",
        becomes="    bool taken = true;",
    ),
    Mutant(
        name="commit-beyond-what-was-compared",
        bug="A follower commits up to its own last entry, which nobody has compared.",
        seen="property 3; TinyKV",
        file="raft/log.c",
        text="    uint64_t checked = prev.index + count;",
        becomes="    uint64_t checked = raft_log_last_index(log);",
        also=[SMALL_MESSAGES, EARLY_PROBES],
    ),
    Mutant(
        name="heartbeat-commits-all",
        bug="A heartbeat tells the leader's commit index to members that may have another log.",
        seen="property 3; TinyKV",
        file="raft/leader.c",
        text="        commit = progress->match < commit ? progress->match : commit;",
        becomes="",
    ),
    Mutant(
        name="ack-beyond-what-was-compared",
        bug="A follower acknowledges its own last entry, which nobody has compared.",
        seen="property 2; libraft 0.15",
        file="raft/follower.c",
        text="        answer_append(raft, message->from, message->index + message->entry_count);",
        becomes="        answer_append(raft, message->from, raft_log_last_index(log));",
        also=[SMALL_MESSAGES, EARLY_PROBES],
    ),
    Mutant(
        name="append-always-truncates",
        bug="An append cuts the log behind it although nothing contradicts it.",
        seen="the Raft paper, 5.3; TinyKV",
        file="raft/log.c",
        text="    uint32_t known = count_known(log, entries, count);",
        becomes="    uint32_t known = 0;",
        profile="network",
        also=[SMALL_MESSAGES, *REPEATED_FRAMES],
    ),
    Mutant(
        name="append-without-previous-check",
        bug="An append is taken although the entry before it is another one.",
        seen="the Raft paper, 5.3",
        file="raft/log.c",
        text="    if (!raft_log_matches(log, prev)) {\n        return false;",
        becomes="    if (prev.index > raft_log_last_index(log)) {\n        return false;",
    ),
    Mutant(
        name="persisted-mark-of-older-term",
        bug="A sync that ends confirms entries that have taken the place of those it wrote (ABA).",
        seen="property 6; etcd raft 14370",
        file="raft/ready.c",
        text="    if (mark->term == raft->term && mark->last.index != 0) {",
        becomes="    if (mark->last.index != 0) {",
        also=[("raft/unstable.c", " ||\n        term != pos.term) {", ") {")],
        profile="crash",
    ),
    Mutant(
        name="window-never-reopens",
        bug="Acknowledgements do not free the places of messages under way.",
        seen="property 13; etcd raft inflights",
        file="raft/leader_step.c",
        text="        raft_inflights_free_to(&progress->inflights, index);",
        becomes="",
    ),
    Mutant(
        name="probe-never-resumes",
        bug="A probe that was lost is never repeated.",
        seen="property 13; etcd raft 10279",
        file="raft/progress.c",
        text="    progress->is_append_paused = progress->is_probe_fresh; /* P2 */",
        becomes="",
        profile="network",
    ),
    Mutant(
        name="applied-beyond-commit",
        bug="A start takes the hard state's commit index although the store has applied more.",
        seen="etcd 20426",
        file="raft/raft.c",
        text="    commit = config->applied > commit ? config->applied : commit;",
        becomes="",
    ),
]

# ---- reads -------------------------------------------------------------------------------------

READS = [
    Mutant(
        name="read-without-a-round",
        bug="A leader answers reads without asking whether it still leads.",
        seen="property 15; etcd 20418",
        file="raft/read.c",
        text="    return raft->config.read_mode == RAFT_READ_LEASE && raft->transfer_target == 0;",
        becomes="    return true;",
        profile="network",
    ),
    Mutant(
        name="read-on-a-lease-alone",
        bug="A lease that the local clock measures is the only guard of reads.",
        seen="property 15; etcd 20418",
        file="node/replica_start.c",
        text="        .read_mode = RAFT_READ_SAFE,",
        becomes="        .read_mode = RAFT_READ_LEASE,",
        profile="network",
    ),
    Mutant(
        name="read-before-first-commit",
        bug="A new leader tells its commit index before anything of its term is committed.",
        seen="property 15; etcd raft 7331",
        file="raft/read.c",
        text="    if (has_committed_in_term(raft)) {\n        uint32_t count",
        becomes="    if (true) {\n        uint32_t count",
    ),
    Mutant(
        name="read-served-before-applied",
        bug="A confirmed read is answered from a state that has not got there yet.",
        seen="property 15; TinyKV",
        file="node/reads.c",
        text="read != NULL && read->index <= point.applied;",
        becomes="read != NULL;",
    ),
]

# ---- members -----------------------------------------------------------------------------------

# Node takes one change at a time by itself.
SEVERAL_CHANGES = [
    ("node/changes.c", "    if (replica->changes.waiting != NULL) {\n        return ERR_BUSY;\n    }\n", ""),
    ("node/changes.c", "    ASSERT(change->pos.index > replica->applied);\n", """\
    if (replica->changes.waiting != NULL) {
        finish(change, ERR_OUTCOME_UNKNOWN, 0);
        return;
    }
"""),
]

MEMBERSHIP = [
    Mutant(
        name="conf-change-before-first-commit",
        bug="A new leader changes the members before anything of its term is committed.",
        seen="property 8; libraft 0.22; the single-server bug of 2015",
        file="raft/role.c",
        text="    raft->pending_conf_index = raft_log_last_index(&raft->log);",
        becomes="",
        profile="membership",
    ),
    Mutant(
        name="two-conf-changes-at-once",
        bug="A second change enters the log before the first is applied.",
        seen="property 8; etcd raft 12359",
        file="raft/propose.c",
        text="    if (raft->pending_conf_index > raft->log.applied) {",
        becomes="    if (false) {",
        profile="membership",
        also=SEVERAL_CHANGES,
    ),
    Mutant(
        name="joint-quorum-of-the-new-alone",
        bug="In a joint configuration the new voters alone commit.",
        seen="property 8",
        file="raft/quorum.c",
        text="    return incoming < outgoing ? incoming : outgoing;",
        becomes="    return incoming;",
        profile="membership",
    ),
    Mutant(
        name="learner-stands",
        bug="A learner stands for election.",
        seen="property 8; etcd 3.4",
        file="raft/election.c",
        text="    return self != NULL && !self->is_learner &&",
        becomes="    return self != NULL &&",
        profile="membership",
    ),
    Mutant(
        name="stands-before-its-removal-is-applied",
        bug="Who has a committed change that is not applied yet stands with the old members.",
        seen="property 8; etcd raft 11003",
        file="raft/election.c",
        text="    if (!is_promotable(raft) || raft_log_has_unapplied_conf_change(&raft->log)) {",
        becomes="    if (!is_promotable(raft)) {",
        profile="membership",
    ),
    Mutant(
        name="commit-hint-believed-of-any-entry",
        bug="A vote tells how far its sender's log is committed; it is taken for true of one's own.",
        seen="property 3; raft-rs",
        file="raft/election.c",
        text="                   raft_log_maybe_commit(&raft->log, pos);",
        becomes="""\
                   pos.index > raft->log.committed && pos.index <= raft_log_last_index(&raft->log);
    if (is_news) {
        raft_log_commit_to(&raft->log, pos.index);
    }""",
        profile="network",
    ),
    Mutant(
        name="votes-without-commit-hints",
        bug="Who stays cannot learn that who left is needed no more: nobody leads, for ever.",
        seen="raft-rs",
        file="node/replica_start.c",
        text="        .commit_hints = true,",
        becomes="        .commit_hints = false,",
        # Without the seal, which makes it rare.
        also=[("node/changes.c", "        replica->changes.is_applied = true;",
               "        answer(replica, OK, 0);")],
        profile="membership",
        hours=200,
        slow="32 cluster-hours",
    ),
    Mutant(
        name="transfer-goes-on-with-proposals",
        bug="A leader that hands over goes on proposing, and the transfer never ends.",
        seen="property 12; etcd raft",
        file="raft/propose.c",
        text="    if (raft_tracker_get(&raft->tracker, raft->id) == NULL || "
             "raft->transfer_target != 0) {",
        becomes="    if (raft_tracker_get(&raft->tracker, raft->id) == NULL) {",
        profile="membership",
    ),
    Mutant(
        name="removed-leader-leads-on",
        bug="A leader that was removed stays.",
        seen="property 8",
        file="node/replica_start.c",
        text="        .step_down_on_removal = true,",
        becomes="        .step_down_on_removal = false,",
        profile="membership",
    ),
]

CORE = [*ELECTIONS, *REPLICATION, *READS, *MEMBERSHIP]
