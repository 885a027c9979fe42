# Each target does all of its own set-up; `make setup` does the set-up alone.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo unit test test-pythons check lint simulate courses security chaos bench up clean lock

BIN := .venv/bin
export UV_PYTHON_DOWNLOADS := never
# uv, the type checker and the broker's jars keep files there: a user without a home gets one here.
ifneq ($(shell test -w "$(HOME)" && echo yes),yes)
export HOME := $(CURDIR)/.bootstrap/home
endif
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
# Where the environment forbids compiled modules, each of an instance's processes compiles all of them anew.
export PYTHONDONTWRITEBYTECODE :=

help:  ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-13s %s\n", $$1, $$2}' Makefile

setup: .venv/ready  ## Make .venv from the locks, fetch the broker's jars.

.venv/ready: requirements-dev.lock bootstrap.lock pyproject.toml app/local/kafka-jars.lock deploy/setup tests/node/package-lock.json
	@deploy/setup

demo: setup  ## Start everything and play a week of real orders through it.
	@$(BIN)/payflow demo

up: setup  ## Start the broker, the external systems and every service.
	@$(BIN)/payflow up

check: lint  ## Formatting, lint, types, import contracts, architecture.
	@echo "check: architecture"; $(BIN)/pytest -q tests/architecture

lint: setup  ## The same without the tests of the architecture.
	@echo "lint: ruff"; $(BIN)/ruff check --quiet .; $(BIN)/ruff format --check --quiet .
	@echo "lint: pyright"; $(BIN)/pyright
	@echo "lint: import contracts"; $(BIN)/lint-imports --no-logo

simulate: setup  ## A hundred thousand simulated scenarios, SEEDS=n for another number.
	@$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),100000)

courses: setup  ## Every course of a payment, with kills and gaps up to a month; SAMPLE=n, AGENTS=all.
	@$(BIN)/python -m tests.simulation.courses $(if $(SAMPLE),--sample $(SAMPLE)) \
	    $(if $(AGENTS),--agents $(AGENTS))

security: setup  ## Requests, headers and bytes of an attacker, 5,000 of each reader, fuzzing; advisories.
	@$(BIN)/ruff check --quiet --select S app agents tables workflows
	@MUTATED_FILES=5000 $(BIN)/pytest -q --timeout 1800 --hypothesis-profile security \
	    tests/properties/test_any_bytes.py tests/properties/test_order_files.py \
	    tests/properties/test_condition.py tests/properties/test_any_request.py \
	    tests/unit/test_answers.py tests/unit/test_patterns.py \
	    tests/unit/test_access.py tests/unit/test_hostile_requests.py tests/unit/test_incoming.py
	@$(BIN)/python -m tests.fuzz
	@$(BIN)/python -m tests.support.advisories

chaos: setup  ## Inject faults into an instance of our own; SEED=n, ONLY=fault, SECONDS=n of hostile_producer.
	@deploy/faketime || true
	@$(BIN)/payflow chaos --seed $(or $(SEED),1) $(if $(ONLY),--only $(ONLY)) \
	    $(if $(SECONDS),--hostile-seconds $(SECONDS)) --report chaos.json

bench: setup  ## What attacks, open pages and stops cost, verdicts under load; ONLY=attacked for one of them.
	@for each in $(or $(ONLY),attacked stop tabs verdicts json_output); do \
	    echo "bench: $$each" >&2; $(BIN)/python -m bench.$$each; done

# One more than cores: some tests wait for processes and for time-outs that are what they test.
WORKERS := $(shell echo $$(($$(nproc 2>/dev/null || echo 2) + 1)))
unit: export SEEDS ?= 300
unit: export KILLS ?= 1
unit: export MUTATED_FILES ?= 50
unit: setup  ## The tests that need neither broker nor browser, on every core; fewer seeds and examples than `make test`.
	@$(BIN)/pytest -m "not broker and not browser" -n $(WORKERS) --dist worksteal --hypothesis-profile unit

test-pythons: setup  ## The same under other Pythons; PYTHONS="3.12 /path/to/python3.14".
	@PYTHONS="$(PYTHONS)" deploy/test-pythons

test: lint  ## Everything; ends with the summary of the tests.
	@deploy/faketime || true
	@$(BIN)/pytest

lock:  ## Write the locks anew from pyproject.toml (needs uv).
	@deploy/lock

clean:  ## Remove what the other targets made here, the data included.
	@rm -rf .venv .pythons .bootstrap .payflow .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
