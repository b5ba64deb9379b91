# What people and CI do here. Each target does all its own set-up; `make` alone lists them.

PYTHON ?= python3
# Two cores carry two workers; every worker starts servers of its own on free ports, and a file stays on one worker.
WORKERS ?= 2
# More arguments for pytest: make test PYTEST_ARGS="-k propagation"
PYTEST_ARGS ?=
# How many renewals, and which: make soak SOAK_ARGS="--renewals 50 --seed 7"
SOAK_ARGS ?=

BIN := .venv/bin
SET_UP := .venv/.set-up

.DEFAULT_GOAL := help
.PHONY: help demo test check soak bench docs lock clean debian

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile

demo: $(SET_UP) ## one certificate from a CA and name servers on this machine, in under a minute
	@$(BIN)/python -m tests.lab.demo

test: check ## check, then all tests, on real servers that they start and stop
	$(BIN)/pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

check: $(SET_UP) ## lint, format, types, import layers, public names
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest -q tests/unit/test_layers.py tests/unit/test_public_names.py

soak: $(SET_UP) ## 500 renewals at real servers while everything goes wrong at random; it prints its seed
	@$(BIN)/python -m tests.kit.soak $(SOAK_ARGS)

bench: $(SET_UP) ## the figures in docs/, measured on this machine
	@$(BIN)/python -m bench

docs: $(SET_UP) ## the generated pages of docs/ made anew
	@$(BIN)/python -m docs.generate

# Without the environment's own index, links and constraints: the lock must be the same wherever it is made.
lock: debian ## requirements.lock made anew, with the newest versions that pyproject.toml allows
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	$(PYTHON) -m venv "$$folder" && \
	"$$folder/bin/pip" install --quiet --disable-pip-version-check uv && \
	env -u UV_CONSTRAINT -u UV_OVERRIDE -u UV_FIND_LINKS "$$folder/bin/uv" pip compile --quiet --no-config --system-certs \
	  --universal --python-version 3.11 --upgrade --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" --extra route53 --group dev pyproject.toml --output-file requirements.lock && \
	if grep -nE '://|^ *--(index|extra|find|trusted)|(^|[ =])/' requirements.lock; then \
	  echo "requirements.lock holds an address or a path of this machine (above)" >&2; exit 1; fi

clean: ## removes all that the targets made
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Always looked at, never a reason to set up again (order-only below).
debian:
	@PYTHON="$(PYTHON)" .ci/debian-packages

# hatchling is in the lock, so that nothing without a hash is installed.
$(SET_UP): requirements.lock pyproject.toml | debian
	@echo "Setting up .venv (only when requirements.lock or pyproject.toml change) …"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-input --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-input --no-deps --no-build-isolation -e .
	@touch $@
