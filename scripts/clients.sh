#!/usr/bin/env bash
# clients.sh: other people's clients for tests/integration: installs the group "clients" of
# scripts/packages.txt, and puts into build/clients what npm brings, by version and checksum
# (tests/integration/clients). Does nothing where all of it is there.
set -euo pipefail

cd "$(dirname "$(readlink -f "$0")")/.."

source=tests/integration/clients
target=build/clients

scripts/setup.sh clients
mkdir -p "$target"
work=$(mktemp -d "$target/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

if ! cmp --silent "$source/package-lock.json" "$target/npm/package-lock.json"; then
    echo "clients: npm ci"
    mkdir "$work/npm"
    cp "$source"/package*.json "$work/npm"
    (cd "$work/npm" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
    rm -rf "$target/npm"
    mv "$work/npm" "$target/npm"
fi
