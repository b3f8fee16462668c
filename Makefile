# A thin front: CMake builds (CMakePresets.json), ctest tests, scripts/ does the rest.
.DEFAULT_GOAL := quick
.PHONY: quick run test cluster check asan tsan analyze fuzz sim mutants bench format clean help \
        release

ARGS ?=
STAGES ?= test
T ?=
SECONDS ?= 60
LISTEN = 127.0.0.1:3000
DATA = pontoon-data
HOURS ?= 1
SEED ?= 1
SLOW ?=

## make                 the development build and the quick tests
quick:
	@scripts/test.sh quick

## make run [LISTEN=127.0.0.1:3000] [DATA=pontoon-data] [ARGS=…]    the release, one node
run: release
	@exec build/pontoon serve --listen "$(LISTEN)" --data "$(DATA)" $(ARGS)

## make cluster         three nodes on 127.0.0.1:3001, 3002, 3003, data in ./pontoon-cluster
cluster: release
	@exec scripts/cluster.sh $(ARGS)

## make release         installs what the build needs, then build/pontoon, pontoon-sim, raft-trace, lincheck
release:
	@scripts/setup.sh build
	@scripts/build.sh release programs

## make test            the tests, release and ASan+UBSan: 45 minutes on two slow cores
test:
	@scripts/test.sh $(STAGES)

## make check           layers, purity, house rules, format, clang, clang-tidy, cppcheck, -fanalyzer
check:
	@scripts/test.sh check

## make asan            the whole suite under AddressSanitizer and UndefinedBehaviorSanitizer
asan:
	@scripts/test.sh asan

## make tsan            the whole suite under ThreadSanitizer
tsan:
	@scripts/test.sh tsan

## make analyze         gcc's -fanalyzer over everything
analyze:
	@scripts/test.sh analyze

## make fuzz [T=name] [SECONDS=60]    each fuzz target, or one, for so long
fuzz:
	@scripts/setup.sh build check
	@scripts/fuzz.sh "$(SECONDS)" $(T)

## make sim [HOURS=1] [ARGS=…]    simulated clusters from new seeds; ARGS as build/pontoon-sim --help
sim: release
	@build/pontoon-sim --hours "$(HOURS)" $(ARGS)

## make mutants [SLOW=1] [SEED=1] [T=names]  which of the seeded bugs the simulator finds
mutants:
	@scripts/setup.sh build
	@scripts/build.sh release pontoon-sim
	@sim/mutants/run.py --seed $(SEED) $(if $(SLOW),--slow) $(T)

## make bench [ARGS=--short]    beside etcd, ZooKeeper, Redis, nginx; ARGS as tests/bench/bench.py --help
bench: release
	@scripts/setup.sh bench || echo "bench: goes on with what is installed" >&2
	@scripts/build.sh release bench-load bench-limits bench-lmdb
	@python3 -B tests/bench/bench.py $(ARGS)

## make format          clang-format over all C files
format:
	@scripts/setup.sh test
	@scripts/check_format.py --fix

## make clean           removes what was built; data directories stay
clean:
	@rm -rf build

help:
	@sed -n 's/^## //p' Makefile
