# What a person or CI does with this repository. `make help` lists it.

PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR    ?= $(PREFIX)/lib/systemd/system
DESTDIR    ?=

# Options of `penstock run`, of bench/run.py and bench/scale.py, of `swift test` and of pytest.
RUN_ARGS      ?=
BENCH_ARGS    ?=
SCALE_ARGS    ?=
TEST_ARGS     ?=
SCENARIO_ARGS ?=
DIFFERENTIAL_ARGS ?=
OVERLOAD_ARGS ?=
# What `make fuzz` fuzzes; for how long it and `make simulate` run; which worlds are simulated.
TARGET        ?=
SECONDS       ?=
SEED          ?=
SEEDS         ?=

# The Swift runtime goes into every release binary, so that what is measured is what is shipped.
SWIFT_RELEASE := swift build -c release --static-swift-stdlib --product penstock
DEBUG_BINARY   = $(CURDIR)/.build/debug/penstock
RELEASE_BINARY = $(CURDIR)/.build/release/penstock
SWIFT_SOURCES  = $(wildcard Sources Tests Package.swift)

.DEFAULT_GOAL := help
.PHONY: help run build test unit-tests scenario-tests bench bench-scale lint format release install clean
.PHONY: differential-tests simulate simulate-faults bench-overload bench-plugins fuzz test-address test-undefined test-thread

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## build and start the gateway (RUN_ARGS="-c FILE")
	@scripts/bootstrap build
	$(SWIFT_RELEASE)
	exec $(RELEASE_BINARY) run $(RUN_ARGS)

build: ## build the release binary, .build/release/penstock
	@scripts/bootstrap build
	$(SWIFT_RELEASE)

test: ## lint, unit tests, scenario and differential tests against the built binary, simulation
	@scripts/bootstrap build test
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory unit-tests
	@$(MAKE) --no-print-directory scenario-tests
	@$(MAKE) --no-print-directory differential-tests
	@$(MAKE) --no-print-directory simulate SEEDS=2000

unit-tests: ## only the unit tests (TEST_ARGS="--filter HTTPCodec")
	swift build --build-tests
ifdef TEST_ARGS
	swift test --skip-build $(TEST_ARGS)
else
# Tests that wait for other programs must not share the few threads of one process with those that compute.
	swift test --skip-build --skip 'ControlPlaneTests|TLSTests'
	swift test --skip-build --filter ControlPlaneTests
	swift test --skip-build --filter TLSTests
endif

# They wait more than they compute: several at a time, each file in one process.
PYTEST_PARALLEL := -n 4 --dist loadfile

scenario-tests: ## only the scenario tests (SCENARIO_ARGS="-k retry")
	swift build --product penstock
	$(SWIFT_RELEASE)
	PENSTOCK_BINARY=$(DEBUG_BINARY) PENSTOCK_RELEASE_BINARY=$(RELEASE_BINARY) \
	  "$$(scripts/python-with pytest)" -m pytest -q -p no:cacheprovider $(PYTEST_PARALLEL) $(SCENARIO_ARGS) Tests/Scenarios

differential-tests: ## hostile requests to origins that disagree (DIFFERENTIAL_ARGS="-k chunks")
	swift build --product penstock
	PENSTOCK_BINARY=$(DEBUG_BINARY) \
	  "$$(scripts/python-with pytest)" -m pytest -q -p no:cacheprovider $(DIFFERENTIAL_ARGS) Tests/Differential

simulate: ## random worlds by seed (SEED=47, SEEDS=5000, SECONDS=3600); see docs/simulation.md
	@scripts/bootstrap build
	simulate=$$(scripts/build-simulation) && "$$simulate" \
	  $(if $(SEED),--seed $(SEED),--corpus Tests/SimulationTests/Corpus/seeds.txt) \
	  $(if $(SEEDS),--seeds $(SEEDS)) $(if $(SECONDS),--seconds $(SECONDS))

simulate-faults: ## plant known faults into a copy; fails if the simulation does not find one
	@scripts/bootstrap build
	scripts/simulate-faults

fuzz: ## fuzz one target for a while (TARGET=http1-request SECONDS=60); see docs/fuzzing.md
	@scripts/bootstrap build
	scripts/fuzz "$(TARGET)" "$(or $(SECONDS),60)"

test-address: ## unit tests with the address sanitizer, in build/address
	@scripts/bootstrap build test
	scripts/test-sanitized address $(TEST_ARGS)

test-undefined: ## unit tests with the undefined-behaviour sanitizer for C and C++, in build/undefined
	@scripts/bootstrap build test
	scripts/test-sanitized undefined $(TEST_ARGS)

test-thread: ## unit tests with the thread sanitizer, in build/thread
	@scripts/bootstrap build test
	scripts/test-sanitized thread $(TEST_ARGS)

bench: ## compare CPU per request with nginx, HAProxy and Envoy (BENCH_ARGS=--quick)
	@scripts/bootstrap build bench
	$(SWIFT_RELEASE)
	PENSTOCK_BINARY=$(RELEASE_BINARY) bench/run.py $(BENCH_ARGS)

bench-scale: ## live configuration at 100,000 domains against its bars and peers (SCALE_ARGS=--quick)
	@scripts/bootstrap build bench
	$(SWIFT_RELEASE)
	PENSTOCK_BINARY=$(RELEASE_BINARY) bench/scale.py $(SCALE_ARGS)

bench-overload: ## what is left for good clients under overload and abuse (OVERLOAD_ARGS=--quick)
	@scripts/bootstrap build bench
	$(SWIFT_RELEASE)
	PENSTOCK_BINARY=$(RELEASE_BINARY) bench/overload.py $(OVERLOAD_ARGS)

bench-plugins: ## what plugins cost, and how exact limits are (PLUGINS_ARGS=--quick)
	@scripts/bootstrap build bench test
	$(SWIFT_RELEASE)
	PENSTOCK_BINARY=$(RELEASE_BINARY) build/venv/bin/python3 bench/plugins.py $(PLUGINS_ARGS)

lint: ## check formatting and the house rules
	swift format lint --strict --recursive $(SWIFT_SOURCES)
	scripts/tidy

format: ## format the Swift sources in place
	swift format --in-place --recursive $(SWIFT_SOURCES)

release: ## one stripped binary with the Swift runtime inside, build/penstock
	@scripts/bootstrap build
	$(SWIFT_RELEASE)
	@mkdir -p build
	strip -o build/penstock $(RELEASE_BINARY)
	scripts/check-libraries build/penstock

install: ## install build/penstock, a systemd unit and an example configuration (PREFIX, DESTDIR)
	@test -x build/penstock || { echo "build/penstock does not exist: run 'make release' first" >&2; exit 1; }
	install -D -m 755 build/penstock "$(DESTDIR)$(PREFIX)/bin/penstock"
	install -d "$(DESTDIR)$(UNITDIR)" "$(DESTDIR)$(SYSCONFDIR)/penstock"
	sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@SYSCONFDIR@|$(SYSCONFDIR)|g' packaging/penstock.service \
	  > "$(DESTDIR)$(UNITDIR)/penstock.service"
	chmod 644 "$(DESTDIR)$(UNITDIR)/penstock.service"
	@if test -e "$(DESTDIR)$(SYSCONFDIR)/penstock/penstock.yaml"; then \
	  echo "kept $(DESTDIR)$(SYSCONFDIR)/penstock/penstock.yaml"; \
	else \
	  install -v -m 644 packaging/penstock.yaml "$(DESTDIR)$(SYSCONFDIR)/penstock/penstock.yaml"; \
	fi

clean: ## remove everything that was built
	rm -rf .build build
