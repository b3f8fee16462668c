#!/usr/bin/env python3
"""Seeds each bug into a pontoon-sim of its own and counts what it survives (README.md).

    sim/mutants/run.py [--seed N] [--hours H] [--slow] [--jobs J] [--list] [NAME...]

A killed mutant passes, a survivor fails. Needs the release build: scripts/build.sh release.
"""

import argparse
import concurrent.futures
import json
import os
import random
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

from list import MUTANTS

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build/release"
OUT = ROOT / "build/mutants"
PROGRAM = "sim/pontoon-sim"

# One run of the simulator: so much cluster time, then the clock is looked at.
CHUNK_HOURS = 0.3
# A run takes a second. One that takes this long hangs, and no invariant has noticed.
HANGS_SECONDS = 600

SEEDS = re.compile(r"^(\d+) seeds from \d+ on, ([\d.]+) cluster-hours", re.MULTILINE)
BROKEN = re.compile(r"^broken at ([\d.]+) s: (.*)$", re.MULTILINE)
DIED = re.compile(r"^the simulator died of (signal \d+.*)$", re.MULTILINE)
FAILED = re.compile(r"^FAILED: build/pontoon-sim (.*)$", re.MULTILINE)


class Unfit(Exception):
    """Something that says nothing about the simulator: the mutant, the build or this script."""


def run(command, cwd):
    """Runs a build step; its output."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unfit(f"{shlex.join(command)[:200]}…\n{done.stdout}{done.stderr}")
    return done.stdout


# ---- building ----------------------------------------------------------------------------------


class Build:
    """How the release build compiles a source and links a program, by default the simulator."""

    def __init__(self, program=PROGRAM, out=OUT):
        self.out = out
        commands = BUILD / "compile_commands.json"
        if not commands.exists() or not (BUILD / program).exists():
            raise Unfit(f"no {BUILD.relative_to(ROOT)}/{program}: scripts/build.sh release first")
        self.compile = {Path(entry["file"]): shlex.split(entry["command"])
                        for entry in json.loads(commands.read_text())}
        steps = run(["ninja", "-t", "commands", program], BUILD).splitlines()
        self.link = shlex.split(steps[-1].removeprefix(": && ").removesuffix(" && :"))
        self.name = Path(program).name
        self.parts = set(self.members([], self.out / "unchanged"))

    def members(self, objects, program):
        """Links, with `objects` before the archives; which members of archives were taken."""
        place = self.link.index("-o") + 1
        command = (self.link[:place] + [str(program)] + [str(o) for o in objects]
                   + self.link[place + 1:] + ["-Wl,--trace,--trace"])  # twice: with members
        program.parent.mkdir(parents=True, exist_ok=True)
        return re.findall(r"lib(\w+)\.a\)?\(?(\w+\.c\.o)", run(command, BUILD))

    def mutate(self, mutant, texts):
        """Builds the mutant's program from `texts` (by file under src/); its path."""
        folder = self.out / mutant.name
        objects = []
        for name, text in texts.items():
            source = folder / name
            source.parent.mkdir(parents=True, exist_ok=True)
            source.write_text(text)
            command = list(self.compile[ROOT / "src" / name])
            target = source.with_suffix(".o")
            command[command.index("-c") + 1] = str(source)
            command[command.index("-o") + 1] = str(target)
            run(command + ["-w"], BUILD)  # what a bug leaves unused is not worth a warning
            objects.append(target)
        program = folder / self.name
        taken = set(self.members(objects, program))
        for name in texts:
            layer, file = name.split("/")
            member = (layer, f"{file}.o")
            if member not in self.parts:
                raise Unfit(f"mutant {mutant.name}: {self.name} does not use src/{name}")
            if member in taken:
                raise Unfit(f"mutant {mutant.name}: the linker took src/{name} as it is")
        return program


def changed_texts(mutant):
    """The mutant's files as they become. Each text that is replaced has to stand there once."""
    texts = {}
    for name, text, becomes in mutant.changes:
        before = texts.get(name) or (ROOT / "src" / name).read_text()
        if before.count(text) != 1:
            raise Unfit(f"mutant {mutant.name} no longer applies: in src/{name} its text stands "
                        f"{before.count(text)} times:\n{text}")
        texts[name] = before.replace(text, becomes)
    return texts


# ---- running -----------------------------------------------------------------------------------


class Outcome:
    """What became of a mutant."""

    def __init__(self, mutant):
        self.mutant = mutant
        self.seeds = 0  # that it survived
        self.hours = 0.0
        self.seconds = 0.0
        self.killer = None  # the broken invariant; None: nobody has found it
        self.word = "SURVIVED"

    def add(self, output):
        """Takes in one run's report; whether the mutant is dead."""
        report = SEEDS.search(output)
        if report is None:
            raise Unfit(f"mutant {self.mutant.name}: no report from the simulator:\n{output}")
        self.seeds += int(report.group(1))
        self.hours += float(report.group(2))
        failed = FAILED.search(output)
        if failed is None:
            return False
        broken, died = BROKEN.search(output), DIED.search(output)
        self.seeds -= 1
        self.killer = died.group(1) if died else output[failed.end():].strip().split("\n")[0]
        if broken:
            self.hours += float(broken.group(1)) / 3600
            self.killer = broken.group(2)
        return True


