#!/usr/bin/env python3
"""clang-format over every C file; --fix rewrites them. Version 14 and no other: they differ."""

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import house

PROGRAM = "clang-format-14"
FILES_A_RUN = 24  # it takes longer to start than to format


def format_errors(root, paths):
    """(path, line) of what clang-format would change."""
    done = subprocess.run([PROGRAM, "--dry-run", "--Werror", *map(str, paths)], cwd=root,
                          capture_output=True, text=True)
    places = {(Path(m.group(1)), int(m.group(2)))
              for m in re.finditer(r"^(.+?):(\d+):\d+: error:", done.stderr, re.MULTILINE)}
    if done.returncode != 0 and not places:
        raise SystemExit(f"format: {PROGRAM} failed: {done.stderr.strip()}")
    return places


def run():
    parser = house.arguments(__doc__)
    parser.add_argument("--fix", action="store_true", help="rewrite the files")
    arguments = parser.parse_args()
    root = arguments.root.resolve()
    paths = [path for folder in house.C_FOLDERS for path in house.files(root, folder, ".c", ".h")]
    if arguments.fix:
        subprocess.run([PROGRAM, "-i", *map(str, paths)], cwd=root, check=True)
    findings = house.Findings("format")
    findings.subjects = len(paths)
    groups = [paths[i:i + FILES_A_RUN] for i in range(0, len(paths), FILES_A_RUN)]
    with ThreadPoolExecutor(2) as pool:
        places = sorted(set().union(*pool.map(lambda group: format_errors(root, group), groups)))
    for path in sorted({path for path, _ in places}):
        lines = [line for other, line in places if other == path]
        findings.add(house.name_of(root, path), lines[0],
                     f"is not formatted ({len(lines)} places)",
                     "one form, so that a diff shows what has changed", "make format")
    return findings.finish()


if __name__ == "__main__":
    house.main(run)
