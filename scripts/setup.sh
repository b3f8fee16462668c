#!/usr/bin/env bash
# setup.sh GROUP...: installs the packages of scripts/packages.txt that are missing. Touches nothing
# that is there, needs no terminal, and says what to do where it may not install.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")

if [ $# -eq 0 ]; then
    echo "usage: scripts/setup.sh GROUP...  (build, test, clients, check, bench)" >&2
    exit 2
fi

wanted=()
for group in "$@"; do
    mapfile -t lines < <(awk -v group="$group" '$1 == group { print $2, $3 }' "$here/packages.txt")
    if [ ${#lines[@]} -eq 0 ]; then
        echo "setup: no group '$group' in scripts/packages.txt" >&2
        exit 2
    fi
    for line in "${lines[@]}"; do
        read -r package program <<<"$line"
        if [ -z "$program" ] || ! command -v "$program" >/dev/null; then
            wanted+=("$package")
        fi
    done
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "setup: not a Debian system; install what corresponds to these yourself: ${wanted[*]}" >&2
    exit 0
fi

missing=()
for package in "${wanted[@]}"; do
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    if [ "$status" != installed ]; then
        missing+=("$package")
    fi
done
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "setup: packages are missing and there is neither root nor sudo. As root, run:" >&2
        echo "  apt-get install ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi

apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq \
        -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 "$@" </dev/null
}

install_missing() {
    apt install --yes --no-install-recommends "${missing[@]}" >"$output" 2>&1
}

echo "setup: installing ${missing[*]}"
output=$(mktemp)
trap 'rm -f "$output"' EXIT
# The package lists may be absent (a fresh image) or old (a package has moved): only then update.
if ! install_missing; then
    if ! { apt update && install_missing; } >>"$output" 2>&1; then
        cat "$output" >&2
        echo "setup: apt-get failed (above). Once it works, this is what is needed:" >&2
        echo "  apt-get install ${missing[*]}" >&2
        exit 1
    fi
fi
