#!/usr/bin/env python3
"""Plants breaches and wants to see the check find each, at its file and line.

canary.py CHECK --build DIR     plants into a temporary copy of the tree (or of the libraries)
canary.py asan|tsan --program P runs the program's faults
canary.py analyze               compiles a double free with -fanalyzer
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPTS = ROOT / "scripts"

GUARD = "#ifndef BASE_{0}_H\n#define BASE_{0}_H\n{1}\n#endif\n"


def lines(count, text):
    return (text + "\n") * count


# Each breach: the file that is planted, its text, the finding's line, and words of the finding.
LAYERS = [
    ("src/base/planted.c", '#include "proto/entry.h"\n', 1, "base includes proto/entry.h"),
    ("src/raft/planted.c", "#include <stdbool.h>\n#include <stdio.h>\n", 2,
     "raft includes <stdio.h>"),
    ("src/raft/planted_two.c", '#include "env/env.h"\n', 1, "raft includes env/env.h"),
    ("src/wal/planted.c", '#include "store/store.h"\n', 1, "wal includes store/store.h"),
    ("src/wal/planted_two.c", "#include <lmdb.h>\n", 1, "wal includes <lmdb.h>"),
    ("src/node/planted.c", '#include "api/api.h"\n', 1, "node includes api/api.h"),
    ("src/node/planted_two.c", '#include "net/net_int.h"\n', 1, "node includes net/net_int.h"),
    ("src/node/planted_three.c", "#include <uv.h>\n", 1, "node includes <uv.h>"),
    ("src/http/planted.c", '#include "node/node.h"\n', 1, "http includes node/node.h"),
    ("src/api/planted.c", '#include "planted.h"\n', 1, "without its layer"),
    ("src/planted/planted.c", "\n", 1, "stands in no layer"),
    ("sim/lincheck/planted.c", '#include "store/store.h"\n', 1, "lincheck includes store/store.h"),
    ("CMakeLists.txt", "pontoon_layer(base  LINKS dep::isal dep::xxhash)\n"
                       "pontoon_layer(raft LINKS proto base env)\n", 2, "raft links env"),
    ("CMakeLists.txt", None, 1, "no pontoon_layer(wal LINKS"),
]

TIDY = [
    ("src/base/long.c", lines(801, "/* a line */"), 801, "801 lines"),
    ("src/base/wide.c", "int wide;\n/* " + "x" * 98 + " */\n", 2, "104 columns"),
    ("src/base/body.c", "void body(void)\n{\n" + lines(69, "    ;") + "}\n", 1,
     "body has 72 lines"),
    ("src/base/begin.h", "#ifndef OTHER_H\n#define OTHER_H\n#endif\n", 1, "does not begin with"),
    ("src/base/early.h", "#ifndef BASE_EARLY_H\n#define BASE_EARLY_H\n#endif\nint early;\n", 4,
     "does not end with #endif"),
    ("src/base/mute.h", GUARD.format("MUTE", "\nint mute(void);\n"), 4, "mute has no contract"),
    ("src/base/lax.h", GUARD.format("LAX", "\n/* Fails. */\nerr lax(void);\n"), 5,
     "without MUST_USE"),
    ("scripts/wide.py", "x = 0  # " + "x" * 98 + "\n", 1, "107 columns"),
    ("src/base/copy.c", "void f(void)\n{\n    strcpy(a, b);\n}\n", 3, "calls strcpy"),
    ("src/base/heap.c", "void f(void)\n{\n    free(malloc(1));\n}\n", 3, "calls malloc"),
    ("src/wal/clock.c", "void f(void)\n{\n    clock_gettime(0, &t);\n}\n", 3,
     "calls clock_gettime"),
    ("src/wal/disk.c", "void f(void)\n{\n    fdatasync(1);\n}\n", 3, "calls fdatasync"),
    ("src/node/nap.c", "void f(void)\n{\n    usleep(1);\n}\n", 3, "calls usleep"),
    ("examples/planted.c", "void f(void)\n{\n    sprintf(a, b);\n}\n", 3, "calls sprintf"),
    ("tests/fuzz/fuzz_planted.c", "void f(void)\n{\n    sprintf(a, b);\n}\n", 3, "calls sprintf"),
    ("sim/lincheck/print.c", "void f(void)\n{\n    printf(a);\n}\n", 3, "calls printf"),
    ("sim/lincheck/untested.c", "int untested;\n", 1,
     "has no tests/unit/lincheck/untested_test.c"),
    ("sim/lincheck/mute.h", GUARD.replace("BASE", "LINCHECK").format("MUTE", "\nint mute(void);\n"),
     4, "mute has no contract"),
    ("src/base/second.c", '#include <stdio.h>\n#include "base/second.h"\n', 1, "first"),
    ("src/base/order.c", '#include "base/buf.h"\n#include <stdio.h>\n', 1, "out of order"),
    ("src/base/untested.c", "int untested;\n", 1, "has no tests/unit/base/untested_test.c"),
    ("tests/unit/base/nothing_test.c", "int nothing;\n", 1, "tests no file of src"),
    ("src/base/dead.h", GUARD.format("DEAD", ""), 1, "is included by nobody"),
    ("src/raft/README.md", None, 1, "is missing"),
    ("src/base/open.c", "/* TO" "DO: later */\n", 1, "an open end"),
    ("docs/planted.md", "See /ho" "me/somebody/notes.\n", 1, "somebody's machine"),
    ("docs/outside.md", "See .." "/../notes.\n", 1, "outside of the repository"),
    ("docs/astray.md", "See [this](nowhere.md).\n", 1, "nothing is there"),
    ("docs/link.md", "See https://blog" ".short-lived.io/post\n", 1, "links to"),
]

FORMAT = [("src/base/planted.c", "int main(void) {\n  return 0; }\n", 1, "is not formatted"),
          ("sim/planted.c", "int main(void) {\n  return 0; }\n", 1, "is not formatted")]

HEADERS = [
    ("src/base/planted.h", GUARD.format("PLANTED", "uint64_t planted(void);"), 1,
     "does not compile alone"),
    ("src/base/twice.h", "struct twice {\n    int member;\n};\n", 1, "does not compile alone"),
    ("sim/lincheck/planted.h", GUARD.format("PLANTED", "uint64_t planted(void);"), 1,
     "does not compile alone"),
]

PEERS_TEST = """/* peers: etcd/TestNamed, etcd/TestForgotten */
static void named(void **state)
{
}

