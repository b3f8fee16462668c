#!/usr/bin/env bash
# clients.sh: other people's clients for tests/integration, into build/clients: what is taken from
# Debian's packages without being installed (group "unpack" of scripts/packages.txt), and what npm
# brings, by version and checksum (tests/integration/clients). Installs the group "clients" first.
# Does nothing where all of it is there.
set -euo pipefail

cd "$(dirname "$(readlink -f "$0")")/.."

source=tests/integration/clients
target=build/clients

scripts/setup.sh clients
mkdir -p "$target"
work=$(mktemp -d "$target/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo)
fi

# Of the signed package lists; they may be absent or old, as in setup.sh.
download() {
    (cd "$work" && apt-get -qq download "$1")
}

while read -r package; do
    if [ -x "$target/$package" ]; then
        continue
    fi
    echo "clients: unpacking $package"
    if ! download "$package" >"$work/log" 2>&1; then
        if ! { "${as_root[@]}" apt-get -qq update && download "$package"; } >>"$work/log" 2>&1; then
            cat "$work/log" >&2
            echo "clients: apt-get cannot download $package (above)" >&2
            exit 1
        fi
    fi
    dpkg --extract "$work/$package"_*.deb "$work/$package"
    mv "$work/$package/usr/bin/$package" "$target/$package"
done < <(awk '$1 == "unpack" { print $2 }' scripts/packages.txt)

if ! cmp --silent "$source/package-lock.json" "$target/npm/package-lock.json"; then
    echo "clients: npm ci"
    mkdir "$work/npm"
    cp "$source"/package*.json "$work/npm"
    (cd "$work/npm" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
    rm -rf "$target/npm"
    mv "$work/npm" "$target/npm"
fi
