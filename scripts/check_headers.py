#!/usr/bin/env python3
"""Every header of src/ and sim/ compiles alone, and twice.

So it includes what it needs, and its guard holds.
"""

import subprocess
from concurrent.futures import ThreadPoolExecutor

import house

FLAGS = "-std=gnu17 -fsyntax-only -Wall -Wextra -Werror -D_GNU_SOURCE -x c -".split()
PACKAGES = "libuv lmdb libisal libxxhash json-c inih".split()
LLHTTP = "/usr/share/include/llhttp"


def compile_alone(root, flags, header):
    include = f'#include "{header}"\n'
    command = ["gcc", f"-I{root / 'src'}", f"-I{root / 'sim'}", f"-I{root}", *flags, *FLAGS]
    return subprocess.run(command, input=include * 2, capture_output=True, text=True).stderr


def run():
    root = house.arguments(__doc__).parse_args().root.resolve()
    flags = subprocess.run(["pkg-config", "--cflags", *PACKAGES], check=True, capture_output=True,
                           text=True).stdout.split() + ["-isystem", LLHTTP]
    headers = [house.name_of(root, path)
               for folder in ("src", "sim") for path in house.files(root, folder, ".h")]
    findings = house.Findings("headers")
    with ThreadPoolExecutor(2) as pool:
        results = pool.map(
            lambda header: compile_alone(root, flags, header.split("/", 1)[1]), headers)
        for header, errors in zip(headers, results):
            findings.subjects += 1
            if errors:
                first = next((line for line in errors.splitlines() if "error:" in line), errors)
                findings.add(header, 1, f"does not compile alone: {first.strip()}",
                             "a header includes what it uses", "include it there")
    return findings.finish()


if __name__ == "__main__":
    house.main(run)
