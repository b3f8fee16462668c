"""The bugs of what was: watches that miss, repeat or halve, and cursors that do not stay where they are."""

from mutant import Mutant

WATCHES = [
    Mutant(
        name="watch-gap-on-leader-change",
        bug="What an earlier term's leader proposed, and the next one commits, is told to nobody.",
        seen="api.md 7; etcd clientv3 watchers across elections",
        file="node/node_storage.c",
        text="    history_changed(node->replica->history, change);",
        becomes="""\
    const struct raft *raft = node->replica->raft;
    uint64_t term = 0;
    if (raft != NULL && raft_log_term(&raft->log, node->replica->applied + 1, &term) == OK &&
        term < raft->term) {
        return;
    }
    history_changed(node->replica->history, change);""",
        also=[("node/node_storage.c", '#include "node/node_int.h"',
               '#include "node/node_int.h"\n#include "raft/raft_int.h"')],
    ),
    Mutant(
        name="watch-event-twice-after-resume",
        bug="Who comes back is told again of the revision that it has.",
        seen="api.md 7",
        file="node/history.c",
        text="        if ((*slot_of(history, middle))->revision <= revision) {",
        becomes="        if ((*slot_of(history, middle))->revision < revision) {",
    ),
    Mutant(
        name="history-with-a-hole",
        bug="What the history dropped between two checkpoints is missing in its journal, and a start does not see that.",
        seen="node/history_journal.h J3",
        file="node/history_journal.c",
        text="    if (!loading->is_begun || loading->told != 0 || after > history_newest(loading->history)) {",
        becomes="    if (!loading->is_begun || loading->told != 0) {",
    ),
    Mutant(
        name="newest-change-told-first",
        bug="Of several changes that fit the last one is told, and then what comes after that.",
        seen="node/watches.h W4",
        file="node/watches.c",
        text="        next = number;",
        becomes="        next = next == seen ? number : next;",
    ),
    Mutant(
        name="watch-not-told",
        bug="Of a prefix that is shorter than another one nobody is told.",
        seen="node/watches.h W1",
        file="node/watches.c",
        text="    for (uint32_t i = 0; i < watches->length_count; i++) {\n"
             "        if (watches->lengths[i] <= key.size) {",
        becomes="    for (uint32_t i = 0; i < watches->length_count; i++) {\n"
                "        if (watches->lengths[i] <= key.size && watches->lengths[i] > 0) {",
    ),
    Mutant(
        name="revision-half-told",
        bug="Of a revision's changes that fit only the first one is told to who is up to date.",
        seen="node/watches.h W4",
        file="node/watches.c",
        text="    uint64_t *place = &topic->matches[topic->match_count % MATCHES_MAX];",
        becomes="""\
    uint64_t *place = &topic->matches[topic->match_count % MATCHES_MAX];
    uint64_t last = topic->matches[(topic->match_count + MATCHES_MAX - 1) % MATCHES_MAX];
    if (topic->match_count > 0 && last >= history_first(watches->history) &&
        history_at_number(watches->history, last)->revision ==
            history_at_number(watches->history, number)->revision) {
        return;
    }""",
    ),
    Mutant(
        name="lost-history-counts-as-known",
        bug="Changes that were lost before anybody looked count as known once another one comes.",
        seen="here: swarm 104",
        file="node/watches.c",
        text="            topic->match_count = 0; /* else what these make way for would count as "
             "known again */\n",
        becomes="",
    ),
]

HISTORY = [
    Mutant(
        name="history-goes-on-over-a-snapshot",
        bug="A node that takes in a snapshot keeps its history, as if nothing had come in between.",
        seen="adr 31",
        file="node/install.c",
        text="    history_restart(replica->history, state->revision);",
        becomes="",
    ),
    Mutant(
        name="history-goes-on-over-a-repair",
        bug="A node that gets its state from a peer in repair keeps the history that it began with.",
        seen="here: swarm 24",
        file="node/repair.c",
        text="    history_restart(replica->history, store_region(node->store, replica->region)"
             "->revision);",
        becomes="",
    ),
]

CURSORS = [
    Mutant(
        name="cursor-reading-the-present",
        bug="A page of a revision that is past shows what there is now.",
        seen="api.md 3",
        file="node/scan.c",
        text="    bool is_past = revision != 0 && revision < now;",
        becomes="    bool is_past = revision != 0 && revision > now;",
    ),
    Mutant(
        name="cursor-takes-back-too-little",
        bug="A page takes back the last change since its revision, not the first one.",
        seen="node/scan_past.h P1",
        file="node/scan_past.c",
        text="    int order = slice_compare(left->key, right->key);\n"
             "    return order != 0 ? order : (left->number > right->number) - "
             "(left->number < right->number);",
        becomes="    int order = slice_compare(left->key, right->key);\n"
                "    return order != 0 ? order : (left->number < right->number) - "
                "(left->number > right->number);",
    ),
]

ELECTIONS = [
    Mutant(
        name="who-leads-is-told-once",
        bug="Who watches an election is told of the first change, and of none after it.",
        seen="node/notices.h T1",
        file="node/notices.c",
        text="        list_push_back(bucket_of(notices, notice->hash), &notice->link);\n"
             "        notice->changed",
        becomes="        list_init(&notice->link);\n        notice->changed",
    ),
    Mutant(
        name="leader-of-a-snapshot-not-told",
        bug="A node that takes in a snapshot tells nobody who leads an election by it.",
        seen="node/notices.h T3",
        file="node/install.c",
        text="    notices_note_all(&node->notices);",
        becomes="",
        profile="network",
    ),
]

PAST = [*WATCHES, *HISTORY, *CURSORS, *ELECTIONS]
