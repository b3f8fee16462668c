"""The house's tables and what the checks share: files, C with its comments blanked, findings.

A table here is the one place of its rule. Whatever is allowed beyond a rule stands with its reason,
and an exception that nothing needs any more is a finding itself: the lists only shrink.
"""

import argparse
import re
import sys
from pathlib import Path

# ---- layers ------------------------------------------------------------------------------------

# What each layer may include and link, besides itself: docs/ARCHITECTURE.md, "Layers".
LAYERS = {
    "base": [],
    "proto": ["base"],
    "env": ["base"],
    "raft": ["proto", "base"],
    "wal": ["proto", "env", "base"],
    "store": ["proto", "env", "base"],
    "net": ["proto", "env", "base"],
    "node": ["raft", "wal", "store", "net", "proto", "env", "base"],
    "http": ["env", "base"],
    "api": ["node", "http", "raft", "wal", "store", "net", "proto", "env", "base"],
    "main": ["api", "node", "http", "raft", "wal", "store", "net", "proto", "env", "base"],
}

# The libraries of sim/, which judge the system from outside, and what of src/ they may include.
SIM_LAYERS = {
    "lincheck": ["base"],
}

# Headers of the C library that every layer but raft may have. What in them touches more than memory
# (streams, the clock, the heap) is among BANNED_CALLS.
PURE_HEADERS = """
    assert.h ctype.h endian.h errno.h inttypes.h limits.h math.h stdalign.h stdarg.h stdbool.h
    stddef.h stdint.h stdio.h stdlib.h string.h strings.h time.h
""".split()

# Beyond those, by layer: libraries, and the operating system where it is the layer's job.
SYSTEM_HEADERS = {
    # crash.c and assert.c print while the process dies.
    "base": ["dlfcn.h", "execinfo.h", "poll.h", "stdatomic.h", "unistd.h", "isa-l/*", "xxhash.h"],
    "proto": [],
    # The seam to the world: whatever the world needs.
    "env": ["*"],
    "raft": None,  # RAFT_HEADERS alone
    "wal": ["sys/uio.h"],
    "store": ["sys/uio.h", "lmdb.h"],
    "net": ["sys/uio.h"],
    "node": [],
    # Sockets on the environment's loop.
    "http": ["arpa/inet.h", "fcntl.h", "llhttp.h", "netdb.h", "netinet/*", "sys/*", "unistd.h",
             "uv.h"],
    # Telling an address from a name in Host: inet_pton. Content codings, and digests.
    "api": ["arpa/inet.h", "json-c/*", "openssl/evp.h", "zlib.h"],
    # Start-up, signals, the command line.
    "main": ["*"],
}

# The core is pure, down to its headers.
RAFT_HEADERS = "inttypes.h limits.h stdbool.h stddef.h stdint.h string.h".split()

# Libraries as CMakeLists.txt names them.
LIBRARIES = {
    "base": ["dep::isal", "dep::xxhash"],
    "env": ["dep::uv"],
    "store": ["dep::lmdb"],
    "http": ["dep::uv", "dep::llhttp"],
    "api": ["dep::jsonc", "dep::zlib", "dep::crypto"],
    "main": ["dep::uv", "dep::inih", "dep::jsonc", "dep::curl", "dep::llhttp"],
}

# ---- symbols -----------------------------------------------------------------------------------

# An external symbol begins with its layer, or in these layers with its file's name as the noun.
NOUN_LAYERS = ["base", "proto", "node"]

# More nouns of a file: the types that it defines.
NOUNS = {
    "base/assert.c": ["fatal"],
    "base/buf.c": ["slice"],
    "base/codec.c": ["reader", "writer"],
    "base/hash.c": ["hash64", "hash128"],
    "base/metrics.c": ["histogram"],
    "node/deadlines.c": ["deadline"],
    "node/replica_apply.c": ["replica"],
    "node/replica_compact.c": ["replica"],
    "node/replica_log.c": ["replica"],
    "node/replica_start.c": ["replica"],
    "node/notices.c": ["notice", "node_notice", "node_state"],
    "node/snapshots_in.c": ["snapshots"],
    "node/snapshots_out.c": ["snapshots"],
    "node/watches.c": ["watch"],
    "proto/conf.c": ["id_set"],
    "proto/membership.c": ["member"],
    "store/apply.c": ["apply"],
    "store/apply_answer.c": ["apply"],
    "store/apply_expire.c": ["apply"],
    "store/apply_key.c": ["apply"],
    "store/apply_lease.c": ["apply"],
    "store/apply_lock.c": ["apply"],
    "store/apply_txn.c": ["apply"],
    "store/stage.c": ["stage"],
    "store/system.c": ["system"],
}

