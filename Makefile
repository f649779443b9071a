# Everything that people do with a checkout. `make help` lists it.

PREFIX ?= /usr/local
DESTDIR ?=
SWIFT ?= swift
# The programs carry Swift's runtime in them, so that they run where no toolchain is.
RELEASE = -c release --static-swift-stdlib
STATIC = -c release -Xswiftc -static-executable --scratch-path .build-static
PRODUCTS = belfryd belfry belfry-launch belfry-text-to-image
STAGE = .build/stage

.PHONY: help run test build install uninstall bench lint format docs dependencies feature-dependencies test-dependencies test-environments torture simulate

help: ## Shows this list.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

run: dependencies ## Builds Belfry and makes a picture with it, in the background.
	@for product in $(PRODUCTS); do $(SWIFT) build $(RELEASE) --product $$product || exit 1; done
	@packaging/stage "$$($(SWIFT) build $(RELEASE) --show-bin-path)" $(STAGE)
	@packaging/first-run "$(CURDIR)/$(STAGE)" "$(CURDIR)/.build/run"

# What starts many real programs goes by itself, so that the others are not kept waiting for the machine.
APART = BundledPluginTests DBusTests DesktopTestingTests BelfryDesktopTests EndToEndTests

# So many tests at once: each may start a hub or a server of its own.
WIDTH = --experimental-maximum-parallelization-width 6

test: test-dependencies test-environments ## Runs all tests.
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build $(WIDTH) $(APART:%=--skip '^%\.')
	@for tests in $(APART); do $(SWIFT) test --skip-build $(WIDTH) --filter "^$$tests\\." || exit 1; done

# What is started often, apart: fully static it starts three times as fast, and the flag holds for a
# whole build.
build: feature-dependencies ## Builds release programs into .build/stage.
	@for product in belfryd belfry-text-to-image; do $(SWIFT) build $(RELEASE) --product $$product || exit 1; done
	@for product in belfry belfry-launch; do $(SWIFT) build $(STATIC) --product $$product || exit 1; done
	@packaging/stage "$$($(SWIFT) build $(RELEASE) --show-bin-path)" $(STAGE) .build-static/release

# Root installs what its owner has built, and needs no toolchain.
install: ## Installs below PREFIX (and DESTDIR).
	@[ "$$(id -u)" -eq 0 ] && [ -x $(STAGE)/bin/belfry ] || $(MAKE) build
	@mkdir -p "$(DESTDIR)$(PREFIX)"
	cp -R $(STAGE)/. "$(DESTDIR)$(PREFIX)/"

uninstall: ## Removes what install put there. Tasks, results and settings stay.
	rm -f "$(DESTDIR)$(PREFIX)/bin/belfry" "$(DESTDIR)$(PREFIX)/bin/belfryd"
	rm -f "$(DESTDIR)$(PREFIX)/share/applications/belfry.desktop"
	rm -f "$(DESTDIR)$(PREFIX)"/share/icons/hicolor/*/apps/belfry.*
	rm -rf "$(DESTDIR)$(PREFIX)/libexec/belfry" "$(DESTDIR)$(PREFIX)/share/belfry" "$(DESTDIR)$(PREFIX)/share/doc/belfry"

bench: build ## Measures Belfry beside the other tools that are installed.
	@for product in belfry-bench dbus-bench; do $(SWIFT) build $(RELEASE) --product $$product || exit 1; done
	Tests/Benchmarks/run "$(CURDIR)/$(STAGE)" "$$($(SWIFT) build $(RELEASE) --show-bin-path)/belfry-bench"
	Tests/Benchmarks/desktop "$(CURDIR)/$(STAGE)" "$$($(SWIFT) build $(RELEASE) --show-bin-path)/belfry-bench"
	Tests/Benchmarks/dbus "$$($(SWIFT) build $(RELEASE) --show-bin-path)/dbus-bench"

torture: ## Kills the hub at random moments (ROUNDS) and at each of its first writes and syncs (FAULTS); asks a store of 1,000,000 tasks.
	BELFRY_TORTURE_ROUNDS=$${ROUNDS:-60} BELFRY_TORTURE_FAULTS=$${FAULTS:-120} $(SWIFT) test --filter Torture
	BELFRY_PLAN_TASKS=1000000 $(SWIFT) test --filter BelfrySQLiteTests.PlanTests
	Tests/Cgroups/run "$$($(SWIFT) build --show-bin-path)/belfry-launch"

simulate: dependencies ## Simulates SEEDS lives of a hub in memory (100,000); SEED runs one again.
	$(SWIFT) build -c release --product belfry-simulate
	@if [ -n "$(SEEDS)" ]; then export BELFRY_SIMULATION_SEEDS=$(SEEDS); fi; \
	if [ -n "$(SEED)" ]; then export BELFRY_SIMULATION_SEED=$(SEED); fi; \
	"$$($(SWIFT) build -c release --show-bin-path)/belfry-simulate"

lint: ## Checks the format of the sources.
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests Plugins

format: ## Formats the sources.
	$(SWIFT) format --in-place --recursive Package.swift Sources Tests Plugins

docs: ## Builds the API reference into .build/docs.
	$(SWIFT) package dump-symbol-graph --minimum-access-level public
	@packaging/docs "$$($(SWIFT) build --show-bin-path)/../symbolgraph" .build/docs

dependencies:
	@packaging/dependencies

feature-dependencies:
	@packaging/dependencies --features

# Python environments and photographs that tests want, so that no test has to wait for PyPI.
test-environments: test-dependencies
	@for packages in mcp1 mcp2; do Tests/PythonTesting/venv $$packages >/dev/null || exit 1; done
	@Tests/BundledPluginTests/prepare .build/bundled-plugins >/dev/null

test-dependencies:
	@packaging/dependencies --test
