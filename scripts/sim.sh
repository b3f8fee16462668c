#!/usr/bin/env bash
# sim.sh regressions: the seeds of sim/regressions.txt, each of which found something once.
# sim.sh fresh HOURS: new seeds, so many hours of a cluster's time; each kind of fault must happen.
set -euo pipefail

cd "$(dirname "$(readlink -f "$0")")/.."

case ${1:-} in
regressions)
    failed=0
    while read -r profile seed _; do
        if ! output=$(build/pontoon-sim --seed "$seed" --profile "$profile" --quiet); then
            echo "$output"
            failed=1
        fi
    done < <(grep -E '^[a-z]' sim/regressions.txt)
    exit "$failed"
    ;;
fresh)
    exec build/pontoon-sim --hours "${2:?usage: scripts/sim.sh fresh HOURS}" --all-faults
    ;;
*)
    echo "usage: scripts/sim.sh regressions | fresh HOURS" >&2
    exit 2
    ;;
esac
