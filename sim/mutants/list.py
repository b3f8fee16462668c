"""The bugs that the simulator must find: what is replaced in src/ by what (README.md).

`seen` says where it has bled: "property N" is docs/raft-properties.md, "adr N" a page of docs/adr,
the rest are other systems. `profile` is the simulator's that finds it soonest.
"""

from dataclasses import dataclass, field

HOURS = 6  # of cluster time; one of them takes about two seconds of a core


@dataclass
class Mutant:
    name: str
    bug: str
    seen: str
    file: str  # under src/
    text: str  # which stands there once
    becomes: str
    also: list = field(default_factory=list)  # more of (file, text, becomes), for a second defence
    profile: str = "swarm"
    hours: float = HOURS  # the budget
    slow: str = ""        # how long it took, if that is too long for every run
    waits_for: str = ""   # what the simulator has to learn first

    @property
    def changes(self):
        return [(self.file, self.text, self.becomes), *self.also]


# ---- the core: elections -----------------------------------------------------------------------

# Messages of one entry: otherwise nearly every append ends with the leader's last one.
SMALL_MESSAGES = ("node/replica.c", ".max_size_per_message = node->options.message_bytes_max,",
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
        file="node/replica.c",
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
        hours=400,
        slow="not found in 33 hours yet",
        also=[SMALL_MESSAGES],
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
        hours=60,
        slow="5.5 hours",
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
        file="raft/leader_step.c",
        text="    progress->is_append_paused = false;",
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
        file="node/replica.c",
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
        text="read != NULL && read->index <= applied;",
        becomes="read != NULL;",
    ),
]

# ---- writes and their answers ------------------------------------------------------------------

WRITES = [
    Mutant(
        name="answer-before-commit",
        bug="A write is answered when it is proposed.",
        seen="property 20",
        file="node/writes.c",
        text="    move(writes, &writes->proposed, write, STAGE_PROPOSED);",
        becomes="""\
    move(writes, &writes->proposed, write, STAGE_PROPOSED);
    finish_with(writes, write, OK);""",
    ),
    Mutant(
        name="overwritten-proposal-answered",
        bug="A write whose place another leader's entry took gets that entry's result.",
        seen="RedisRaft; TinyKV",
        file="node/writes.c",
        text="    if (write->pos.term != pos.term) {",
        becomes="    if (write->pos.term != pos.term && result == NULL) {",
    ),
    Mutant(
        name="deposed-leader-refuses",
        bug="A leader that is deposed says \"not applied\" of what it has proposed.",
        seen="adr 11; etcd 3.4 clients",
        file="node/writes.c",
        text="        insert_orphan(writes, write);",
        becomes="        finish_with(writes, write, ERR_NO_LEADER);",
    ),
    Mutant(
        name="deadline-refuses",
        bug="A write that is undecided at its deadline is told to be not applied.",
        seen="adr 11",
        file="node/writes.c",
        text="        bool is_open = write->stage != STAGE_QUEUED; /* W2 */",
        becomes="        bool is_open = false;",
    ),
    Mutant(
        name="lost-forward-sent-again",
        bug="A forwarded write whose connection broke is sent once more, and applied twice.",
        seen="adr 11; RedisRaft",
        file="node/writes.c",
        text="        finish_with(writes, write, ERR_OUTCOME_UNKNOWN);\n    "
             "}\n}\n\nvoid writes_tick",
        becomes="        move(writes, &writes->queued, write, STAGE_QUEUED);\n    }\n}\n\n"
                "void writes_tick",
        profile="network",
    ),
    Mutant(
        name="forward-numbers-begin-again",
        bug="A node numbers the writes it forwards from 1 in each life: an answer to an earlier "
            "one fits.",
        seen="node/forward.c F1; etcd 11662",
        file="node/replica.c",
        text="    writes_init(&replica->writes, env_random(node->env));",
        becomes="    writes_init(&replica->writes, 1);",
        profile="crash",
    ),
    Mutant(
        name="doubled-frame-taken",
        bug="A frame that the network doubles is taken twice: so is the write in it.",
        seen="adr 9; reliability 18",
        file="net/link.c",
        text="    if (header->sequence <= link->received) {",
        becomes="    if (false) {",
        profile="network",
    ),
    Mutant(
        name="frame-crc-not-checked",
        bug="A frame that was damaged on its way is believed.",
        seen="reliability 19; adr 9",
        file="proto/frame.c",
        text="    if (load_u32(frame.data + FRAME_CRC_OFFSET) != crc_of(frame.data, frame.size)) {",
        becomes="    if (false) {",
        profile="network",
    ),
    Mutant(
        name="apply-looks-at-the-clock",
        bug="Applying takes the time from the node's own clock.",
        seen="adr 10; reliability 31",
        file="store/apply.c",
        text="        .modified_ms = region->clock_ms,",
        becomes="        .modified_ms = env_wall_ms(store->options.env),",
    ),
]