def holds_unchanged(mutant, seed):
    """Whether the program as it is bears the seed that killed the mutant."""
    command = [str(BUILD / PROGRAM), "--seed", str(seed), "--profile", mutant.profile, "--quiet"]
    return subprocess.run(command, capture_output=True, timeout=HANGS_SECONDS,
                          check=False).returncode == 0


def fight(mutant, program, seed, hours):
    """Runs seed after seed until the mutant is dead or the budget is used up."""
    outcome = Outcome(mutant)
    begin = time.monotonic()
    is_dead = False
    while not is_dead and outcome.hours < hours:
        command = [str(program), "--seed", str(seed + outcome.seeds), "--hours", str(CHUNK_HOURS),
                   "--jobs", "1", "--profile", mutant.profile, "--quiet"]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace",
                              timeout=HANGS_SECONDS, check=False)
        is_dead = outcome.add(done.stdout)
        outcome.seconds = time.monotonic() - begin
    if is_dead and not holds_unchanged(mutant, seed + outcome.seeds):
        outcome.killer = None
        outcome.word = f"NOTHING SAID: without it seed {seed + outcome.seeds} fails, too"
    return outcome


def row(outcome):
    word = outcome.killer or outcome.word
    return (f"{outcome.mutant.name:<36} {outcome.seeds:>6} {outcome.hours:>8.2f} "
            f"{outcome.seconds:>7.1f}  {word}")


def chosen(options):
    """The mutants to run, and lines about those that are left out."""
    known = {mutant.name: mutant for mutant in MUTANTS}
    if len(known) != len(MUTANTS):
        raise Unfit("two mutants have one name")
    unknown = [name for name in options.names if name not in known]
    if unknown:
        raise Unfit(f"no such mutant: {', '.join(unknown)}")
    if options.names:
        return [known[name] for name in options.names], []
    left = [f"slow, with --slow only: {m.name}, {m.slow}" for m in MUTANTS
            if m.slow and not options.slow]
    quick = [m for m in MUTANTS if options.slow or not m.slow]
    if options.sample and options.sample < len(quick):
        left.append(f"{options.sample} of {len(quick)} were drawn; make mutants runs them all")
        quick = random.sample(quick, options.sample)
    return quick, left


def arguments():
    parser = argparse.ArgumentParser(description="Which seeded bugs does the simulator find?")
    parser.add_argument("names", nargs="*", metavar="NAME", help="these alone")
    parser.add_argument("--seed", type=int, default=1, help="the first seed (1)")
    parser.add_argument("--hours", type=float, help="of cluster time for each, instead of its own")
    parser.add_argument("--sample", type=int, metavar="N",
                        help="N of them by chance, so that a change does not wait for all")
    parser.add_argument("--slow", action="store_true", help="also those that take long")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="so many at a time")
    parser.add_argument("--list", action="store_true", help="print what there is, run nothing")
    return parser.parse_args()


def main():
    options = arguments()
    mutants, left = chosen(options)
    texts = {mutant.name: changed_texts(mutant) for mutant in MUTANTS}  # all must apply
    if options.list:
        for mutant in mutants:
            print(f"{mutant.name} ({mutant.profile}; {mutant.seen})\n    {mutant.bug}")
        print("\n".join(left))
        return 0
    begin = time.monotonic()
    build = Build()

    def go(mutant):
        program = build.mutate(mutant, texts[mutant.name])
        return fight(mutant, program, options.seed, options.hours or mutant.hours)

    survivors = []
    print(f"mutants: seeds from {options.seed} on\n"
          f"{'mutant':<36} {'seeds':>6} {'hours':>8} {'seconds':>7}  killed by", flush=True)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for outcome in pool.map(go, mutants):
            print(row(outcome), flush=True)
            if outcome.killer is None:
                survivors.append(outcome)
    for outcome in survivors:
        print(f"FAILED: {outcome.mutant.name}: {outcome.word}. {outcome.mutant.bug}")
    if left:
        print("\n".join(left))
    print(f"mutants: {time.monotonic() - begin:.0f} s; their programs are build/mutants/NAME/"
          "pontoon-sim")
    print(f"{len(mutants) - len(survivors)} passed, {len(survivors)} failed")
    return 1 if survivors else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Unfit as reason:
        sys.exit(f"mutants: {reason}")
    except subprocess.TimeoutExpired as reason:
        sys.exit(f"mutants: it hangs: {shlex.join(reason.cmd)}")
