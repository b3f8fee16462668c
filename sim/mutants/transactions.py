"""The bugs of transactions: time, idempotency, fences, locks, and what they leave in a snapshot."""

from mutant import Mutant

TIME = [
    Mutant(
        name="expiry-by-the-wall-clock",
        bug="The leader's claim of how much time has passed is its wall clock.",
        seen="adr 32; api-design 5",
        file="node/expiry.c",
        text="    return expiry->is_known ? expiry->base_ms + (now_ms - expiry->since_ms) : 0;",
        becomes="    (void)now_ms;\n    return env_wall_ms(expiry->replica->node->env);",
    ),
    Mutant(
        name="time-not-taken-by-a-new-leader",
        bug="A new leader counts from nothing: time stands still until it is past what was.",
        seen="node/expiry.h E1",
        file="node/expiry.c",
        text="        expiry->base_ms = state->elapsed_ms;",
        becomes="        expiry->base_ms = 0;",
    ),
    Mutant(
        name="time-of-the-process",
        bug="A new leader counts what passed since its clock began, not since it leads.",
        seen="node/expiry.h E1",
        file="node/expiry.c",
        text="        expiry->since_ms = env_now_ms(replica->node->env);",
        becomes="        expiry->since_ms = 0;",
    ),
    Mutant(
        name="overwritten-key-keeps-its-end",
        bug="A transaction that replaces a key leaves the time in the index that the old one had.",
        seen="store/system.h Y1",
        file="store/apply_key.c",
        text="""\
    if (has_time) {
        apply_key_drop_time(&run->stage, op->key, existing);
    }
    return set_time(run, op, record);""",
        becomes="    return set_time(run, op, record);",
    ),
    Mutant(
        name="plainly-overwritten-key-keeps-its-end",
        bug="A plain PUT or DELETE of a key leaves its time in the index.",
        seen="store/system.h Y1",
        file="store/apply.c",
        text="    if (writes && exists && existing.expires_ms != 0) {",
        becomes="    if (writes && exists && existing.expires_ms == UINT64_MAX) {",
    ),
    Mutant(
        name="touched-key-keeps-its-end",
        bug="A key that is touched ends when it would have without.",
        seen="api.md 5",
        file="store/apply_key.c",
        text="""\
    record.flags &= (uint8_t)~STORE_RECORD_LEASED;
    record.expires_ms = 0;
    result->existed = true;
    err e = change_time(run, op, existing, &record);""",
        becomes="    result->existed = true;\n    err e = OK;",
    ),
    Mutant(
        name="kept-ttl-is-lost",
        bug="A write that is to keep what TTL there is leaves the key without one.",
        seen="api.md 1, keepttl",
        file="store/apply_key.c",
        text="        record->expires_ms = existing->expires_ms;\n        return OK;",
        becomes="        record->expires_ms = 0;\n        return OK;",
    ),
    Mutant(
        name="kept-lease-is-lost",
        bug="A write that is to keep a key's lease keeps its id, as if it were a time.",
        seen="store/record.h",
        file="store/apply_key.c",
        text="        record->flags |= existing->flags & STORE_RECORD_LEASED;",
        becomes="",
    ),
    Mutant(
        name="kept-lease-keeps-its-end",
        bug="A lease that is kept alive ends when it would have without.",
        seen="etcd lease keep-alives",
        file="store/apply_lease.c",
        text="    lease.due_ms = run->region->elapsed_ms + lease.ttl_ms;\n    put_lease",
        becomes="    put_lease",
    ),
    Mutant(
        name="old-end-of-a-kept-lease-stays",
        bug="Keeping a lease alive leaves its old end in the index, too.",
        seen="store/system.h Y1",
        file="store/apply_lease.c",
        text="    drop_expiry(run, id, &lease);\n    lease.ttl_ms",
        becomes="    lease.ttl_ms",
    ),
]

IDEMPOTENCY = [
    Mutant(
        name="idempotency-not-looked-at",
        bug="A command with an idempotency key that was answered is carried out again.",
        seen="api.md 6",
        file="store/apply_txn.c",
        text="    if (!has_key || !apply_answer_find(&run, &result)) {",
        becomes="    if (!has_key || run.txn.then_count > 0 || !apply_answer_find(&run, &result)) {",
    ),
    Mutant(
        name="idempotency-lost-in-a-snapshot",
        bug="What a snapshot has of the system's space is not taken over.",
        seen="adr 31",
        file="store/checkpoint_snapshot.c",
        text="        status = mdb_cursor_put(cursors[space], &mdb_key, &mdb_bytes, "
             "is_alone ? MDB_APPEND : 0);",
        becomes="        status = space == STORE_SPACE_SYSTEM ? 0 : "
                "mdb_cursor_put(cursors[space], &mdb_key, &mdb_bytes, is_alone ? MDB_APPEND : 0);",
    ),
    Mutant(
        name="refusal-not-remembered",
        bug="Only what went well is remembered under its idempotency key: asked again, a lost "
            "condition may hold.",
        seen="api.md 6",
        file="store/apply_answer.c",
        text="    return e != ERR_QUOTA && e != ERR_TOO_LARGE && e != ERR_LOCKED;",
        becomes="    return e == OK;",
    ),
]

