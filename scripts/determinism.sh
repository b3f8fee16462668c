#!/usr/bin/env bash
# determinism.sh [COUNT]: the same seeds by two compilers, unoptimised and optimised, and twice by
# one of them, give the same traces. Prints the first seed that does not; exits with 1 then.
set -euo pipefail

cd "$(dirname "$(readlink -f "$0")")/.."

count=${1:-100}
# Fresh ones each time: which they are is printed.
first=${SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
build=build/determinism
mkdir -p "$build"

# variant COMPILER LEVEL: the simulator alone, built that way.
variant() {
    local directory=$build/$1$2
    if ! { cmake -S . -B "$directory" -G Ninja -DCMAKE_C_COMPILER="$1" -DCMAKE_BUILD_TYPE=None \
        -DCMAKE_C_FLAGS="$2 -g" -DBUILD_TESTING=OFF &&
        cmake --build "$directory" --target pontoon-sim; } >"$directory.log" 2>&1; then
        cat "$directory.log" >&2
        exit 1
    fi
    # A seed that fails is no difference, but it has to be seen.
    if ! "$directory/sim/pontoon-sim" --seed "$first" --count "$count" --seconds 60 --quiet \
        --hashes >"$directory.out" 2>&1; then
        grep -v ' hash ' "$directory.out" >&2
        echo "determinism: a seed fails, built by $1 $2" >&2
        exit 1
    fi
    grep ' hash ' "$directory.out" | sort >"$directory.hashes"
}

echo "determinism: $count seeds from $first on, twice and built in four ways"
variant gcc -O0
variant gcc -O2
variant clang -O0
variant clang -O2
"$build/gcc-O2/sim/pontoon-sim" --seed "$first" --count "$count" --seconds 60 --quiet --verify

if [ "$(wc -l <"$build/gcc-O2.hashes")" -ne "$count" ]; then
    echo "determinism: not every seed has a hash" >&2
    exit 1
fi
for other in gcc-O0 clang-O0 clang-O2; do
    if ! different=$(diff "$build/gcc-O2.hashes" "$build/$other.hashes"); then
        echo "determinism: gcc-O2 and $other do not agree:" >&2
        head -n 4 <<<"$different" >&2
        exit 1
    fi
done
