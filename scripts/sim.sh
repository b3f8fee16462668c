#!/usr/bin/env bash
# sim.sh regressions: the seeds of sim/regressions.txt, each of which found something once.
# sim.sh fresh HOURS: new seeds, so many hours of a cluster's time: half of everything, where each
# kind of fault must happen, and half of what the other profiles lean to.
set -euo pipefail

cd "$(dirname "$(readlink -f "$0")")/.."

failed=0
case ${1:-} in
regressions)
    # One a core; its words come when it has failed.
    # shellcheck disable=SC2016
    awk '/^[a-z]/ { print $1, $2 }' sim/regressions.txt | xargs -n 2 -P "$(nproc)" bash -c '
        if ! output=$(build/pontoon-sim --seed "$2" --profile "$1" --quiet); then
            echo "$output"
            exit 1
        fi
    ' sim || failed=1
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
