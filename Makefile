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

# The Swift runtime goes into every release binary, so that what is measured is what is shipped.
SWIFT_RELEASE := swift build -c release --static-swift-stdlib --product penstock
DEBUG_BINARY   = $(CURDIR)/.build/debug/penstock
RELEASE_BINARY = $(CURDIR)/.build/release/penstock
SWIFT_SOURCES  = $(wildcard Sources Tests Package.swift)

.DEFAULT_GOAL := help
.PHONY: help run build test unit-tests scenario-tests bench bench-scale lint format release install clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## build and start the gateway (RUN_ARGS="-c FILE")
	@scripts/bootstrap build
	$(SWIFT_RELEASE)
	exec $(RELEASE_BINARY) run $(RUN_ARGS)

build: ## build the release binary, .build/release/penstock
	@scripts/bootstrap build
	$(SWIFT_RELEASE)

test: ## lint, unit tests, scenario tests against the built binary
	@scripts/bootstrap build test
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory unit-tests
	@$(MAKE) --no-print-directory scenario-tests

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

scenario-tests: ## only the scenario tests (SCENARIO_ARGS="-k retry")
	swift build --product penstock
	$(SWIFT_RELEASE)
	PENSTOCK_BINARY=$(DEBUG_BINARY) PENSTOCK_RELEASE_BINARY=$(RELEASE_BINARY) \
	  "$$(scripts/python-with pytest)" -m pytest -q -p no:cacheprovider $(SCENARIO_ARGS) Tests/Scenarios

bench: ## compare CPU per request with nginx, HAProxy and Envoy (BENCH_ARGS=--quick)
	@scripts/bootstrap build bench
	$(SWIFT_RELEASE)
	PENSTOCK_BINARY=$(RELEASE_BINARY) bench/run.py $(BENCH_ARGS)

bench-scale: ## live configuration at 100,000 domains against its bars and peers (SCALE_ARGS=--quick)
	@scripts/bootstrap build bench
	$(SWIFT_RELEASE)
	PENSTOCK_BINARY=$(RELEASE_BINARY) bench/scale.py $(SCALE_ARGS)

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
