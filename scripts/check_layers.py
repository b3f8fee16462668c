#!/usr/bin/env python3
"""Arrows point only right and down: includes and link lines against the table in house.py.

L1  A layer includes itself and what its row of LAYERS (SIM_LAYERS in sim/) names; system headers by
    SYSTEM_HEADERS.
L2  x_int.h belongs to its layer (and its tests): nobody else includes it.
L3  The LINKS of each layer in CMakeLists.txt are its row of LAYERS and LIBRARIES.
L4  Every folder of src/ has a row.
"""

import fnmatch
import re

import house


def check_include(findings, name, layer, line, is_system, header):
    if is_system:
        if layer == "raft":
            allowed = house.RAFT_HEADERS
        else:
            allowed = house.PURE_HEADERS + house.SYSTEM_HEADERS.get(layer, [])
        if not any(fnmatch.fnmatch(header, pattern) for pattern in allowed):
            findings.add(name, line, f"{layer} includes <{header}>",
                         "a layer sees of the world only what is its job (SYSTEM_HEADERS)",
                         "go through the layer whose job it is, or argue for the table in house.py")
        return
    if "/" not in header:
        findings.add(name, line, f'includes "{header}" without its layer',
                     "the folder tells a reader where it comes from", 'write "layer/file.h"')
        return
    target = header.split("/")[0]
    may_use = house.LAYERS.get(layer, house.SIM_LAYERS.get(layer))
    if target != layer and target not in may_use:
        findings.add(name, line, f"{layer} includes {header}",
                     f"{layer} may use only: {', '.join(may_use) or 'nothing'}",
                     "turn the dependency round, or let node or main join the two")
    elif target != layer and header.endswith("_int.h"):
        findings.add(name, line, f"{layer} includes {header}",
                     f"_int.h files are private to {target}",
                     f"use or extend {target}'s public header")


def check_sources(findings, root):
    paths = house.files(root, "src", ".c", ".h")
    for layer in house.SIM_LAYERS:
        paths += house.files(root, f"sim/{layer}", ".c", ".h")
    for path in paths:
        name = house.name_of(root, path)
        layer = name.split("/")[1]
        if layer not in {**house.LAYERS, **house.SIM_LAYERS} or len(name.split("/")) != 3:
            findings.add(name, 1, "stands in no layer", "a folder of src/ is a layer (LAYERS)",
                         "move it, or add the layer to house.py and docs/ARCHITECTURE.md")
            continue
        findings.subjects += 1
        for line, is_system, header in house.includes(path.read_text()):
            check_include(findings, name, layer, line, is_system, header)


def check_links(findings, root):
    name = "CMakeLists.txt"
    text = (root / name).read_text()
    seen = set()
    for match in re.finditer(r"^pontoon_layer\((\w+)\s+LINKS\s*([^)]*)\)", text, re.MULTILINE):
        layer, links = match.group(1), match.group(2).split()
        line = text.count("\n", 0, match.start()) + 1
        seen.add(layer)
        findings.subjects += 1
        if layer not in house.LAYERS:
            findings.add(name, line, f"unknown layer {layer}", "house.py has no row for it",
                         "add the row, and its line in docs/ARCHITECTURE.md")
            continue
        allowed = house.LAYERS[layer] + house.LIBRARIES.get(layer, [])
        for link in sorted(set(links) - set(allowed)):
            findings.add(name, line, f"{layer} links {link}",
                         f"it may link only: {', '.join(allowed) or 'nothing'}", "take it out")
        for link in sorted(set(allowed) - set(links)):
            findings.add(name, line, f"{layer} does not link {link}",
                         "the table in house.py says that it may", "bring the two together")
    for layer in sorted(set(house.LAYERS) - seen):
        findings.add(name, 1, f"no pontoon_layer({layer} LINKS …)", "every layer is a library",
                     "add it in its place")


def run():
    root = house.arguments(__doc__).parse_args().root
    findings = house.Findings("layers")
    check_sources(findings, root)
    check_links(findings, root)
    return findings.finish()


if __name__ == "__main__":
    house.main(run)