LOCKS = [
    Mutant(
        name="fence-not-checked",
        bug="A write with a token is carried out whoever holds the lock.",
        seen="Kleppmann 2016, distributed locking",
        file="store/apply_txn.c",
        text="        return relates(check->relation, is_held ? 0 : 1);",
        becomes="        return relates(check->relation, is_held ? 0 : 0);",
    ),
    Mutant(
        name="lock-granted-past-the-queue",
        bug="A lock that is let go of is for whoever comes next, not for who has waited longest.",
        seen="api.md 8",
        file="store/apply_lock.c",
        text="    if (lock.holders < lock.limit && lock.waiters == 0) {",
        becomes="    if (lock.holders < lock.limit) {",
        also=[("store/apply_lock.c",
               "    run->is_revision = true;\n    promote(run, name, &lock);",
               "    run->is_revision = true;\n    put_lock(run, name, &lock);")],
    ),
    Mutant(
        name="one-holder-too-many",
        bug="A lock is held by one more than it allows.",
        seen="store/system.h Y2",
        file="store/apply_lock.c",
        text="    if (lock.holders < lock.limit && lock.waiters == 0) {",
        becomes="    if (lock.holders <= lock.limit && lock.waiters == 0) {",
    ),
    Mutant(
        name="token-given-twice",
        bug="A token is the revision alone: two who come to hold a lock in one have the same.",
        seen="store/apply_lock.c",
        file="store/apply_lock.c",
        text="    uint64_t token = run->last_token + 1 > run->revision ? run->last_token + 1 : "
             "run->revision;",
        becomes="    uint64_t token = run->revision;",
    ),
    Mutant(
        name="elected-by-the-revision",
        bug="The token of an election's leader is the revision alone, which places in queues may "
            "have overtaken: it is not larger than all before it.",
        seen="api.md 8; store/apply_lock.c",
        file="store/apply_lock.c",
        text="    if (party->lease != 0) {\n        err e = apply_lease_grant",
        becomes="    token = name.data[0] == 'e' ? run->revision : token;\n"
                "    if (party->lease != 0) {\n        err e = apply_lease_grant",
    ),
    Mutant(
        name="who-resigned-still-leads",
        bug="Who resigns stays in the election's record of holders: nobody comes to lead.",
        seen="api.md 8",
        file="store/apply_lock.c",
        text="    lock.holders--;\n    run->is_revision = true;",
        becomes="    lock.holders -= name.data[0] == 'e' ? 0 : 1;\n    run->is_revision = true;",
    ),
    Mutant(
        name="force-takes-from-the-next-one",
        bug="A lock that is taken by force is taken from who comes to hold it by that, too.",
        seen="store/apply_lock.c",
        file="store/apply_lock.c",
        text="    uint64_t newest = run->last_token; /* who comes to hold it now, keeps it */",
        becomes="    uint64_t newest = UINT64_MAX;",
    ),
    Mutant(
        name="lock-outlives-its-lease",
        bug="A lock whose holder's lease has ended stays held.",
        seen="api.md 8",
        file="store/apply_lease.c",
        text="    apply_lock_drop_holder(run, (struct slice){name.data + 8, name.size - 8}, token);",
        becomes="    (void)token;",
    ),
]

