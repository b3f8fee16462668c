#!/usr/bin/env bash
# build.sh PRESET [TARGET...]: configures and builds one preset, quietly unless it fails. What the
# release builds is linked to build/NAME, wherever the build directory put it.
set -euo pipefail

cd "$(dirname "$(readlink -f "$0")")/.."

preset=$1
shift
targets=("${@/#/--target=}")

mkdir -p build
log=build/$preset.log
started=$SECONDS
echo "build: $preset"
if ! { cmake --preset "$preset" &&
    cmake --build "build/$preset" "${targets[@]}"; } >"$log" 2>&1; then
    cat "$log" >&2
    echo "build: $preset failed (above, and in $log)" >&2
    exit 1
fi
echo "build: $preset took $((SECONDS - started)) s"

if [ "$preset" = release ]; then
    for program in pontoon raft-trace pontoon-sim lincheck netsim \
        bench-load bench-limits bench-lmdb; do
        built=$(find build/release -type f -name "$program" -perm -u+x -print -quit)
        if [ -n "$built" ]; then
            ln -sfn "${built#build/}" "build/$program"
        fi
    done
fi
