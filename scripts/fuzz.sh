#!/usr/bin/env bash
# fuzz.sh SECONDS [NAME...]: runs each fuzz target of tests/fuzz (or those named) for so long, from
# its corpus. New inputs go to build/fuzz/corpus/NAME, failing ones to build/fuzz/NAME-*: a failing
# one moves to tests/fuzz/corpus/NAME with the fix, and every test run replays it.
set -euo pipefail

cd "$(dirname "$(readlink -f "$0")")/.."

seconds=${1:?usage: scripts/fuzz.sh SECONDS [NAME...]}
shift
names=("$@")
if [ ${#names[@]} -eq 0 ]; then
    mapfile -t names < <(printf '%s\n' tests/fuzz/fuzz_*.c | sed 's|.*/fuzz_||; s|\.c$||')
fi

scripts/build.sh fuzz "${names[@]/#/fuzz_}"

# fuzz_one NAME: leaves build/fuzz/NAME.failed behind if it found something.
fuzz_one() {
    local name=$1 log=build/fuzz/$1.log
    mkdir -p "build/fuzz/corpus/$name"
    rm -f "build/fuzz/$name.failed"
    if "build/fuzz/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=10 \
        -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 -artifact_prefix="build/fuzz/$name-" \
        "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name" >"$log" 2>&1; then
        echo "fuzz: $name for $seconds s:" \
            "$(sed -n 's/^stat::number_of_executed_units: */executions /p' "$log")"
    else
        cat "$log" >&2
        touch "build/fuzz/$name.failed"
    fi
}
export -f fuzz_one
export seconds

# One a core.
printf '%s\0' "${names[@]}" | xargs -0 -n 1 -P "$(nproc)" bash -c 'fuzz_one "$1"' fuzz

failed=()
for name in "${names[@]}"; do
    if [ -e "build/fuzz/$name.failed" ]; then
        failed+=("$name")
    fi
done
if [ ${#failed[@]} -gt 0 ]; then
    echo "fuzz: failed: ${failed[*]} at $(git describe --always --dirty), inputs in build/fuzz" >&2
    exit 1
fi
