# What people and CI do here. Each target does all its own set-up; `make` alone lists them.

PYTHON ?= python3
# Tests wait for servers, so two cores carry five workers. Every worker starts servers of its own on free ports, and a file stays on one worker.
WORKERS ?= 5
# Temporary files are in memory where it has room: tests sync thousands of them, which takes a fifth of their time on a disk.
MEMORY := $(shell findmnt -nbo OPTIONS,AVAIL /dev/shm 2>/dev/null | awk '{ fits = !/noexec/ && $$2 > 2e9 } END { if (fits) print "/dev/shm" }')
# More arguments for pytest: make test PYTEST_ARGS="-k propagation"
PYTEST_ARGS ?=
# podman or docker, whichever is there, or buildah: make image BUILDER=buildah
BUILDER ?= $(or $(shell command -v podman || command -v docker),podman)
# More arguments for it: make image IMAGE_ARGS="--build-arg BASE=docker.io/library/python:3.14-slim-trixie"
IMAGE_ARGS ?=
# How many renewals, and which: make soak SOAK_ARGS="--renewals 50 --seed 7"
SOAK_ARGS ?=
# How many seconds texts of others are made up for every parser: make soak FUZZ_SECONDS=60
FUZZ_SECONDS ?= 600

# Containers often set it: then each of the thousand programs that tests start would compile the package anew.
export PYTHONDONTWRITEBYTECODE :=

BIN := .venv/bin
SET_UP := .venv/.set-up
DEMO := build/demo
DEMO_SET_UP := $(DEMO)/.set-up
TOOLS := build/tools
TOOLS_SET_UP := $(TOOLS)/.set-up
SITE := build/site-tools
SITE_SET_UP := $(SITE)/.set-up

.DEFAULT_GOAL := help
.PHONY: help debian-demo demo test quick test-all lint check soak bench bench-fleet docs site lock sbom wheel publishable image audit clean debian

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile

demo: $(DEMO_SET_UP) ## one certificate from a CA and name servers on this machine, in under a minute
	@$(DEMO)/bin/python -m tests.lab.demo

# The tests that check has besides are among all tests.
# Meanwhile pytest compiles the tests, which each worker would do for itself.
test: debian $(SET_UP) ## lint, format and types, then all tests, on real servers that they start and stop
	@$(BIN)/pytest --collect-only -qq >/dev/null 2>&1 & $(MAKE) --no-print-directory lint; status=$$?; wait; exit $$status
	TMPDIR="$${TMPDIR:-$(MEMORY)}" $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

quick: debian $(SET_UP) ## the unit tests that are nearest to what changed beside main, in a minute
	@$(BIN)/python -m tests.kit.quick $(PYTEST_ARGS)

test-all: ## the tests that need no servers, with every Python from 3.11 on that this machine has
	@WORKERS=$(WORKERS) $(PYTHON) .ci/test_all.py $(PYTEST_ARGS)

