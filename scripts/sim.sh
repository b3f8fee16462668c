#!/usr/bin/env bash
# sim.sh regressions: the seeds of sim/regressions.txt, each of which found something once.
# sim.sh fresh HOURS: new seeds, so many hours of a cluster's time: half of everything, where each
# kind of fault must happen, and half of what the other profiles lean to.
set -euo pipefail

cd "$(dirname "$(readlink -f "$0")")/.."

failed=0
case ${1:-} in
regressions)
    while read -r profile seed _; do
        if ! output=$(build/pontoon-sim --seed "$seed" --profile "$profile" --quiet); then
            echo "$output"
            failed=1
        fi
    done < <(grep -E '^[a-z]' sim/regressions.txt)
    ;;
fresh)
    hours=${2:?usage: scripts/sim.sh fresh HOURS}
    profiles=(quiet crash network disk membership)
    half=$(awk -v h="$hours" 'BEGIN { print h / 2 }')
    share=$(awk -v h="$hours" -v n="${#profiles[@]}" 'BEGIN { print h / 2 / n }')
    echo "swarm:"
    build/pontoon-sim --hours "$half" --all-faults || failed=1
    for profile in "${profiles[@]}"; do
        echo "$profile:"
        build/pontoon-sim --hours "$share" --profile "$profile" --quiet || failed=1
    done
    ;;
*)
    echo "usage: scripts/sim.sh regressions | fresh HOURS" >&2
    exit 2
    ;;
esac
exit "$failed"
