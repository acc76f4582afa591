# Every door of the project. `make help` lists them. Nothing is installed outside .venv.

.DEFAULT_GOAL := help
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python -m
UV := $(BIN)/uv
INSTALL := $(UV) pip install --quiet --python $(BIN)/python

# The newest Python on PATH that the locks are known to work with and that can make an environment; PYTHON=… overrides.
PYTHON = $(shell for each in python3.14 python3.13 python3.12 python3.11 python3 python; do \
  $$each -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$each; break; }; done)

COUNT ?= 20
SERVE ?= 1
ARGS ?=
export CHAOS_MINUTES SEED

.PHONY: help
help: ## this list
	@echo "make DOOR [NAME=value …]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- setting up ------------------------------------------------------------------------------------------------------
# Each step leaves a stamp, so that a second run does nothing.

.PHONY: setup
setup: $(VENV)/.project ## install what running needs into .venv

.PHONY: setup-dev
setup-dev: $(VENV)/.project $(VENV)/.dev ## and what developing needs

.PHONY: setup-bench
setup-bench: setup-dev $(VENV)/.bench ## and what the bench compares with

$(VENV)/.bootstrap: requirements/bootstrap.lock
	@python="$(PYTHON)"; \
	if [ -z "$$python" ]; then \
	  echo "Careroute needs Python 3.11 or newer with its venv module, and found none on PATH." >&2; \
	  echo "On Debian or Ubuntu: apt-get install python3 python3-venv. Or name one: make PYTHON=/path/to/python3" >&2; \
	  exit 1; \
	fi; \
	echo "Setting up $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv $(VENV)
	@$(RUN) pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.lock
	@touch $@

$(VENV)/.runtime: requirements/runtime.lock $(VENV)/.bootstrap
	@echo "Installing the runtime packages"
	@$(INSTALL) --require-hashes -r requirements/runtime.lock
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.runtime
	@echo "Installing the development packages"
	@$(INSTALL) --require-hashes -r requirements/dev.lock
	@touch $@

$(VENV)/.bench: requirements/bench.lock $(VENV)/.runtime
	@echo "Installing the packages that the bench compares with"
	@$(INSTALL) --require-hashes -r requirements/bench.lock
	@touch $@

$(VENV)/.project: pyproject.toml $(VENV)/.runtime
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

# --- running ---------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: setup ## start everything, send COUNT=20 submissions, show what became of them, then serve (SERVE=0: end)
	@$(BIN)/careroute demo --count $(COUNT) $(if $(filter 0,$(SERVE)),--no-serve) $(ARGS)

.PHONY: up
up: setup ## start everything on this machine and serve until Ctrl-C
	@$(BIN)/careroute up $(ARGS)

# --- developing ------------------------------------------------------------------------------------------------------

# Modules are compiled once, not by each of the hundreds of processes that tests start, whatever the environment says.
COMPILED_ONCE := PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX="$(CURDIR)/$(VENV)/bytecode"

.PHONY: test
test: setup-dev ## run the tests; ARGS="tests/pipeline -k audit" chooses
	@$(COMPILED_ONCE) $(RUN) pytest -n 2 --dist worksteal $(ARGS)

# Package index hosts belong to a machine, not to the project. In brackets, so that this line does not name one.
HOSTS := py[p]i\.(org|python)|pythonhoste[d]\.org|npmj[s]\.(org|com)|^ *--?(extra-)?i(ndex-url)?[ =]+[a-z]+://

.PHONY: chaos
chaos: setup-dev ## break everything under load for CHAOS_MINUTES=5, with SEED=… (else a random one), then judge what is left
	@$(RUN) tests.chaos $(ARGS)

.PHONY: check
check: setup-dev ## style, types, import directions, templates, container files, schema, claims, no index hosts
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy
	$(BIN)/lint-imports
	$(BIN)/djlint templates/web templates/report --lint --check --quiet
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/hadolint Dockerfile
	$(RUN) migrations.check
	$(BIN)/careroute email check
	@if git grep --untracked -nIE '$(HOSTS)'; then echo "a package index host is named" >&2; exit 1; fi

.PHONY: format
format: setup-dev ## rewrite the sources in the project's style
	$(RUN) ruff check --fix
	$(RUN) ruff format
	$(BIN)/djlint templates/web templates/report --reformat --quiet

.PHONY: bench
bench: setup-bench ## measure Careroute beside others; ARGS="--help" tells what can be chosen
	@$(RUN) bench $(ARGS)

.PHONY: preview
preview: setup ## write every email as pages to look at; ARGS="--out DIR" says where
	@$(BIN)/careroute email preview $(ARGS)

.PHONY: snapshots
snapshots: setup-dev ## write down again what the emails say, to be reviewed as a diff
	@$(RUN) tests.pipeline.email.snapshots

.PHONY: data-flow
data-flow: setup ## write docs/data-flow.md again, from the classes of data in the code
	@$(RUN) tools.data_flow

.PHONY: screenshots
screenshots: setup-dev ## take the pictures of pages and emails again, at phone and desktop width
	@$(RUN) tests.screenshots $(ARGS)

COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate

.PHONY: lock
lock: $(VENV)/.bootstrap ## choose package versions again; ARGS=--upgrade takes the newest
	$(COMPILE) $(ARGS) pyproject.toml -o requirements/runtime.lock
	$(COMPILE) $(ARGS) --group dev pyproject.toml -c requirements/runtime.lock -o requirements/dev.lock
	$(COMPILE) $(ARGS) --group bench -c requirements/runtime.lock -o requirements/bench.lock
	$(COMPILE) $(ARGS) requirements/bootstrap.in -c requirements/dev.lock -o requirements/bootstrap.lock

.PHONY: clean
clean: ## remove the environment and the caches; var/, which holds data, stays
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