static void nameless(void **state)
{
}

/* peers: etcd/TestAstray */
int astray;

int main(void)
{
    run(cmocka_unit_test(nameless));
}
"""
PEERS_ROWS = """etcd/TestNamed\tcovered\ttests/peers/planted_test.c:named
etcd/TestNamed\topen\tnobody has written it
etcd/TestGone\tcovered\ttests/peers/planted_test.c:gone
etcd/TestNowhere\tcovered\ttests/peers/nowhere_test.c:gone
etcd/TestTrace\tcovered\ttests/raft-trace/data/quorum/nowhere.txt
etcd/TestNameless\tcovered\ttests/peers/planted_test.c:nameless
etcd/TestMaybe\tperhaps\tsomewhere
etcd/TestOpen\topen
other/TestOther\topen\tof a peer that is none
raftrs/test_open\topen\tnobody has written it
"""
PEERS_TABLE = "tests/peers/table/planted.tsv"
PEERS = [
    ("tests/peers/planted_test.c", PEERS_TEST, 1, "etcd/TestForgotten is not in the table"),
    ("tests/peers/planted_test.c", PEERS_TEST, 10, "above no test"),
    (PEERS_TABLE, PEERS_ROWS, 1, "the test is never run"),
    (PEERS_TABLE, PEERS_ROWS, 2, "etcd/TestNamed is there twice"),
    (PEERS_TABLE, PEERS_ROWS, 3, "no such test in it"),
    (PEERS_TABLE, PEERS_ROWS, 4, "no such file"),
    (PEERS_TABLE, PEERS_ROWS, 5, "no such trace"),
    (PEERS_TABLE, PEERS_ROWS, 6, "does not name etcd/TestNameless"),
    (PEERS_TABLE, PEERS_ROWS, 7, "perhaps is no verdict"),
    (PEERS_TABLE, PEERS_ROWS, 8, "has 2 columns"),
    (PEERS_TABLE, PEERS_ROWS, 9, "other/TestOther is no id"),
    ("tests/peers/table", None, 1, "raftrs: 0% covered"),
]

OPENAPI_PART = """paths:
  /planted/{x}:
    get:
      operationId: getRoot
      tags: [planted]
      parameters: [{name: q, in: nowhere, schema: {type: nonsense}}]
      responses: {'200': {description: d}}
