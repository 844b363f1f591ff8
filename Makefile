# The developer's whole story: `make help`.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
UV_VERSION := 0.13.8
VENV := .venv
# Processes of their own for each: the engines of several runtimes in one process with PyTorch's
# training have crashed it. Whoever tests one thing calls pytest itself.
LEARNING := tests/models/data tests/models/detection tests/models/training
TESTS := "tests/pipelines tests/components tests/agent" "$(LEARNING)" \
	"tests/models $(LEARNING:%=--ignore=%)"
# A process for each core, four at most, one thread in each: threads of several processes that wait
# for each other busily cost many times what they save.
PYTEST := OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n logical --maxprocesses 4 \
	--dist loadfile --no-loadscope-reorder --durations 12 --durations-min 10
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help install browser demo up down test test-all check format lock bench clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: $(INSTALLED) ## Make .venv with the locked packages and this checkout

$(INSTALLED): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Sightline needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@command -v git >/dev/null || { echo "Sightline needs git: agents fetch the code of a stage with it."; exit 1; }
	@echo "Installing the locked packages into $(VENV) (about 6 GB, most of it PyTorch) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

demo: install ## Start the stack and run a whole detection pipeline on it
	@$(BIN)/sightline up
	@$(BIN)/sightline run configs/demo.yaml --wait
	@echo "The stack is still up: 'make down' ends it, a second 'make demo' takes unchanged stages from cache."

up: install ## Start the embedded server and the agents
	@$(BIN)/sightline up

down: install ## End what 'make up' or 'make demo' started
	@$(BIN)/sightline down

browser:
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Chromium for the tests of pages ..."; \
		get="timeout 300 apt-get -qq -y -o DPkg::Lock::Timeout=120 install --no-install-recommends"; \
		export DEBIAN_FRONTEND=noninteractive; \
		$$get chromium chromium-driver >/dev/null 2>&1 || \
			{ timeout 120 apt-get -qq update && $$get chromium chromium-driver; } >/dev/null 2>&1 && exit 0; \
	fi; \
	echo "Chromium and its driver aren't here and can't be installed: the tests of pages are skipped."

test: install browser ## Run the tests
	@for part in $(TESTS); do $(PYTEST) -m "not slow" $$part || exit 1; done

test-all: install browser ## Run the long tests too: kill series, fuzzing, real trainings
	@for part in $(TESTS); do $(PYTEST) --timeout 3600 $$part || exit 1; done

check: install ## Lint, format check, types, one-way imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: install ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: install ## Resolve the dependencies of pyproject.toml anew into requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--upgrade --all-extras --group dev pyproject.toml -o requirements.lock

bench: install ## Run the benchmarks; each prints a small table
	@for file in tests/benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python $$file; done

clean: ## Remove the environment and the caches (not .sightline, which holds your runs)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist *.egg-info
	find . -name __pycache__ -type d -not -path './.sightline/*' -prune -exec rm -rf {} +