# Files that may hold writable state of the whole process, and why.
STATEFUL = {
    "base/crash.c": "a process has one end, whichever thread comes to it",
    "base/flight.c": "a crash has no context that the flight record could be found by",
    "main/fault.c": "a signal's handler has no context, and belongs to the whole process",
}

# What the core may call: memory, and what base and proto offer that is pure. No log, no metrics, no
# flight record, no clock.
RAFT_SYMBOLS = """
    memcpy memmove memset memcmp
    __memcpy_chk __memmove_chk __memset_chk __stack_chk_fail
    assert_failed fatal
    mem_* buf_* slice_* prng_* reader_* writer_* err_name
    id_set_* conf_* message_* membership_* member_*
""".split()

# ---- house rules -------------------------------------------------------------------------------

FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 100

# Functions above the limit: (lines, reason). A function that got shorter leaves the list.
LONG_FUNCTIONS = {}

# `err` functions whose result may be ignored.
MAY_IGNORE = {
    "api_problem_set": "returns the error that it was given, as a convenience",
    "err_note_set": "returns the error that it was given, as a convenience",
    "err_note_wrap": "returns the error that it was given, as a convenience",
}

# Sources without a unit test of their own, and why.
NO_UNIT_TEST = {
    "main/main.c": "holds main() alone; tests/integration runs it",
    "main/cmd_cluster.c": "asks running nodes; tests/integration/test_cluster_command.py runs it",
    "main/cmd_drain.c": "asks a running node; tests/integration/test_drain.py runs it",
    "main/cmd_export.c": "calls backup and export_format, which have theirs; integration runs it",
    "main/cmd_import.c": "calls import_source and put_pool, which have theirs; integration runs it",
    "main/cmd_check.c": "prints what wal_inspect and inspect tell; tests/integration runs it",
    "main/cmd_log.c": "prints what wal_inspect tells; tests/integration runs it",
    "main/cmd_store.c": "prints what store's inspect tells; tests/integration runs it",
    "main/cmd_serve.c": "calls load and server, which have theirs; tests/integration runs it",
    "main/cmd_bench.c": "calls bench and bench_report, which have theirs; integration runs it",
    "main/cmd_backup.c": "calls client and backup_file, which have theirs; integration runs it",
    "main/cmd_restore.c": "calls node/restore, which has its own; tests/integration runs it",
    "node/startup.c": "logs how far a start is; tests/integration/test_startup.py reads that",
    "lincheck/main.c": "the command line alone",
    "lincheck/search_items.c": "half of the search: unit/lincheck/key_search_test.c has both",
}

NO_UNIT_TEST.update(dict.fromkeys(
    "main/cmd_completion.c main/cmd_man.c".split(),
    "calls completion or manual, which have theirs; tests/integration/test_shells.py runs it"))

NO_UNIT_TEST.update(dict.fromkeys(
    """main/cmd_append.c main/cmd_del.c main/cmd_elect.c main/cmd_get.c main/cmd_incr.c
    main/cmd_lease.c main/cmd_lock.c main/cmd_ls.c main/cmd_put.c main/cmd_touch.c main/cmd_txn.c
    main/cmd_watch.c""".split(),
    "sends what call and draft write, which have theirs; tests/integration/test_cli*.py run it"))

NO_UNIT_TEST.update(dict.fromkeys(
    """node/node_frames.c node/node_metrics.c node/node_status.c node/node_storage.c node/replica.c
    node/replica_apply.c node/replica_log.c node/replica_start.c""".split(),
    "a part of a running node, without one of its own: unit/node/node_test.c runs whole ones"))

# Unit tests of a whole layer, which mirror no file of it.
LAYER_TESTS = {
    "lincheck/anomalies": "histories that both checkers judge",
    "raft/must_haves": "the properties of docs/raft-properties.md, one test each",
    "raft/safety": "random schedules over a small cluster of cores",
    "wal/wal_model": "random histories against a model",
}

# Asserts per function that a layer aims at; printed, not enforced.
ASSERT_TARGETS = {"raft": 2.0, "wal": 2.0, "node": 2.0}

