#!/usr/bin/env python3
"""clang-tidy (.clang-tidy) or cppcheck over the sources of src/ and sim/, the tools in
tests/, the examples.

Reads compile_commands.json of the clang build: gcc-only warning flags in it would be errors to
clang-tidy. Programs of cmocka are left out (tests/unit, tests/peers): its macros are not ours.
"""

import json
import os
import re
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import house

CPPCHECK = """
    cppcheck --quiet --enable=warning,performance,portability --std=c17 --inline-suppr
    --error-exitcode=1 --suppress=missingInclude --suppress=missingIncludeSystem
    --template={file}:{line}:{id}:{message}
""".split()

# clang-tidy's notes only explain, but for the one that says which threshold was passed.
FINDING = re.compile(
    r"^(/[^\s:]+):(\d+):(?:\d+: (?:error|warning): |\d+: (?=note: .*threshold)|(?!\d))(.*)$")


def commands(root, build):
    """The entries of the compilation database that are ours to lint, one a file: what goes into
    several programs has one for each."""
    entries = json.loads((build / "compile_commands.json").read_text())
    by_file = {Path(entry["file"]): entry for entry in entries}
    return [entry for file, entry in by_file.items()
            if any(file.is_relative_to(root / folder) for folder in house.C_FOLDERS)
            and not file.is_relative_to(root / "tests" / "unit")
            and not file.is_relative_to(root / "tests" / "peers")]


def clang_tidy(root, entries, build):
    def one(entry):
        done = subprocess.run(
            ["clang-tidy-14", "-p", str(build), "--quiet", f"--config-file={root / '.clang-tidy'}",
             entry["file"]], capture_output=True, text=True)
        if done.returncode != 0 and ": error: " not in done.stdout:
            raise SystemExit(f"lint: clang-tidy failed on {entry['file']}: {done.stderr.strip()}")
        return done.stdout

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return "".join(pool.map(one, entries))


def cppcheck(_root, entries, _build):
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "compile_commands.json"
        database.write_text(json.dumps(entries))
        done = subprocess.run([*CPPCHECK, f"-j{os.cpu_count()}", f"--project={database}"],
                              capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(f"lint: cppcheck failed: {done.stdout}{done.stderr}")
    return done.stderr


TOOLS = {"clang-tidy": clang_tidy, "cppcheck": cppcheck}


def run():
    parser = house.arguments(__doc__)
    parser.add_argument("tool", choices=TOOLS)
    parser.add_argument("--build", type=Path, required=True, help="the clang build's directory")
    arguments = parser.parse_args()
    root = arguments.root.resolve()
    entries = commands(root, arguments.build)
    findings = house.Findings(arguments.tool)
    findings.subjects = len(entries)
    seen = set()
    for line in TOOLS[arguments.tool](root, entries, arguments.build).splitlines():
        match = FINDING.match(line)
        if match and line not in seen:
            seen.add(line)
            path = Path(match.group(1))
            name = house.name_of(root, path) if path.is_relative_to(root) else str(path)
            findings.add(name, int(match.group(2)), match.group(3),
                         f"{arguments.tool} says so",
                         "mend it; a false alarm is silenced in place, with its why")
    return findings.finish()


if __name__ == "__main__":
    house.main(run)
