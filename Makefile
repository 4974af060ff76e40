# Everything here needs only Python 3.11, make and a package index. `make` alone lists the targets.

PYTHON ?= python3
PORT   ?= 8080
URL    ?= http://localhost:$(PORT)

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install
# A lock names everything, so there is nothing to resolve.
SYNC := $(PIP) --no-compile --no-deps --require-hashes --requirement

# A process for each core up to four, each with the servers that its tests need.
PARALLEL := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help serve install test check lint format models conform wheel bench stream-soak fuzz-seeds machine mutants mutants-engine venue-faults venue-matrix lock clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

serve: .venv/.runtime  ## run the server on http://localhost:8080 (or PORT=...)
	$(BIN)/trading-api serve --port $(PORT)

install: .venv/.dev  ## create .venv with everything a developer needs

test: .venv/.dev  ## run the whole test suite
	$(BIN)/pytest $(PARALLEL)

check: lint  ## what to run before a commit: lint and the quick tests
	$(BIN)/pytest $(PARALLEL) tests -m "not slow"

lint: .venv/.dev  ## judge format, style, types, the spec and the generated models
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python scripts/lint_spec.py
	$(BIN)/python scripts/generate_models.py --check

format: .venv/.dev  ## rewrite the sources in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

models: .venv/.dev  ## write providers/models.py from openapi.yaml
	$(BIN)/python scripts/generate_models.py

conform: .venv/.dev  ## judge a running server (URL=http://localhost:8080)
	$(BIN)/trading-conformance run $(URL)

wheel: .venv/.dev  ## build the conformance suite alone, in dist/
	cd contract_tests && ../$(BIN)/python -m hatchling build --target wheel --directory ../dist

bench: .venv/.dev  ## compare with other frameworks and measure durable orders per second
	$(BIN)/python scripts/bench.py

stream-soak: .venv/.dev  ## 1,000 clients of the event stream while the server is killed (ARGS="--rate 100")
	$(BIN)/python -m scripts.stream_soak $(ARGS)

fuzz-seeds: .venv/.dev  ## Schemathesis with 20 seeds and ten times the examples (ARGS="--seeds 2 --times 1")
	$(BIN)/python -m scripts.fuzz_seeds $(ARGS)

machine: .venv/.dev  ## 10,000 random runs of the engine's state machine (RUNS=...)
	ENGINE_RUNS=$(or $(RUNS),10000) $(BIN)/pytest tests/engine/test_machine.py --timeout=0

mutants: .venv/.dev  ## which checks notice which of 775 wrong servers (ARGS="--only ORD-001")
	$(BIN)/python -m contract_tests.mutants $(ARGS)

venue-faults: .venv/.dev  ## 1,000 fault schedules at each emulated venue (ARGS="--venue alpaca --count 50")
	$(BIN)/python -m scripts.venue_faults $(ARGS)

venue-matrix: .venv/.dev  ## judge the server before each emulated venue, and write the table of README
	$(BIN)/python -m scripts.venue_matrix $(ARGS)

# Mutates a copy in mutants/, for about half an hour on two cores.
mutants-engine: .venv/.dev  ## mutate the engine and list what its tests do not notice
	$(PIP) "mutmut>=3.6,<4"
	$(BIN)/mutmut run --max-children 2
	$(BIN)/mutmut results

# Two layers, so that a newcomer's `make serve` does not wait for the developer's tools.
.venv/.runtime: .ci/runtime.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(SYNC) .ci/runtime.lock
	$(PIP) --no-compile --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: .ci/dev.lock .venv/.runtime
	$(SYNC) .ci/dev.lock
	@touch $@

RESOLVE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade \
          --generate-hashes --no-annotate --no-emit-index-url \
          --custom-compile-command "make lock" --group editable pyproject.toml

lock: .venv/.dev  ## resolve the dependencies of pyproject.toml anew
	$(PIP) uv
	$(RESOLVE) --output-file .ci/dev.lock --extra dev --group specifications
	$(RESOLVE) --output-file .ci/runtime.lock --constraint .ci/dev.lock
	cd .ci && npm update --package-lock-only --omit-lockfile-registry-resolved

clean:  ## remove the environment and the caches
	rm -rf .venv mutants .ci/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
