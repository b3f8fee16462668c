#!/usr/bin/env python3
"""Every header of src/ compiles alone, and twice: it includes what it needs, its guard holds."""

import subprocess
from concurrent.futures import ThreadPoolExecutor

import house

FLAGS = "-std=gnu17 -fsyntax-only -Wall -Wextra -Werror -D_GNU_SOURCE -x c -".split()
PACKAGES = "libuv lmdb libisal libxxhash json-c inih".split()
LLHTTP = "/usr/share/include/llhttp"


def compile_alone(root, flags, header):
    include = f'#include "{header}"\n'
    return subprocess.run(["gcc", f"-I{root / 'src'}", *flags, *FLAGS], input=include * 2,
                          capture_output=True, text=True).stderr


def run():
    root = house.arguments(__doc__).parse_args().root.resolve()
    flags = subprocess.run(["pkg-config", "--cflags", *PACKAGES], check=True, capture_output=True,
                           text=True).stdout.split() + ["-isystem", LLHTTP]
    headers = [house.name_of(root, path).removeprefix("src/")
               for path in house.files(root, "src", ".h")]
    findings = house.Findings("headers")
    with ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda header: compile_alone(root, flags, header), headers)
        for header, errors in zip(headers, results):
            findings.subjects += 1
            if errors:
                first = next((line for line in errors.splitlines() if "error:" in line), errors)
                findings.add(f"src/{header}", 1, f"does not compile alone: {first.strip()}",
                             "a header includes what it uses", "include it there")
    return findings.finish()


if __name__ == "__main__":
    house.main(run)
