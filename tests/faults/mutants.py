#!/usr/bin/env python3
"""Builds nodes that promise too early, and runs the tests beside this file on them.

    tests/faults/mutants.py [NAME...]

It passes if each mutant fails each test that is there to find it, in words for what the mutant has
broken: one that fails in others may have met a busy machine. Needs the release build, root and ten
minutes, so scripts/test.sh leaves it out. How mutants are built: sim/mutants.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT / "sim/mutants"), str(HERE.parent / "integration")]

import run  # noqa: E402  (it is found only now)
from ledger import GONE, LOST  # noqa: E402
from mutant import Mutant  # noqa: E402

POWER = [(file, f"{system}.test_nothing_is_lost") for system in ("Ext4", "Xfs")
         for file in ("test_power_cuts.py", "test_crash_states.py")]

# What a test says that has found one, or the nodes do whose logs it shows: the last of them where a
# follower does not have what its leader knows to be committed.
TOLD = re.compile(rf"{LOST}|{GONE}|\b[1-9]\d* lost something|V2: it went on|V4: .* is |"
                  "data is not whole|malformed raft message refused")

# One that each has to pass: a mutant that does not even serve says nothing.
LIVES = ("test_kills.py", "Kills.test_what_is_acknowledged_before_it_is_written_is_missed")

# What each is, and the tests that have to find it.
MUTANTS = [
    (Mutant(
        name="acknowledged-before-the-sync",
        bug="A batch is synced only when the next one is about to be written.",
        seen="reliability 4",
        file="wal/wal_writer.c",
        text="""\
    write_batch(write);
    uint64_t begin_ns = env_now_ns(write->env);
    wal_must(env_file_sync(write->file), "sync", write->path);
    write->sync_ns""",
        becomes="""\
    uint64_t begin_ns = env_now_ns(write->env);
    if (!write->is_new_segment) {
        wal_must(env_file_sync(write->file), "sync", write->path);
    }
    write_batch(write);
    if (write->is_new_segment) {
        wal_must(env_file_sync(write->file), "sync", write->path);
    }
    write->sync_ns"""), POWER),
    (Mutant(
        name="acknowledged-before-the-write",
        bug="A batch counts as durable one turn after the worker, which is slow, was given it.",
        seen="reliability 1",
        file="node/replica.c",
        text="    bool has_moved = replica->raft != NULL;\n",
        becomes="""\
    bool has_moved = replica->raft != NULL;
    if (has_moved && !persists_is_empty(&replica->persists)) {
        replica_persisted(replica, replica->last_ticket);
        env_turn_wake(replica->node->env);
    }
""",
        also=[("wal/wal_writer.c", "    errno = 0; /* fatal's",
               "    for (uint64_t end = env_now_ns(write->env) + 5000000;\n"
               "         env_now_ns(write->env) < end;) {\n    }\n    errno = 0; /* fatal's")]),
     [("test_kills.py", "Kills.test_nothing_is_lost_over_hundreds_of_kills"), *POWER]),
    (Mutant(
        name="sync-error-ignored",
        bug="A sync that failed is taken for one that did not.",
        seen="adr 3; PostgreSQL 2018",
        file="wal/wal_writer.c",
        text="""    wal_must(env_file_sync(write->file), "sync", write->path);""",
        becomes="    (void)!env_file_sync(write->file);"),
     [("test_failing_calls.py", "FailingCalls.test_every_call_once")]),
    (Mutant(
        name="directory-not-synced",
        bug="A new segment's name is not synced.",
        seen="adr 14; etcd WAL",
        file="wal/wal_writer.c",
        text="""\
        wal_must(env_dir_sync(write->env, write->directory), "sync", write->directory);""",
        becomes=""),
     [("test_crash_states.py", "Ext4.test_nothing_is_lost"),
      ("test_power_cuts.py", "Ext4.test_nothing_is_lost")]),
]


def find(program, file, test):
    """What the test does with the program, and its words: "passes", which finds nothing, "found",
    or "fails for another reason"."""
    done = subprocess.run([sys.executable, "-B", str(HERE / file), test], capture_output=True,
                          text=True, errors="replace", check=False,
                          env=os.environ | {"PONTOON": str(program)})
    if done.returncode not in (0, 1):
        raise run.Unfit(f"{file} {test}: status {done.returncode}\n{done.stdout[-2000:]}")
    if done.returncode == 0:
        return "passes", ""
    told = TOLD.search(done.stdout)
    if told is not None:
        return "found", done.stdout[told.start():].splitlines()[0][:120]
    return "fails for another reason", done.stdout[-2000:]


def main():
    wanted = sys.argv[1:] or [mutant.name for mutant, _ in MUTANTS]
    build = run.Build("pontoon", ROOT / "build/fault-mutants")
    survived = 0
    for mutant, tests in MUTANTS:
        if mutant.name not in wanted:
            continue
        program = build.mutate(mutant, run.changed_texts(mutant))
        if find(program, *LIVES)[0] != "passes":
            raise run.Unfit(f"{mutant.name} does not serve")
        for file, test in tests:
            verdict, words = find(program, file, test)
            survived += verdict != "found"
            print(f"{mutant.name}: {verdict}: {file} {test}: {words}", flush=True)
    return 1 if survived else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except run.Unfit as reason:
        sys.exit(f"mutants: {reason}")
