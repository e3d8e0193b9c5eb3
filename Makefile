# The newcomer's commands. Everything they need is installed by them, under .venv/ and build/.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3.11
BUILD := build
UV := $(BUILD)/venvs/tools/bin/uv
BIN := .venv/bin
export PYTHONPATH := $(CURDIR):$(CURDIR)/layers:$(CURDIR)/container_runner
export UV_SYSTEM_CERTS := 1
export UV_LINK_MODE := hardlink
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 1
export JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION := 1

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# --- set-up -------------------------------------------------------------------------------------------------------

.PHONY: setup
setup: $(BUILD)/.system kernel .venv/.ready $(BUILD)/layer/.ready $(BUILD)/venvs/sidecar/.ready $(BUILD)/venvs/strategy/imports.pack

$(BUILD)/.system: infra/local/prerequisites.sh
	bash infra/local/prerequisites.sh $(PYTHON)
	@mkdir -p $(@D) && touch $@

$(UV): $(BUILD)/.system
	$(PYTHON) -m venv $(BUILD)/venvs/tools
	$(BUILD)/venvs/tools/bin/pip install --quiet --disable-pip-version-check uv==0.13.8
	@touch $@

.venv/.ready: requirements-dev.txt $(UV)
	$(UV) venv --quiet --clear --python $(PYTHON) .venv
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements-dev.txt
	@touch $@

# The engine's compiled part, in place: in the checkout, and so in the images' assets. Needs a C compiler and nothing else.
COMPILED := container_runner/tapedeck/engine/_kernel.so
.PHONY: kernel
kernel: $(COMPILED) ## Compile the engine
$(COMPILED): container_runner/compile.sh $(shell find container_runner/tapedeck -name '*.[ch]') | $(BUILD)/.system
	sh $<

# The layer as Lambda unpacks it: the very folder that the assembly deploys and that local workers import.
$(BUILD)/layer/.ready: layers/requirements.txt $(UV)
	rm -rf $(BUILD)/layer
	$(UV) pip install --quiet --target $(BUILD)/layer/python --python $(PYTHON) --python-version 3.11 \
	    --python-platform x86_64-manylinux2014 --only-binary :all: --require-hashes -r layers/requirements.txt
	@touch $@

# The two environments of a job's pod; inside a container either is mounted at /opt/venv.
$(BUILD)/venvs/%/.ready: container_runner/requirements-%.txt $(UV)
	$(UV) venv --quiet --clear --python $(PYTHON) $(@D)
	$(UV) pip sync --quiet --python $(@D)/bin/python --require-hashes $<
	echo /opt/tapedeck > $(@D)/lib/python3.11/site-packages/tapedeck.pth
	$(@D)/bin/python -m compileall -q $(@D)/lib || true
	@touch $@

# What every strategy starts with, to be imported out of one file.
$(BUILD)/venvs/strategy/imports.pack: $(BUILD)/venvs/strategy/.ready container_runner/sandbox/import_pack.py
	$(@D)/bin/python -B -m sandbox.import_pack sandbox.launcher sandbox.runner numpy.random pandas pyarrow.parquet

.PHONY: lock
lock: $(UV) ## Write the pinned requirement files from pyproject.toml
	lock() { $(UV) pip compile --quiet --python-version 3.11 --generate-hashes --custom-compile-command "make lock" "$$@"; }; \
	lock pyproject.toml -o requirements.txt; \
	lock pyproject.toml --group dev -o requirements-dev.txt; \
	lock --group layer --python-platform x86_64-manylinux2014 --only-binary :all: -o layers/requirements.txt; \
	for half in sidecar strategy; do lock --group $$half --python-platform x86_64-manylinux_2_28 --only-binary :all: \
	    -o container_runner/requirements-$$half.txt; done

# --- run ----------------------------------------------------------------------------------------------------------

.PHONY: synth demo up down doctor
synth: setup ## Synthesise the CDK app, offline, into build/cdk.out
	$(BIN)/python app.py

demo: setup ## Run the whole platform once on real data and show the report
	@$(BIN)/python -m infra.local.demo

up: setup ## Start the local stack and leave it running
	@$(BIN)/python -m infra.local up

down: ## End the local stack that `make up` left running
	@$(BIN)/python -m infra.local down

doctor: setup ## Say what this machine can do: sandbox engine, cgroups, ports, PostgreSQL
	@$(BIN)/python -m infra.local doctor

# --- test ---------------------------------------------------------------------------------------------------------

.PHONY: lint test test-fast bench
lint: setup ## ruff, mypy (strict) and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-fast: setup ## Tests that start no server, sandbox or stack: under two minutes
	$(BIN)/pytest tests/unit tests/infra

test: lint ## Everything
	$(BIN)/pytest

bench: setup ## Measure all; `make bench-NAME` one; writes benchmarks/results/latest.json
	$(BIN)/python -m benchmarks

bench-%: setup
	$(BIN)/python -m benchmarks $*