# ---- the log on disk ---------------------------------------------------------------------------

LOG = [
    Mutant(
        name="sync-error-ignored",
        bug="A sync that failed is taken for one that did not.",
        seen="adr 3; property 7; PostgreSQL 2018",
        file="wal/wal_writer.c",
        text="""    wal_must(env_file_sync(write->file), "sync", write->path);""",
        becomes="    (void)!env_file_sync(write->file);",
        profile="disk",
    ),
    Mutant(
        name="mark-before-sync",
        bug="The file that tells how far the log is durable is written before it is.",
        seen="adr 14",
        file="wal/wal_writer.c",
        text="    write_batch(write);\n    uint64_t begin_ns",
        becomes="    write_batch(write);\n    write_mark(write);\n    uint64_t begin_ns",
        profile="crash",
    ),
    Mutant(
        name="segment-named-before-it-is-durable",
        bug="A segment gets its name before its content is on the disk.",
        seen="adr 14; dqlite",
        file="wal/wal_writer.c",
        text="""\
    write_batch(write);
    uint64_t begin_ns = env_now_ns(write->env);
    wal_must(env_file_sync(write->file), "sync", write->path);
    write->sync_ns = env_now_ns(write->env) - begin_ns;
    if (write->is_new_segment) {
        wal_must(env_rename(write->env, write->source_path, write->path), "rename",
                 write->source_path);
        wal_must(env_dir_sync(write->env, write->directory), "sync", write->directory);
    }
""",
        becomes="""\
    if (write->is_new_segment) {
        wal_must(env_rename(write->env, write->source_path, write->path), "rename",
                 write->source_path);
        wal_must(env_dir_sync(write->env, write->directory), "sync", write->directory);
    }
    write_batch(write);
    uint64_t begin_ns = env_now_ns(write->env);
    wal_must(env_file_sync(write->file), "sync", write->path);
    write->sync_ns = env_now_ns(write->env) - begin_ns;
""",
        profile="crash",
    ),
    Mutant(
        name="directory-not-synced",
        bug="A new segment's name is not synced: a power cut takes it away, acknowledged entries "
            "and all.",
        seen="adr 14; etcd WAL",
        file="wal/wal_writer.c",
        text="""\
        wal_must(env_dir_sync(write->env, write->directory), "sync", write->directory);""",
        becomes="",
        profile="crash",
    ),
    Mutant(
        name="recovered-tail-not-synced",
        bug="What a start reads back is promised from, although it may be in the page cache only.",
        seen="wal/wal_recover.h R3; PostgreSQL 2018",
        file="wal/wal_recover.c",
        text="""\
        e = env_file_sync(segment->file);
    }
    if (e != OK) {
        return fail_io(recovery, e, "make what was kept durable");""",
        becomes="""\
    }
    if (e != OK) {
        return fail_io(recovery, e, "make what was kept durable");""",
        profile="crash",
    ),
    Mutant(
        name="record-crc-not-checked",
        bug="A torn record of the log is believed.",
        seen="property 11; adr 14",
        file="wal/wal_format.c",
        text="    if (crc != record.crc) {",
        becomes="    if (false) {",
        profile="crash",
    ),
    Mutant(
        name="damage-taken-for-a-torn-tail",
        bug="Damage in what was reported durable is cut off like a torn tail.",
        seen="property 11; reliability 6; CTRL",
        file="wal/wal_recover.c",
        text="    if (scan->offset < known_end(recovery, header)) {",
        becomes="    if (false) {",
        also=[("wal/wal_recover.c", "    if (later != 0) {", "    if (false) {")],
        profile="disk",
    ),
    Mutant(
        name="recovery-ignores-truncation",
        bug="A start brings back entries that a later one of another term had cut off.",
        seen="property 6; dqlite",
        file="wal/wal_index.c",
        text="    struct wal_slot *slot = put(index, region, entry, size, 0);",
        becomes="""\
    uint64_t last = region->last;
    struct wal_slot *slot = put(index, region, entry, size, 0);
    for (; region->last < last; region->last++) {
        struct wal_slot *kept = &region->slots[(region->last + 1) & (region->capacity - 1)];
        wal_segments_hold(index->segments, kept->place.segment, WAL_ENTRY_RECORD_SIZE(kept->size));
    }""",
    ),
    Mutant(
        name="hard-state-not-recovered",
        bug="A start forgets term and vote.",
        seen="property 4",
        file="wal/wal_recover.c",
        text="        if (wal_hard_state_decode(record->payload, &region->hard_state) != OK) {",
        becomes="        struct hard_state read;\n"
                "        if (wal_hard_state_decode(record->payload, &read) != OK) {",
        profile="crash",
    ),
    Mutant(
        name="new-segment-without-hard-state",
        bug="A new segment begins with an empty hard state, which then is the newest in the log.",
        seen="property 4; dqlite",
        file="wal/wal.c",
        text="        wal_batch_add_hard_state(&wal->writing, region->id, &region->hard_state);\n"
             "        wal_batch_add_pos",
        becomes="        wal_batch_add_hard_state(&wal->writing, region->id,\n"
                "                                 &(struct hard_state){0});\n"
                "        wal_batch_add_pos",
        profile="crash",
    ),
    Mutant(
        name="segment-freed-too-early",
        bug="A segment goes before the records that made it superfluous are durable.",
        seen="reliability 29; dqlite",
        file="wal/wal_reclaim.c",
        text="""\
           oldest->release_batch <= wal->durable_batch &&
           wal->segments.list[1].first_batch <= wal->durable_batch;""",
        becomes="           true;",
        also=[("wal/wal.c", "pos, batch);\n    }\n    wal->is_copy_due = true;\n",
               "pos, batch);\n    }\n    wal->is_copy_due = true;\n    wal_reclaim(wal);\n")],
        profile="crash",
    ),
    Mutant(
        name="log-cut-past-the-checkpoint",
        bug="The log is cut up to what is applied, although the checkpoint is older.",
        seen="reliability 29; property 9",
        file="node/replica_compact.c",
        text="    struct raft_pos pos = {.index = floor < checkpoint ? floor : checkpoint};",
        becomes="""\
    checkpoint = replica->applied;
    struct raft_pos pos = {.index = floor < checkpoint ? floor : checkpoint};""",
        profile="crash",
    ),
]