"""
OPENAPI = [
    ("docs/openapi/planted.yaml", OPENAPI_PART, 1, "is no OpenAPI: 'nowhere'"),
    ("docs/openapi/planted.yaml", OPENAPI_PART, 1, "is no JSON Schema: 'nonsense'"),
    ("docs/openapi/planted.yaml", OPENAPI_PART, 1, "has no operationId of its own: getRoot"),
    ("docs/openapi/planted.yaml", OPENAPI_PART, 1, "has no summary, or no tag"),
    ("docs/openapi/planted.yaml", OPENAPI_PART, 1, "declares the path parameters []"),
]
# A part that fits nowhere: there is no document that more could be seen of.
OPENAPI_PARTS = [
    [("docs/openapi/planted.yaml", "paths: {a: [}\n", 1, "while parsing")],
    [("docs/openapi/planted.yaml", "paths: {/stats: {get: {}}}\n", 1, "is there already")],
    [("docs/openapi/planted.yaml", "paths: {/planted: {get: {}}}\n", 1, "has no responses")],
    [("docs/openapi/openapi.yaml", None, 1, "no openapi.yaml")],
]

# The library that the object goes into, its source, and words of the finding.
PURITY = [
    ("raft", "planted_clock", "#include <time.h>\nlong raft_planted(void);\n"
                              "long raft_planted(void) { return (long)time(0); }\n", "calls time"),
    ("raft", "planted_log", "void log_write(void);\nvoid raft_log_it(void);\n"
                            "void raft_log_it(void) { log_write(); }\n", "calls log_write"),
    ("wal", "planted_name", "void store_planted(void);\nvoid store_planted(void) {}\n",
     "exports store_planted"),
    ("base", "planted_state", "int planted_state_next(void);\n"
                              "int planted_state_next(void) { static int n; return ++n; }\n",
     "writable variable n"),
    ("base", "planted_data", "int *planted_data_at(void);\nint planted_data = 7;\n"
                             "int *planted_data_at(void) { return &planted_data; }\n",
     "writable variable planted_data"),
]

CLANG_TIDY = [
    ("src/base/braces.c",
     "int f(int a);\nint f(int a)\n{\n    if (a)\n        return 1;\n    return 0;\n}\n", 4,
     "readability-braces-around-statements"),
    ("src/base/recursion.c", "int f(int a);\nint f(int a)\n{\n    return f(a - 1);\n}\n", 2,
     "misc-no-recursion"),
    ("sim/lincheck/recursion.c", "int f(int a);\nint f(int a)\n{\n    return f(a - 1);\n}\n", 2,
     "misc-no-recursion"),
    ("src/base/null.c", "int f(void);\nint f(void)\n{\n    int *p = 0;\n    return *p;\n}\n", 5,
     "clang-analyzer-core.NullDereference"),
]

CPPCHECK = [
    ("src/base/bounds.c",
     "int f(void);\nint f(void)\n{\n    int a[2] = {0};\n    return a[2];\n}\n", 5,
     "arrayIndexOutOfBounds"),
]

SANITIZERS = {
    "asan": [("overflow", "AddressSanitizer: heap-buffer-overflow"),
             ("leak", "LeakSanitizer: detected memory leaks"),
             ("arithmetic", "runtime error: signed integer overflow")],
    "tsan": [("race", "ThreadSanitizer: data race")],
}


def run_check(script, *arguments):
    return subprocess.run([sys.executable, "-B", str(SCRIPTS / script), *map(str, arguments)],
                          capture_output=True, text=True)


def copy_tree(target):
    ignore = shutil.ignore_patterns("corpus", "data", "golden", "__pycache__")
    for folder in ("src", "sim", "tests", "docs"):
        if (ROOT / folder).exists():
            shutil.copytree(ROOT / folder, target / folder, ignore=ignore)
    shutil.copy(ROOT / "CMakeLists.txt", target)


def plant(target, breaches):
    for name, text, *_ in breaches:
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is not None:
            path.write_text(text)
        elif path.is_dir():
            continue
        elif path.name != "CMakeLists.txt":
            path.unlink(missing_ok=True)


def missed(breaches, done):
    """The breaches that the output does not name at their place; all, if the check was content."""
    found = [] if done.returncode == 0 else done.stdout.splitlines()
    return [f"{name}:{line}: {words}" for name, _, line, words in breaches
            if not any(text.startswith(f"{name}:{line}: ") and words in text for text in found)]


def tree_canary(script, breaches):
    """Into a copy of everything."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder)
        copy_tree(target)
        plant(target, breaches)
        return missed(breaches, run_check(script, "--root", target))