CHECKS = [
    Mutant(
        name="condition-not-checked",
        bug="A conditional write is carried out whatever it meets.",
        seen="adr 31",
        file="store/apply_txn.c",
        text="    bool all_hold = check_all(run, result);",
        becomes="    bool all_hold = check_all(run, result) || result->e == ERR_PRECONDITION_FAILED;"
                "\n    result->e = OK;",
    ),
    Mutant(
        name="or-wants-all",
        bug="Of checks that an `or` joins all have to hold.",
        seen="api.md 4; proto/txn.h",
        file="store/apply_txn.c",
        text="        } else if (!does_hold) {\n            does_hold = holds(run, &check);",
        becomes="        } else {\n            does_hold = does_hold && holds(run, &check);",
    ),
    Mutant(
        name="last-checks-decide",
        bug="Checks that do not hold count for nothing if others come behind them, and those hold.",
        seen="store/apply_txn.c",
        file="store/apply_txn.c",
        text="            if (!does_hold) {\n                break;\n            }\n            first = check;",
        becomes="            first = check;",
    ),
    Mutant(
        name="then-in-place-of-else",
        bug="If a check fails that has an alternative, what is asked for is done all the same.",
        seen="api.md 4; store/apply_txn.c",
        file="store/apply_txn.c",
        text="    struct slice ops = all_hold ? run->txn.then_ops : run->txn.else_ops;",
        becomes="    struct slice ops = run->txn.then_ops;",
    ),
    Mutant(
        name="half-of-an-alternative",
        bug="Of an alternative's operations only the first one is carried out; the rest are answered.",
        seen="store/apply_int.h Z1",
        file="store/apply_txn.c",
        text="        result->e = apply_op(run, &op, &one);",
        becomes="        bool is_half = result->has_failed && run->txn.has_else && i > 0;\n"
                "        result->e = is_half ? OK : apply_op(run, &op, &one);",
    ),
    Mutant(
        name="half-of-a-transaction",
        bug="Of a transaction's operations the last one is left out.",
        seen="store/apply_int.h Z1",
        file="store/apply_txn.c",
        text="    for (uint32_t i = 0; result->e == OK && txn_next_op(&walk, &op); i++) {",
        becomes="    for (uint32_t i = 0; result->e == OK && i < 1 && txn_next_op(&walk, &op); "
                "i++) {",
    ),
    Mutant(
        name="range-checked-at-its-first-key",
        bug="A check of a range looks at the first key that there is in it, and at no other.",
        seen="api.md 4; proto/txn.h",
        file="store/apply_txn.c",
        text="        if (!holds_of(check, &record)) {\n            return false;\n        }",
        becomes="        if (true) {\n            return holds_of(check, &record);\n        }",
    ),
    Mutant(
        name="range-checked-with-its-end",
        bug="A check of a range is of the key at its end, too, which is not part of it.",
        seen="proto/txn.h",
        file="store/apply_txn.c",
        text="slice_compare(system_key_slice(&key), check->end) < 0)",
        becomes="slice_compare(system_key_slice(&key), check->end) <= 0)",
    ),
]

TOLD = [
    Mutant(
        name="replaced-record-told-as-it-is",
        bug="Who asks for the record that a write replaces is told the new one.",
        seen="api.md 1, Prefer: return=; proto/txn.h",
        file="store/apply_key.c",
        text="        show(existing, result);",
        becomes="        show(record, result);",
    ),
    Mutant(
        name="touched-record-told-with-its-old-time",
        bug="What a touched key is told with is the TTL, or lease, that it had before.",
        seen="api.md 5",
        file="store/apply_key.c",
        text="    apply_key_describe(run, &record, (op->flags & TXN_RETURN_NEW) != 0, result);\n"
             "    buf_unref(copy);",
        becomes="    apply_key_describe(run, existing, (op->flags & TXN_RETURN_NEW) != 0, result);\n"
                "    buf_unref(copy);",
    ),
]

RANGES = [
    Mutant(
        name="range-takes-its-end",
        bug="A range that is deleted takes the key at its end, too, which is not part of it.",
        seen="api.md 1; proto/txn.h",
        file="store/apply_key.c",
        text="slice_compare(system_key_slice(&key), op->end) < 0)",
        becomes="slice_compare(system_key_slice(&key), op->end) <= 0)",
    ),
    Mutant(
        name="range-spares-what-was-put-with-it",
        bug="A range that is deleted leaves what its own transaction has put into it before.",
        seen="store/apply_int.h Z1; proto/txn.h",
        file="store/apply_key.c",
        text="        apply_key_delete(run, system_key_slice(&key), &record);\n"
             "        result->number++;",
        becomes="        if (record.mod_revision != run->revision) {\n"
                "            apply_key_delete(run, system_key_slice(&key), &record);\n"
                "            result->number++;\n        }",
    ),
    Mutant(
        name="what-never-was-is-told-to-go",
        bug="Of a key that comes and goes in one transaction who watches is told that it went.",
        seen="api.md 7; sim/past.h",
        file="store/apply_txn.c",
        text="    if (entry->is_tombstone && !existed) {",
        becomes="""\
    if (entry->is_tombstone && !existed && space == STORE_SPACE_USER) {
        const struct store_change change = {
            .kind = STORE_CHANGE_DELETE,
            .revision = region->revision,
            .clock_ms = region->clock_ms,
            .key = key,
        };
        apply_tell_change(store, region, &change);
    }
    if (entry->is_tombstone && !existed) {""",
    ),
]

TRANSACTIONS = [*TIME, *IDEMPOTENCY, *LOCKS, *CHECKS, *TOLD, *RANGES]
