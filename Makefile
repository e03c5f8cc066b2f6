# The verbs of this repository. `make` alone lists them.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
ARGS   ?=
LITELLM_VENV ?= $(or $(TMPDIR),/tmp)/budget-litellm

# Compiled code is kept: else each of the processes that tests start compiles everything again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test check bench agreement faults litellm clean

help: ## Show this list
	@echo "Usage: make <verb> [ARGS='...'] [PYTHON=python3.12]"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/installed ## Start the service on http://127.0.0.1:8013 (ARGS="--port 9000" and the like)
	@$(BIN)/budget serve $(ARGS)

test: $(VENV)/installed-dev ## Run the tests, on SQLite and PostgreSQL (ARGS="-k windows")
	@$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/installed-dev ## Lint, formatting, types, and which floor may import which
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: $(VENV)/installed-dev ## Measure speed and memory; prints the figures with the machine and the date
	@$(BIN)/python -m benchmarks $(ARGS)

agreement: $(VENV)/installed-dev ## Compare our prices with those of LiteLLM (ARGS=map.json)
	@$(BIN)/python -m benchmarks.agreement $(ARGS)

faults: $(VENV)/installed-dev ## Run the long tests too: crashes, races, thousands of random histories
	@$(BIN)/python -m pytest --faults -n 2 --dist loadfile $(ARGS)

litellm: $(VENV)/installed-dev ## Try our callback in LiteLLM's own proxy, in a venv of its own (LITELLM_VENV)
	@test -x $(LITELLM_VENV)/bin/litellm || { $(PYTHON) -m venv $(LITELLM_VENV) && \
	  $(LITELLM_VENV)/bin/python -m pip install --quiet 'litellm[proxy]==1.108.7'; }
	@$(LITELLM_VENV)/bin/python -m pip install --quiet msgspec
	@LITELLM_VENV=$(LITELLM_VENV) $(BIN)/python -m pytest --faults tests/neighbours/litellm $(ARGS)

clean: ## Remove the environment, builds and caches; ledgers stay
	rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

$(VENV)/created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Budget needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name another one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Creating $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/installed: $(VENV)/created pyproject.toml
	@echo "Installing Budget ..."
	@$(PIP) install --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@echo "Installing what tests and checks need ..."
	@$(PIP) install --group dev
	@touch $@
