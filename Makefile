# The front door; "make help" lists what it opens.  CMake and Ninja do the work.

BUILD ?= build
FUZZ_SECONDS ?= 60
FUZZ_JOBS ?= 1
FUZZ_TOTAL ?=
POWERCUTS ?= 50
SEEDS ?= 100
FROM ?= 1
SIM_JOBS ?= $(shell nproc)
CMAKE_FLAGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup setup-run setup-test setup-fuzz run build build-asan test asan tidy \
	sim sim-long fuzz bench bench-profile bench-latency bench-slow bench-dead bench-huge bench-spool bench-tls \
	bench-relay bench-beside bench-summary testssl \
	powercut clean

help: ## list these targets
	@echo "Postrider, a mail server.  Targets of this Makefile:"
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | \
		sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | \
		while IFS='|' read -r name text; do printf '%-19s %s\n' "$$name" "$$text"; done

run: setup-run ## install what is missing, build, and serve mail
	@$(MAKE) --no-print-directory build NINJA_FLAGS=postrider
	@exec tools/quickstart

test: setup-test build ## install what is missing, build, and run every test
	@tools/run-tests --build build

build: ## build into build/ (optimised)
	@mkdir -p build
	@cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release $(CMAKE_FLAGS) \
		>build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	@ninja -C build $(NINJA_FLAGS)

build-asan: ## build into build-asan/ with the address and undefined-behaviour sanitizers
	@mkdir -p build-asan
	@cmake -S . -B build-asan -G Ninja -DCMAKE_BUILD_TYPE=Debug -DSANITIZE=ON $(CMAKE_FLAGS) \
		>build-asan/configure.log 2>&1 || { cat build-asan/configure.log; exit 1; }
	@ninja -C build-asan $(NINJA_FLAGS)

asan: setup-test build-asan ## run every test on the sanitizer build
	@tools/run-tests --build build-asan

tidy: ## check the rules of the source that a program can check
	@tools/tidy --build $(BUILD)

sim: setup-run ## simulate SEEDS (100) runs from FROM (1), or SEED=n alone with its trace
	@$(MAKE) --no-print-directory build NINJA_FLAGS=sim
	@build/sim/postrider-sim --jobs $(SIM_JOBS) \
		$(if $(SEED),--seed $(SEED) --verbose,--seeds $(SEEDS) --from $(FROM))

sim-long: setup-run ## simulate one seed after the other until stopped, from a seed of the clock
	@$(MAKE) --no-print-directory build NINJA_FLAGS=sim
	@build/sim/postrider-sim --jobs $(SIM_JOBS) --until-stopped --from $(shell date +%s)000

fuzz: setup-fuzz ## run each fuzzer for FUZZ_SECONDS (60), or all in FUZZ_TOTAL, FUZZ_JOBS (1) at a time
	@FUZZ_JOBS=$(FUZZ_JOBS) FUZZ_TOTAL=$(FUZZ_TOTAL) tools/fuzz $(FUZZ_SECONDS)

powercut: setup-test build ## POWERCUTS (50) power cuts on a real file system; POWERCUT_BREAK=1 must lose mail
	@test/powercut/powercut.py --program $(BUILD)/postrider --cuts $(POWERCUTS) \
		$(if $(POWERCUT_SEED),--seed $(POWERCUT_SEED)) $(if $(POWERCUT_BREAK),--break) || \
		{ status=$$?; [ $$status = 77 ] || exit $$status; }

bench: ## build, and measure against other servers (BENCH_DIR names the bench)
	@tools/bench

bench-profile: build ## system calls and CPU time of a message, by role (root, perf)
	@bench/profile.py $(BENCH_FLAGS)

bench-latency: build ## how long the 250 takes at half the maximum rate
	@bench/latency.py $(BENCH_FLAGS)

bench-slow: build ## accepting where each sync takes 5 ms longer
	@bench/slow.py $(BENCH_FLAGS)

bench-dead: build ## 1,000,000 messages for a destination that does not answer
	@bench/dead.py $(BENCH_FLAGS)

bench-huge: build ## 10,000,000 queued messages: start and memory
	@ninja -C build spool_fill >/dev/null
	@bench/huge.py $(BENCH_FLAGS)

bench-relay: build ## relaying over a long line and past deferrals, beside Postfix
	@bench/relay.py $(BENCH_FLAGS)

bench-beside: build ## fresh mail while 100,000 messages wait for a slow destination
	@bench/beside.py $(BENCH_FLAGS)

bench-summary: build ## what "queue summary" costs with 1,000,000 messages
	@bench/summary.py $(BENCH_FLAGS)

bench-tls: build ## memory of idle TLS sessions, CPU time of handshakes
	@ninja -C build tls_bench >/dev/null
	@bench/tls.py $(BENCH_FLAGS)

testssl: setup-test build ## all checks of testssl.sh (some minutes)
	@TESTSSL=all tools/run-tests --build build --only e2e -- test/e2e/test_tls.py -k testssl

bench-spool: build ## build, and measure the spool alone in BENCH_SPOOL (./run/bench-spool)
	@tools/bench-spool $(BUILD) $(BENCH_SPOOL)

setup: setup-run setup-test setup-fuzz ## install all that building, testing and fuzzing need

setup-run: ## install only what building and running need
	@tools/setup run

setup-test: setup-run ## install what the tests need as well
	@tools/setup test

setup-fuzz: setup-run ## install what fuzzing needs as well
	@tools/setup fuzz

clean: ## remove what was built (never ./run, which holds mail)
	rm -rf build build-asan build-fuzz
