"""The bugs of src/wal and src/store: what a disk is trusted with."""

from mutant import Mutant

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
        file="wal/wal_replay.c",
        text="    if (scan->offset < known_end(replay, header)) {",
        becomes="    if (false) {",
        also=[("wal/wal_replay.c", "    if (later != 0) {", "    if (false) {")],
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
        file="wal/wal_replay.c",
        text="        wal_index_get(&replay->wal->index, record->region)->hard_state = hard_state;",
        becomes="        (void)wal_index_get(&replay->wal->index, record->region);",
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
        find_in_tail(store->frozen.of[space], key, out_record, &e)) {""",
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
        name="lost-chunk-not-missed",
        bug="A chunk is taken for the next one although one before it was lost.",
        seen="snapshots.h S3; features SUM-3",
        file="node/snapshots_in.c",
        text="    if (is_ours(in, from, frame) && frame->number != in->received) {",
        becomes="    if (is_ours(in, from, frame) && frame->number < in->received) {",
        # Chunks are numbered and chained, and the whole is compared with what it says it is.
        also=[("store/snapshot_format.c", """\
    if (load_u32(chunk.data + OFFSET_NUMBER) != check->chain.count ||
        load_u32""", "    if (load_u32"),
              ("store/snapshot_format.c", "crc32c((uint32_t)chain->whole.low, chunk.data",
               "crc32c((uint32_t)(chain->whole.low & 0), chunk.data"),
              ("store/snapshot_format.c", """\
        !hash128_equal(whole, check->chain.whole) ||
        !store_snapshot_sums_agree(&check->sums, &check->region)) {""", """\
        (!hash128_equal(whole, check->chain.whole) && check->chain.count == 0)) {"""),
              ("store/snapshot_format.c", "record_count != store_snapshot_sum_records(&check->sums) ||",
               "record_count > UINT32_MAX ||")],
        profile="network",
    ),
    Mutant(
        name="first-kept-chunk-not-repeated",
        bug="Behind a break the first chunk that was not acknowledged is taken to be there.",
        seen="snapshots.h S3",
        file="node/snapshot_window.c",
        text="    for (uint32_t i = window->acked; i < window->sent && e == OK; i++) {",
        becomes="    for (uint32_t i = window->acked + 1; i < window->sent && e == OK; i++) {",
        profile="network",
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
    Mutant(
        name="repaired-below-the-log",
        bug="A node in repair takes a state that ends before its own log begins.",
        seen="adr 23",
        file="node/repair.c",
        text="           pos.index >= repair->index_min;",
        becomes="           true;",
        also=[("node/repair.c", "    ASSERT(pos.index >= repair->index_min);\n", ""),
              ("node/repair.c", "    if (state->checkpoint.index >= asked->index) {",
               "    if (state->checkpoint.index > 0) {")],
        profile="disk",
    ),
    Mutant(
        name="log-reset-without-hard-state",
        bug="A node whose log is reset to a state that it was sent forgets its term and its vote.",
        seen="adr 23; reliability 9",
        file="node/install.c",
        text="    if (hard_state.term < pos.term) {",
        becomes="    if (hard_state.term != 0) {",
        profile="disk",
        slow="25 hours",
    ),
    Mutant(
        name="repaired-log-kept",
        bug="A node in repair goes on from the end of its own log, though the state is of a later "
            "index: the entries between them are gone.",
        seen="adr 23; CTRL",
        file="node/install.c",
        text="    wal_compact(wal, replica->region, pos);\n",
        becomes="",
        profile="disk",
    ),
    Mutant(
        name="log-begun-below-what-was-acknowledged",
        bug="A node that has lost its log begins a new one at whatever state it gets.",
        seen="adr 23; CTRL",
        file="node/repair.c",
        text="            repair->index_min = heard->last_index;",
        becomes="            repair->index_min = 1;",
        profile="disk",
    ),
    Mutant(
        name="who-mends-gives-nothing",
        bug="A node that is mending its log does not tell what is whole of it.",
        seen="adr 28; etcd: a quorum that is damaged at different places is lost",
        file="node/log_mend.c",
        text="    answer->count = wal_mend_read(mend, &range, answer->entries);",
        becomes="    (void)mend;\n    (void)range;\n    answer->count = 0;",
        profile="disk",
    ),
    Mutant(
        name="mended-log-not-synced",
        bug="What was put back into a damaged log is not written and synced again when the log is "
            "opened.",
        seen="adr 28; adr 3",
        file="wal/wal.c",
        text="        e = wal_redo(options->env, options->directory, note);",
        becomes="        (void)wal_redo;",
        profile="disk",
    ),
    Mutant(
        name="mending-given-up-for-the-disk",
        bug="A full disk or a failed sync, while it is noted what is to be mended, counts as damage "
            "that cannot be mended: the log is set aside, on all members.",
        seen="adr 28",
        file="node/log_mend.c",
        text="    if (e == ERR_UNAVAILABLE) {",
        becomes="    if (e != OK) {",
        profile="disk",
        slow="27 hours",
    ),
]

STORAGE = [*LOG, *STORE]