# ---- the store ---------------------------------------------------------------------------------

STORE = [
    Mutant(
        name="applied-behind-the-data",
        bug="The checkpoint says one entry less than it holds: a restart applies that one twice.",
        seen="reliability 0.2; etcd 3.5.0",
        file="store/region.c",
        text="    writer_u64(out, region->applied.index);",
        becomes="    writer_u64(out, region->applied.index - (region->applied.index > 1 ? 1 : 0));",
    ),
    Mutant(
        name="applied-ahead-of-the-data",
        bug="A checkpoint that is tried again takes the applied index of by then with the data of "
            "before.",
        seen="reliability 0.2; etcd 3.5.0, 13766",
        file="store/checkpointer.c",
        text="    store_checkpoint_reserve(store->checkpoint, &store->batch);",
        becomes="    batch_fill(store);\n"
                "    store_checkpoint_reserve(store->checkpoint, &store->batch);",
        profile="disk",
    ),
    Mutant(
        name="membership-not-in-the-checkpoint",
        bug="The checkpoint has no members: after a restart from it nobody is left to elect.",
        seen="property 9; TinyKV",
        file="store/region.c",
        text="    membership_encode(&region->membership, out);",
        becomes="    membership_encode(&(struct membership){0}, out);",
    ),
    Mutant(
        name="checkpoint-not-synced",
        bug="LMDB does not sync: the log that the checkpoint replaces goes before it is durable.",
        seen="reliability 0.8",
        file="store/checkpoint.c",
        text="mdb_env_open(checkpoint->mdb, path, flags, FILE_MODE);",
        becomes="mdb_env_open(checkpoint->mdb, path, flags | MDB_NOSYNC, FILE_MODE);",
        profile="crash",
    ),
    Mutant(
        name="checkpoint-meta-not-synced",
        bug="LMDB does not sync its meta page: a power cut takes back the newest checkpoint.",
        seen="reliability 0.8",
        file="store/checkpoint.c",
        text="mdb_env_open(checkpoint->mdb, path, flags, FILE_MODE);",
        becomes="mdb_env_open(checkpoint->mdb, path, flags | MDB_NOMETASYNC, FILE_MODE);",
        profile="crash",
    ),
    Mutant(
        name="checkpoint-counts-before-it-is-durable",
        bug="A checkpoint counts when it begins: the log behind it may go before it is written.",
        seen="property 9; dqlite",
        file="store/checkpointer.c",
        text="    store_checkpoint_reserve(store->checkpoint, &store->batch);",
        becomes="""\
    for (size_t i = 0; i < store->batch.region_count; i++) {
        store_find_region(store, store->batch_regions[i].id)->checkpoint = store->positions[i];
    }
    store_checkpoint_reserve(store->checkpoint, &store->batch);""",
        profile="crash",
    ),
    Mutant(
        name="reader-not-renewed",
        bug="Reads go on in the transaction from before the checkpoint, and the tail is gone.",
        seen="store/checkpointer.c I3",
        file="store/checkpointer.c",
        text="    store_checkpoint_refresh(store->checkpoint);",
        becomes="",
    ),
    Mutant(
        name="tombstones-not-written",
        bug="A deletion does not reach the checkpoint: the key is back once the tail is gone.",
        seen="etcd 3.5 compaction; LSM stores",
        file="store/checkpoint.c",
        text="            status = mdb_cursor_del(cursor, 0);",
        becomes="",
    ),
    Mutant(
        name="frozen-tail-not-read",
        bug="What is just being written to the checkpoint is not seen by reads.",
        seen="store/store.h; LSM stores",
        file="store/store.c",
        text="""\
 ||
        find_in_tail(store->frozen, key, out_record, &e)) {""",
        becomes=") {",
    ),
    Mutant(
        name="value-crc-not-checked",
        bug="A value that has rotten on the disk is handed out.",
        seen="reliability 0.1, 7",
        file="store/store.c",
        text="        e = store_record_verify(&record, key); /* S4",
        becomes="        e = OK; /* S4",
        profile="disk",
    ),
    Mutant(
        name="identity-not-synced",
        bug="The file that says who a node is gets its name before its content is durable.",
        seen="adr 16; every editor on ext4",
        file="node/identity.c",
        text="        e = env_file_sync(file);",
        becomes="        (void)file;",
        profile="crash",
    ),
]