lint: $(SET_UP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

check: lint ## lint, format, types, import layers, public names
	$(BIN)/pytest -q tests/unit/test_layers.py tests/unit/test_public_names.py

soak: debian $(SET_UP) ## the tests marked slow, those with made-up values at length, 1,000 renewals of a server under load, then 500 at real servers while everything goes wrong; it prints its seed
	DNSRENEW_FUZZ_SECONDS=$(FUZZ_SECONDS) DNSRENEW_EXAMPLES=500 $(BIN)/pytest -m "slow or hypothesis" -n $(WORKERS) --dist loadfile
	@$(BIN)/python -m tests.kit.serving_soak
	@$(BIN)/python -m tests.kit.soak $(SOAK_ARGS)

bench: debian $(SET_UP) ## the figures in docs/, measured on this machine
	@$(BIN)/python -m bench

bench-fleet: debian $(SET_UP) ## the figures of a fleet of 100,000 certificates, measured on this machine in half an hour
	@$(BIN)/python -m bench.fleet

docs: debian $(SET_UP) ## the generated pages of docs/ made anew
	@$(BIN)/python -m docs.generate

site: $(SITE_SET_UP) ## the documents as a site, in build/site
	@$(SITE)/bin/zensical build --clean --strict

# Without the environment's own index, links and constraints: the locks must be the same wherever they are made.
COMPILE := env -u UV_CONSTRAINT -u UV_OVERRIDE -u UV_FIND_LINKS $(TOOLS)/bin/uv pip compile --quiet --no-config \
	--system-certs --universal --python-version 3.11 --upgrade --generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock"

lock: debian $(TOOLS_SET_UP) ## the locks made anew, with the newest versions that pyproject.toml allows
	@$(COMPILE) --extra route53 --group dev pyproject.toml --output-file requirements.lock
	@$(COMPILE) .ci/tools.in --output-file .ci/tools.lock
	@$(COMPILE) --extra route53 --constraint requirements.lock pyproject.toml --output-file .ci/image.lock
	@$(COMPILE) --group pyproject.toml:site --output-file .ci/site.lock
	@if grep -nE '://|^ *--(index|extra|find|trusted)|(^|[ =])/' requirements.lock .ci/*.lock; then \
	  echo "A lock holds an address or a path of this machine (above)" >&2; exit 1; fi

sbom: $(SET_UP) $(TOOLS_SET_UP) ## all that the wheel depends on, as CycloneDX, in dist/
	@$(TOOLS)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible $(BIN)/python \
	  | $(BIN)/python .ci/sbom.py dist

wheel: $(SET_UP) $(TOOLS_SET_UP) ## the wheel, with that list in it, in dist/
	@rm -f dist/dnsrenew-*.whl
	@sbom=$$($(MAKE) --silent --no-print-directory sbom) && DNSRENEW_SBOM="$$sbom" $(BIN)/python -m build --wheel --no-isolation
	@$(BIN)/python .ci/check_wheel.py dist/dnsrenew-*.whl

publishable: wheel ## the sdist beside that wheel, and a check of both: same bytes, metadata, types, every Python
	@rm -f dist/dnsrenew-*.tar.gz
	@$(BIN)/python .ci/publishable.py $(TOOLS)/bin

# The format: OCI's own has no health check.
image: wheel ## the container image dnsrenew, from that wheel, with podman, docker or buildah
	@BUILDAH_FORMAT=docker $(BUILDER) build --file Containerfile --tag dnsrenew \
	  --build-arg BASE="$$(sed -n 's/^FROM //p' .ci/base/Containerfile)" $(IMAGE_ARGS) .

audit: $(TOOLS_SET_UP) ## known vulnerabilities in requirements.lock; says so if the data cannot be reached
	@$(PYTHON) .ci/audit.py $(TOOLS)/bin/pip-audit requirements.lock

clean: ## removes all that the targets made
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The servers that tests start. What only builds or reads needs none of them: a host that makes an image gets no packages.
debian:
	@PYTHON="$(PYTHON)" .ci/debian-packages

debian-demo:
	@PYTHON="$(PYTHON)" .ci/debian-packages demo

# Only what dnsrenew itself needs; the code is used where it is.
$(DEMO_SET_UP): .ci/image.lock | debian-demo
	@echo "Setting up $(DEMO) (only the first time) …"
	@$(PYTHON) -m venv --clear $(DEMO)
	@$(DEMO)/bin/pip install --quiet --disable-pip-version-check --no-input --require-hashes -r .ci/image.lock
	@touch $@

# hatchling is in the lock, so that nothing without a hash is installed.
$(SET_UP): requirements.lock pyproject.toml
	@echo "Setting up .venv (only when requirements.lock or pyproject.toml change) …"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-input --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-input --no-deps --no-build-isolation -e .
	@touch $@

$(TOOLS_SET_UP): .ci/tools.lock
	@echo "Setting up $(TOOLS) (only when .ci/tools.lock changes) …" >&2
	@$(PYTHON) -m venv --clear $(TOOLS)
	@$(TOOLS)/bin/pip install --quiet --disable-pip-version-check --no-input --require-hashes -r .ci/tools.lock
	@touch $@

$(SITE_SET_UP): .ci/site.lock
	@echo "Setting up $(SITE) (only when .ci/site.lock changes) …" >&2
	@$(PYTHON) -m venv --clear $(SITE)
	@$(SITE)/bin/pip install --quiet --disable-pip-version-check --no-input --require-hashes -r .ci/site.lock
	@touch $@