def bare_canary(script, breaches):
    """Into an empty tree: for checks that take every file by itself."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder)
        shutil.copy(ROOT / ".clang-format", target)
        plant(target, breaches)
        return missed(breaches, run_check(script, "--root", target))


def purity_canary(build):
    breaches = []
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder)
        for library in build.glob("lib*.a"):
            shutil.copy(library, target)
        for layer, stem, text, words in PURITY:
            (target / f"{stem}.c").write_text(text)
            # As CMake names objects, so that the check can say the source's name.
            item = target / f"{stem}.c.o"
            subprocess.run(["gcc", "-O1", "-c", "-o", item, target / f"{stem}.c"], check=True)
            subprocess.run(["ar", "q", target / f"lib{layer}.a", item], check=True,
                           capture_output=True)
            breaches.append((f"src/{layer}/{stem}.c", text, 1, words))
        return missed(breaches, run_check("check_purity.py", "--build", target))


def openapi_canary():
    return [breach for breaches in (OPENAPI, *OPENAPI_PARTS)
            for breach in tree_canary("check_openapi.py", breaches)]


def lint_canary(tool, breaches):
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder).resolve()
        plant(target, breaches)
        shutil.copy(ROOT / ".clang-tidy", target)
        database = [{"directory": str(target), "file": str(target / name),
                     "command": f"clang -std=gnu17 -c {target / name}"} for name, *_ in breaches]
        (target / "compile_commands.json").write_text(json.dumps(database))
        return missed(breaches, run_check("lint.py", tool, "--root", target, "--build", target))


def sanitizer_canary(sanitizer, program):
    silent = []
    for mode, words in SANITIZERS[sanitizer]:
        done = subprocess.run([program, mode], capture_output=True, text=True)
        if done.returncode == 0 or words not in done.stderr:
            silent.append(f"{mode}: {words}")
    return silent


def analyze_canary():
    text = "#include <stdlib.h>\nvoid f(void *p);\nvoid f(void *p) { free(p); free(p); }\n"
    command = ["gcc", "-O1", "-fanalyzer", "-Werror", "-x", "c", "-c", "-o", "/dev/null", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    return [] if done.returncode != 0 and "double-free" in done.stderr else ["double free"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("check")
    parser.add_argument("--build", type=Path)
    parser.add_argument("--program")
    arguments = parser.parse_args()
    runs = {
        "layers": lambda: tree_canary("check_layers.py", LAYERS),
        "tidy": lambda: tree_canary("tidy.py", TIDY),
        "format": lambda: bare_canary("check_format.py", FORMAT),
        "headers": lambda: bare_canary("check_headers.py", HEADERS),
        "peers": lambda: bare_canary("check_peers.py", PEERS),
        "openapi": openapi_canary,
        "purity": lambda: purity_canary(arguments.build),
        "clang-tidy": lambda: lint_canary("clang-tidy", CLANG_TIDY),
        "cppcheck": lambda: lint_canary("cppcheck", CPPCHECK),
        "asan": lambda: sanitizer_canary("asan", arguments.program),
        "tsan": lambda: sanitizer_canary("tsan", arguments.program),
        "analyze": analyze_canary,
    }
    silent = runs[arguments.check]()
    for breach in silent:
        print(f"not found: {breach}")
    print(f"canary {arguments.check}: {'silent' if silent else 'sings'}")
    return 1 if silent else 0


if __name__ == "__main__":
    sys.exit(main())