# ---- members -----------------------------------------------------------------------------------

MEMBERS = "several changes under way, asked of whoever thinks that it leads, right after elections"

MEMBERSHIP = [
    Mutant(
        name="conf-change-before-first-commit",
        bug="A new leader changes the members before anything of its term is committed.",
        seen="property 8; libraft 0.22; the single-server bug of 2015",
        file="raft/role.c",
        text="    raft->pending_conf_index = raft_log_last_index(&raft->log);",
        becomes="",
        profile="membership",
        waits_for=MEMBERS,
    ),
    Mutant(
        name="two-conf-changes-at-once",
        bug="A second change enters the log before the first is applied.",
        seen="property 8; etcd raft 12359",
        file="raft/propose.c",
        text="    if (raft->pending_conf_index > raft->log.applied) {",
        becomes="    if (false) {",
        profile="membership",
        waits_for=MEMBERS,
    ),
    Mutant(
        name="joint-quorum-of-the-new-alone",
        bug="In a joint configuration the new voters alone commit.",
        seen="property 8",
        file="raft/quorum.c",
        text="    return incoming < outgoing ? incoming : outgoing;",
        becomes="    return incoming;",
        profile="membership",
        waits_for=MEMBERS,
    ),
    Mutant(
        name="learner-stands",
        bug="A learner stands for election.",
        seen="property 8; etcd 3.4",
        file="raft/election.c",
        text="    return self != NULL && !self->is_learner &&",
        becomes="    return self != NULL &&",
        profile="membership",
        waits_for=MEMBERS,
    ),
    Mutant(
        name="stands-before-its-removal-is-applied",
        bug="Who has a committed change that is not applied yet stands with the old members.",
        seen="property 8; etcd raft 11003",
        file="raft/election.c",
        text="    if (!is_promotable(raft) || raft_log_has_unapplied_conf_change(&raft->log)) {",
        becomes="    if (!is_promotable(raft)) {",
        profile="membership",
        waits_for=MEMBERS,
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
        waits_for=MEMBERS,
    ),
    Mutant(
        name="removed-leader-leads-on",
        bug="A leader that was removed stays.",
        seen="property 8",
        file="node/replica.c",
        text="        .step_down_on_removal = true,",
        becomes="        .step_down_on_removal = false,",
        profile="membership",
        waits_for=MEMBERS,
    ),
]

MUTANTS = [*ELECTIONS, *REPLICATION, *READS, *WRITES, *LOG, *STORE, *MEMBERSHIP]
