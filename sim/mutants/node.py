"""The bugs of what a node answers to its clients, and of what it applies."""

from mutant import Mutant

NODE = [
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
             "}\n}\n\nvoid writes_resume",
        becomes="        move(writes, &writes->queued, write, STAGE_QUEUED);\n    }\n}\n\n"
                "void writes_resume",
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
    Mutant(
        name="request-answered-and-not-begun",
        bug="The leader answers a request about members without changing anything.",
        seen="adr 22",
        file="node/admin_requests.c",
        text="    changes_begin(replica, &request->change);",
        becomes="    finish(request, OK, SLICE_EMPTY);",
        profile="membership",
    ),
    Mutant(
        name="request-lost-on-its-way-answered",
        bug="A request whose leader is lost is told to be done.",
        seen="adr 22; A2",
        file="node/admin_requests.c",
        text="""\
            request->spec.is_again = true; /* A2 */
            put_off(request, ERR_NO_LEADER);""",
        becomes="            finish(request, OK, SLICE_EMPTY);",
        profile="membership",
    ),
    Mutant(
        name="state-of-another-entry",
        bug="A replica holds the state that it has now against what others had at an earlier "
            "entry, and takes itself for wrong.",
        seen="adr 27",
        file="node/divergence.c",
        text="    const struct frame_mark *own = own_mark(&replica->divergence, round->index);",
        becomes="    const struct frame_mark *own = own_mark(&replica->divergence, "
                "replica->applied);",
    ),
    Mutant(
        name="stalled-leader-stays",
        bug="A leader whose disk does not answer keeps the lead.",
        seen="etcd 13527, 15247",
        file="node/stall.c",
        text="    if (is_stalled && replica->role == RAFT_LEADER) {",
        becomes="    if (is_stalled && replica->role == RAFT_LEADER && stall->ticks == 0) {",
        profile="disk",
    ),
    Mutant(
        name="stalled-node-stands",
        bug="A node whose disk does not answer stands for election.",
        seen="node/stall.h Z3",
        file="node/stall.c",
        text="        raft_stand_back(replica->raft, is_stalled); /* Z3 */",
        becomes="        raft_stand_back(replica->raft, false);",
        profile="disk",
    ),
    Mutant(
        name="quota-of-this-node",
        bug="Applying looks at this node's own quota, not at the one in the entry.",
        seen="adr 25",
        file="node/replica_apply.c",
        text="    stop_if_newer(replica, entry, e);\n    if (e == OK) {\n        store_apply(",
        becomes="""\
    stop_if_newer(replica, entry, e);
    command.quota_bytes = replica->node->options.quota_bytes;
    if (e == OK) {
        store_apply(""",
    ),
    Mutant(
        name="full-disk-ends-the-log",
        bug="A log that finds no room for its next segment ends the process.",
        seen="this program, before adr 25",
        file="wal/wal_spare.c",
        text="    if (make->e != ERR_NO_SPACE) {",
        becomes="    if (make->e != OK) {",
        profile="disk",
    ),
]
