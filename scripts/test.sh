#!/usr/bin/env bash
# test.sh STAGE...: builds what the stages need, runs them, and ends with the sum of all their ctest
# runs in ctest's own words. Exits with 1 if anything failed. Failing tests do not keep later stages
# from running; a build that fails ends it all.
#
#   quick    development build: unit and golden tests, static checks       (the inner loop)
#   test     release: everything but lint; ASan+UBSan: everything but static checks and timing
#   asan     ASan+UBSan alone, with timing
#   tsan     everything but static checks under ThreadSanitizer; tsan-unit: the unit tests of the
#            layers that have more than one thread
#   check    static checks, clang build, clang-tidy, cppcheck, -fanalyzer
#   analyze  gcc -fanalyzer alone
#   fuzz     every fuzz target for five seconds
#   sim      simulated clusters: old findings, determinism, 40 hours of new seeds
#   mutants  forty bugs of sim/mutants, by chance: the simulator has to find each
#   left     no process of ours is left running
set -euo pipefail

cd "$(dirname "$(readlink -f "$0")")/.."

jobs=$(nproc)
passed=0
failed=0
failures=()

# what_failed FILE: of a ctest run's output, the failing tests and the words of what they asked for.
what_failed() {
    local pattern='\*\*\*(Failed|Timeout|Exception|Not Run)'
    pattern+='|^(FAIL|ERROR): |^[A-Za-z.]*(Error|Exception): '                # unittest
    pattern+='|\[  FAILED  \]|^\[   LINE|assert failed'                       # cmocka, ASSERT
    pattern+='|^==[0-9]+==ERROR|^SUMMARY: |WARNING: Thread|runtime error: '   # sanitizers
    pattern+='|error: '                                                      # compilers, linters
    grep -E "$pattern" "$1" | head -n 40 || true
}

# run PRESET TITLE CTEST-ARGUMENTS...: one ctest run, counted.
run() {
    local preset=$1 title=$2 output=build/$1.ctest
    shift 2
    echo "test: $title"
    # Its status says no more than the counts, but a crash of ctest itself has none.
    local status=0
    ctest --test-dir "build/$preset" --output-on-failure --no-label-summary --no-tests=error \
        --parallel "$jobs" "$@" </dev/null 2>&1 | tee "$output" || status=$?
    local counts
    counts=$(sed -nE 's/.*tests passed, ([0-9]+) tests failed out of ([0-9]+)$/\1 \2/p' "$output")
    if [ -z "$counts" ]; then
        echo "test: ctest gave no summary (status $status)" >&2
        failed=$((failed + 1))
        failures+=("$title: ctest itself")
        return
    fi
    local run_failed run_total
    read -r run_failed run_total <<<"$counts"
    failed=$((failed + run_failed))
    passed=$((passed + run_total - run_failed))
    if [ "$run_failed" -gt 0 ]; then
        failures+=("$title: $run_failed failed, see $output"$'\n'"$(what_failed "$output")")
    fi
}

# step TITLE COMMAND...: anything that is one test by itself.
step() {
    local title=$1 output=build/step.out
    shift
    mkdir -p build
    if "$@" </dev/null 2>&1 | tee "$output"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        failures+=("$title"$'\n'"$(tail -n 40 "$output")")
    fi
}

# tally TITLE COMMAND...: what counts by itself and ends with "N passed, N failed".
tally() {
    local title=$1 output=build/$1.tally counts status=0
    shift
    echo "test: $title"
    "$@" </dev/null 2>&1 | tee "$output" || status=$?
    counts=$(sed -nE '$s/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$output")
    local tally_passed=0 tally_failed=1
    if [ -n "$counts" ]; then
        read -r tally_passed tally_failed <<<"$counts"
    fi
    passed=$((passed + tally_passed))
    failed=$((failed + tally_failed))
    if [ "$tally_failed" -gt 0 ]; then
        failures+=("$title: $tally_failed failed (status $status), see $output")
    fi
}

# Where they cannot be had their tests are skipped, and say so; the others can go on.
others_clients() {
    scripts/clients.sh || echo "test: goes on without other people's clients" >&2
}

none_left() {
    local exe pid left=0
    for exe in /proc/[0-9]*/exe; do
        if [[ $(readlink "$exe" 2>/dev/null) == "$PWD"/build/* ]]; then
            pid=${exe#/proc/}
            pid=${pid%/exe}
            echo "left running: $pid $(tr '\0' ' ' <"/proc/$pid/cmdline")" >&2
            kill -KILL "$pid" || true
            left=1
        fi
    done
    return "$left"
}

stage() {
    case $1 in
    quick)
        scripts/setup.sh build test
        scripts/build.sh dev
        run dev "quick" --label-exclude 'integration|lint'
        ;;
    test)
        scripts/setup.sh build test
        others_clients
        scripts/build.sh release
        run release "release" --label-exclude lint
        scripts/build.sh asan
        run asan "asan" --label-exclude 'lint|check|timing'
        ;;
    asan | tsan)
        scripts/setup.sh build test
        others_clients
        scripts/build.sh "$1"
        run "$1" "$1" --label-exclude 'lint|check'
        ;;
    tsan-unit)
        scripts/setup.sh build test
        scripts/build.sh tsan threads sanitizer_canary
        run tsan "tsan, what has threads" --label-regex '^(threads|canary)$'
        ;;
    check)
        scripts/setup.sh build test check
        scripts/build.sh clang
        run clang "static checks and lint" --label-regex 'check|lint'
        stage analyze
        ;;
    analyze)
        scripts/setup.sh build
        step "gcc -fanalyzer" scripts/build.sh analyze programs
        run analyze "the analyzer's canary" --label-regex canary
        ;;
    fuzz)
        scripts/setup.sh build check
        step "fuzz" scripts/fuzz.sh 5
        ;;
    sim)
        scripts/setup.sh build check
        scripts/build.sh release programs
        step "simulator: seeds that found something" scripts/sim.sh regressions
        step "simulator: determinism" scripts/determinism.sh 50
        step "simulator: 40 cluster-hours of new seeds" scripts/sim.sh fresh 40
        ;;
    mutants)
        scripts/setup.sh build
        scripts/build.sh release pontoon-sim
        tally mutants sim/mutants/run.py --sample 40
        ;;
    left)
        step "no process is left running" none_left
        ;;
    *)
        echo "usage: scripts/test.sh STAGE..., of which there are:" >&2
        sed -n "s/^#   //p" scripts/test.sh >&2
        exit 2
        ;;
    esac
}

for name in "$@"; do
    stage "$name"
done

total=$((passed + failed))
if [ "$total" -eq 0 ]; then
    echo "test: nothing was run" >&2
    exit 2
fi
for failure in "${failures[@]}"; do
    echo "FAILED: $failure"
done
echo
echo "$((100 * passed / total))% tests passed, $failed tests failed out of $total"
[ "$failed" -eq 0 ]
