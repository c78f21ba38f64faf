# A thin layer over CMake and the scripts in tools/: `make help` lists the targets.
PREFIX ?= /usr/local
ENPROF := build/release/bin/enprof
DEMO_MODEL := build/demo/demo.gguf
DEMO_DB := build/demo/profiles.db
SANITIZERS := asan-ubsan tsan

.PHONY: help setup setup-dev build demo test test-program $(SANITIZERS) fuzz bench readme pictures lint format install clean FORCE
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z$$][^:]*:.*## / { \
	  sub(/^\$$\(SANITIZERS\).*/, "$(SANITIZERS)", $$1); printf "  %-18s %s\n", $$1, $$2 }' Makefile

setup: ## install missing packages
	@tools/setup

setup-dev: setup
	@tools/setup --dev

build: build/release/build.ninja ## build the program: build/release/bin/enprof
	cmake --build --preset release

demo: build ## profile a prompt on a model with dummy weights
	@mkdir -p $(dir $(DEMO_MODEL))
	@test -s $(DEMO_MODEL) || $(ENPROF) model synth -o $(DEMO_MODEL) \
	  --layers 8 --embd 512 --ff 2048 --heads 8 --kv-heads 4 --type q8_0
	$(ENPROF) run -m $(DEMO_MODEL) -p "How many joules does a thought take?" -n 64 --db $(DEMO_DB)
	@printf '\nTry next:\n'
	@printf '%s\n' \
	  '  $(ENPROF) runs --db $(DEMO_DB)' \
	  '  $(ENPROF) show last --db $(DEMO_DB)' \
	  '  $(ENPROF) export last --format json --db $(DEMO_DB)' \
	  '  $(ENPROF) serve --models-dir $(dir $(DEMO_MODEL)) --db $(DEMO_DB)' \
	  '  $(ENPROF) doctor' \
	  '  $(ENPROF) run -m your-model.gguf -p "your prompt"'

test: test-program asan-ubsan ## run every test: the program's, and the unit tests under sanitizers

test-program: build/release/build.ninja ## run the tests of the program as its users have it
	cmake --build --preset program-tests
	tools/run-tests release

# ThreadSanitizer of g++ 12 and 13 dies where the kernel randomizes more address bits than it knows.
$(SANITIZERS): %: build/%/build.ninja ## run the unit tests under a sanitizer
	cmake --build --preset $*
	@if setarch "$$(uname -m)" -R true 2>/dev/null; then set -- setarch "$$(uname -m)" -R; fi; \
	  "$$@" tools/run-tests $*

fuzz: setup-dev build/fuzz/build.ninja ## run each fuzz target for FUZZ_SECONDS, default 10
	cmake --build --preset fuzz
	tools/fuzz

bench: build/release/build.ninja ## measure: one JSON line per figure, and a table
	cmake --build --preset bench
	tools/bench

readme: build/dev/build.ninja ## write the report in README again
	cmake --build --preset dev --target cli_test
	ENPROF_UPDATE_README=1 build/dev/bin/cli_test --gtest_filter='Readme.*'

pictures: setup-dev build/release/build.ninja ## make the pictures in docs/ again
	cmake --build --preset pictures
	cd web && node screenshots.mjs

lint: setup-dev build/tidy/build.ninja ## check format, clang-tidy, shell scripts and includes
	@ninja -C build/tidy --quiet build.ninja
	tools/lint

format: setup-dev ## format the C++ sources
	tools/lint --fix format

# Under sudo, installs what the user built: root has another cache and would leave files of its own in
# build/.
install: $(if $(SUDO_USER),,build) ## install under PREFIX, default /usr/local
	@test -x $(ENPROF) || { echo "nothing is built yet: run make build first" >&2; exit 1; }
	DESTDIR="$(DESTDIR)" cmake --install build/release --prefix "$(PREFIX)"

clean: ## remove build/
	rm -rf build

# Ninja runs cmake again by itself when a CMakeLists.txt changes.
build/%/build.ninja: CMakePresets.json build/llama-prefix
	ENPROF_LLAMA_PREFIX="$$(cat build/llama-prefix)" cmake --preset $*
	@touch $@

# Keeps its time if its text does not change, so that nothing is configured again.
build/llama-prefix: FORCE | setup
	@mkdir -p build
	@tools/fetch-llama > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