# Calls that are not made, what to use instead, and the files that may (as path prefixes in src/ and
# sim/).
CLOCK = "env_now_ns, env_now_ms or env_wall_ms (env/env.h)"
HEAP = "mem_alloc and its family (base/mem.h)"
FILES = "env/env.h: the simulator has to see it"
BANNED_CALLS = {
    "strcpy strcat stpcpy gets": ("memcpy with a size, or a writer (base/codec.h)", []),
    "sprintf vsprintf": ("snprintf or writer_format (base/codec.h)", []),
    "strtok strtok_r": ("a scan over a slice", []),
    "atoi atol atoll atof strtol strtoll strtoul strtoull strtod": (
        "a parser that refuses what it does not understand", []),
    "alloca": ("a bounded array or mem_alloc", []),
    "rand srand random srandom drand48 rand_r": ("prng_next (base/prng.h) with an owner", []),
    "localtime localtime_r gmtime asctime ctime": ("gmtime_r, in UTC", []),
    "strerror": ("strerrordesc_np, which has no buffer of the process", []),
    "malloc calloc realloc free strdup strndup": (HEAP, ["base/mem.c"]),
    "asprintf vasprintf": ("writer_format (base/codec.h)", []),
    "time clock clock_gettime gettimeofday uv_now uv_hrtime": (CLOCK, ["env/", "lincheck/main.c"]),
    "sleep usleep nanosleep uv_sleep": ("a timer (env_timer_start), or wait for the condition", []),
    "open openat creat pread pwrite preadv pwritev fsync fdatasync ftruncate fallocate "
    "posix_fallocate rename unlink mkdir opendir readdir flock stat fstat fopen": (
        FILES, ["env/", "main/", "lincheck/main.c"]),
    "read write close": (FILES, ["env/", "http/", "main/", "base/crash.c"]),
    "socket bind listen accept accept4 connect recv send sendmsg writev getaddrinfo setsockopt": (
        FILES, ["env/", "http/"]),
    "pthread_create uv_thread_create uv_queue_work fork vfork": (
        "env_worker_open (env/env.h), or main/child.h for a program", ["env/", "main/child.c"]),
    "getrandom": ("env_random (env/env.h)", ["env/"]),
    "getenv secure_getenv": ("configuration, read by main and handed on", ["main/"]),
    "printf puts putchar perror": ("LOG_… (base/log.h), or main for what a command prints",
                                   ["main/", "lincheck/main.c"]),
    "fprintf vfprintf fputs fwrite": ("LOG_… (base/log.h)", ["main/", "lincheck/main.c"]),
    "abort exit _exit quick_exit": ("ASSERT or fatal (base/assert.h)",
                                    ["base/assert.c", "main/"]),
    "system popen": ("nothing: no shells", []),
    "setjmp longjmp": ("an err and a cleanup label", []),
}

# Hosts that the repository may link to: those that we expect to outlive the link.
LINK_HOSTS = """
    datatracker.ietf.org www.rfc-editor.org raft.github.io github.com www.apache.org
    keepachangelog.com semver.org www.w3.org
""".split()

# ---- files -------------------------------------------------------------------------------------

C_FOLDERS = ["src", "sim", "tests", "examples"]
SKIPPED_FOLDERS = {".git", "build", ".cache", "__pycache__", "pontoon-data", "pontoon-cluster"}
TEXT_SUFFIXES = {".c", ".h", ".py", ".sh", ".md", ".txt", ".cmake", ".json", ""}


def files(root, folder, *suffixes):
    """The files below root/folder with one of the suffixes (all: none given), sorted."""
    base = root / folder
    found = []
    for path in base.rglob("*"):
        parts = path.relative_to(root).parts
        if not SKIPPED_FOLDERS.intersection(parts) and path.is_file() and not path.is_symlink():
            if not suffixes or path.suffix in suffixes:
                found.append(path)
    return sorted(found)


def name_of(root, path):
    return path.relative_to(root).as_posix()


_TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)


def blank_comments(text):
    """The text with comments, strings and characters as spaces: every position stays."""

    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())

    return _TOKEN.sub(blank, text)


_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def includes(text):
    """(line, is_system, header) of each #include."""
    return [(text.count("\n", 0, m.start()) + 1, m.group(1) == "<", m.group(2))
            for m in _INCLUDE.finditer(text)]


# ---- findings ----------------------------------------------------------------------------------


class Findings:
    """What a check found: file:line: what, why, what to do."""

    def __init__(self, check):
        self.check = check
        self.lines = []
        self.subjects = 0

    def add(self, name, line, what, why, do):
        self.lines.append((name, line, f"{name}:{line}: {what}; {why}; {do}"))

    def finish(self):
        """Prints all and returns the exit status. A check that looked at nothing has failed."""
        for _, _, text in sorted(self.lines):
            print(text)
        if self.subjects == 0:
            print(f"{self.check}: looked at nothing, so it has checked nothing")
            return 1
        print(f"{self.check}: {self.subjects} looked at, {len(self.lines)} findings")
        return 1 if self.lines else 0


def arguments(description):
    """A parser that knows --root, the tree that is looked at (the canaries bring their own)."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    return parser


def main(run):
    sys.exit(run())
