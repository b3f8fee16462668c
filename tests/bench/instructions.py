#!/usr/bin/env python3
"""What an operation of each micro-benchmark costs in instructions, against what was recorded.

Callgrind counts the instructions of the measured part alone. They do not depend on how busy the
machine is, so a bound of a few per cent holds where times differ by tens.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RECORD = HERE / "instructions.json"
TOLERANCE = 0.03
SKIPPED = 77  # as tests/bench/CMakeLists.txt tells ctest

# The part before the dash is the program.
SCENARIOS = """
    core log tail-put tail-get checkpoint-write checkpoint-get
    history-tail history-checkpoint http-put http-get
""".split()

# libc's string routines for every x86-64, whatever this processor has.
PLAIN_LIBC = "glibc.cpu.hwcaps=" + ",".join(f"-{feature}" for feature in """
    AVX AVX2 AVX_Fast_Unaligned_Load BMI2 ERMS FSRM Fast_Unaligned_Copy MOVBE SSE4_1 SSE4_2 SSSE3
    """.split())


def built_with(program):
    """The compiler's name and version, from the program itself; None: it is not gcc's."""
    match = re.search(rb"GCC: \([^)]*\) ([\d.]+)", program.read_bytes())
    return f"gcc {match.group(1).decode()}" if match else None


def surroundings(programs):
    """What the counts are of besides our code: with another one of these they say nothing."""
    return {"compiler": built_with(programs / "micro-core"),
            "libc": os.confstr("CS_GNU_LIBC_VERSION"),
            "machine": platform.machine()}


def count(programs, keep, scenario):
    """Instructions of one operation."""
    program = programs / f"micro-{scenario.split('-')[0]}"
    out = keep / f"callgrind.{scenario}" if keep else "/dev/null"
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}",
               "--collect-atstart=no", "--toggle-collect=micro_collect", program, scenario]
    # An environment of its own: it stands on the stack, and moves what comes after.
    environment = {"PATH": os.environ["PATH"], "GLIBC_TUNABLES": PLAIN_LIBC}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250)
    operations = re.search(rf"^{scenario} +(\d+) operations", done.stdout, re.MULTILINE)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not operations or not collected:
        raise SystemExit(f"instructions: {scenario} failed (status {done.returncode}):\n"
                         f"{done.stdout}{done.stderr}")
    return round(int(collected.group(1)) / int(operations.group(1)), 1)


def compare(counts, recorded):
    """Prints a line for each scenario; returns the names of those out of bounds."""
    out_of_bounds = []
    for scenario in sorted(set(counts) | set(recorded)):
        now, then = counts.get(scenario), recorded.get(scenario)
        if now is None or then is None:
            print(f"{scenario:<17} is {'not recorded' if then is None else 'recorded only'}")
            out_of_bounds.append(scenario)
            continue
        change = now / then - 1
        is_outside = abs(change) > TOLERANCE
        print(f"{scenario:<17} {now:9.1f} instructions, recorded {then:9.1f}: {change:+7.2%}"
              f"{'   OUT OF BOUNDS' if is_outside else ''}")
        if is_outside:
            out_of_bounds.append(scenario)
    return out_of_bounds


def advise(scenarios):
    names = " ".join(scenarios)
    print(f"""
error: {names}: not within {TOLERANCE:.0%} of what is recorded. Where the instructions go:
    tests/bench/instructions.py --keep build && callgrind_annotate build/callgrind.{scenarios[0]}
If they are meant, or fewer now (a gain that is to be kept), in the same commit, with why:
    scripts/build.sh release && tests/bench/instructions.py --record""")


def run():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=Path, default=ROOT / "build/release/tests/bench",
                        help="where micro-core and the others are")
    parser.add_argument("--record", action="store_true", help=f"write {RECORD.name} anew")
    parser.add_argument("--keep", type=Path, metavar="DIRECTORY",
                        help="write callgrind.SCENARIO there, for callgrind_annotate")
    arguments = parser.parse_args()
    if not shutil.which("valgrind"):
        raise SystemExit("instructions: no valgrind here: scripts/setup.sh test")
    if not (arguments.programs / "micro-core").exists():
        raise SystemExit(f"instructions: no micro-core in {arguments.programs}: "
                         "scripts/build.sh release")
    here = surroundings(arguments.programs)
    then = {"of": here, "instructions": {}} if arguments.record else json.loads(RECORD.read_text())
    if here != then["of"]:
        print(f"instructions: recorded for {then['of']}, this is {here}: nothing to compare with")
        return SKIPPED
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda name: count(arguments.programs, arguments.keep, name), SCENARIOS)
        counts = dict(zip(SCENARIOS, found))
    if arguments.record:
        RECORD.write_text(json.dumps({"of": here, "instructions": counts}, indent=4) + "\n")
        print(RECORD.read_text(), end="")
        return 0
    out_of_bounds = compare(counts, then["instructions"])
    if out_of_bounds:
        advise(out_of_bounds)
    return 1 if out_of_bounds else 0


if __name__ == "__main__":
    sys.exit(run())
