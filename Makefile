# `make generate` and `make test` on a fresh clone do all set-up: a virtual environment in .venv with pinned versions.
PYTHON ?= python3
BIN := .venv/bin
PROMPT ?= a red apple, flat icon
.DEFAULT_GOAL := help

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-10s %s\n", $$1, $$2}'

# torch comes first, alone and pinned: that finds the CPU build where there is one.
.venv/core: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check $$(grep '^torch==' constraints.txt) numpy --constraint constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --editable . --constraint constraints.txt
	@touch $@

.venv/development: .venv/core
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[development]' --constraint constraints.txt
	@touch $@

.PHONY: generate
generate: .venv/core ## make a picture: make generate PROMPT="a red apple"
	@$(BIN)/mezzotint generate "$(PROMPT)" --out out/picture.png

.PHONY: test
test: .venv/development ## the tests
	$(BIN)/python -m pytest -q -m "not slow and not gpu" -n 2

.PHONY: test-slow
test-slow: .venv/development ## kill tests and everything else that takes minutes
	$(BIN)/python -m pytest -q -m "slow"

.PHONY: check
check: .venv/development ## format, lint, types, import order
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: parity
parity: .venv/development ## measure the differences from diffusers; writes docs/parity.md
	$(BIN)/python -m tests.parity

.PHONY: bench
bench: .venv/development ## speed beside diffusers; writes docs/benchmarks.md
	$(BIN)/python -m benchmarks.network --write docs/benchmarks.md
	$(BIN)/python -m benchmarks.inference --write docs/benchmarks.md
