#!/usr/bin/env python3
"""What the built libraries need and show: nm over lib<layer>.a of a build without sanitizers.

P1  raft needs nothing but memory and the pure parts of base and proto (RAFT_SYMBOLS).
P2  An external symbol begins with its layer, or with its file's noun where house.py says so.
P3  No writable state of the whole process (STATEFUL has the exceptions).
"""

import fnmatch
import subprocess
from pathlib import Path

import house

# Constants that hold addresses are relocated once, then read-only.
READ_ONLY_SECTIONS = (".rodata", ".data.rel.ro")


def symbols(library):
    """(source, symbol, type, section) of each symbol in an archive; source is its file's name."""
    output = subprocess.run(["nm", "--format=sysv", str(library)], check=True, capture_output=True,
                            text=True).stdout
    source = None
    for line in output.splitlines():
        if line.endswith("]:"):  # "Symbols from libraft.a[core.c.o]:"
            source = line[line.rindex("[") + 1:-2].removesuffix(".o")
            continue
        fields = [field.strip() for field in line.split("|")]
        if source is not None and len(fields) == 7 and fields[0] != "Name":
            yield source, fields[0], fields[2], fields[6]


def may_be_called(symbol):
    return any(fnmatch.fnmatchcase(symbol, pattern) for pattern in house.RAFT_SYMBOLS)


def has_prefix(symbol, layer, source):
    nouns = [layer]
    if layer in house.NOUN_LAYERS:
        nouns.append(source.removesuffix(".c"))
    nouns += house.NOUNS.get(f"{layer}/{source}", [])
    return any(symbol == noun or symbol.startswith(noun + "_") for noun in nouns)


def check_library(findings, folder, library):
    layer = folder.split("/")[1]
    table = list(symbols(library))
    defined = {symbol for _, symbol, kind, _ in table if kind not in "Uw"}
    for source, symbol, kind, section in table:
        name = f"{folder}/{source}"
        if layer == "raft" and kind in "Uw" and symbol not in defined and not may_be_called(symbol):
            findings.add(name, 1, f"calls {symbol}",
                         "the core is pure: no clock, no I/O, no threads, no log (RAFT_SYMBOLS)",
                         "let the caller do it and report, or argue for the table in house.py")
        if kind in "TDBRVWC" and not has_prefix(symbol, layer, source):
            findings.add(name, 1, f"exports {symbol}",
                         f"external symbols begin with {layer}_, or a noun of the file (NOUNS)",
                         "make it static or rename it")
        if (kind in "dDbBC" and not section.startswith(READ_ONLY_SECTIONS)
                and f"{layer}/{source}" not in house.STATEFUL):
            findings.add(name, 1, f"has the writable variable {symbol}",
                         "there is no process-wide state: several nodes live in one simulator",
                         "make it const, or a field of its owner")


def run():
    parser = house.arguments(__doc__)
    parser.add_argument("--build", type=Path, required=True, help="the build directory")
    arguments = parser.parse_args()
    findings = house.Findings("purity")
    libraries = {f"src/{layer}": f"lib{layer}.a" for layer in house.LAYERS}
    libraries.update({f"sim/{layer}": f"sim/{layer}/lib{layer}.a" for layer in house.SIM_LAYERS})
    for folder, file in libraries.items():
        library = arguments.build / file
        if library.exists():
            findings.subjects += 1
            check_library(findings, folder, library)
        elif any(path.name != "main.c" for path in (arguments.root / folder).glob("*.c")):
            findings.add(folder, 1, f"{library} is missing",
                         "what is not built cannot be looked at", "build first")
    return findings.finish()


if __name__ == "__main__":
    house.main(run)
