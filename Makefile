# BrainGranary on one machine. `make help` lists what there is; nothing but python3 (3.11 or newer) and make is needed.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
UV_VERSION := 0.13.9
TORCH_VERSION := $(shell sed -n 's/^torch==\([0-9.]*\).*/\1/p' requirements/dev.txt)
STATE ?= .state
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
REQUIREMENTS := requirements/dev.txt
# A folder of wheels of one's own is looked at only if the environment names one.
FIND_LINKS := $(if $(PIP_FIND_LINKS),--find-links "$(PIP_FIND_LINKS)")
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python $(FIND_LINKS)
SOURCES := plugins/braingranary dags spark_jobs serving tests
PYTEST := $(BIN)/pytest --durations=15
# Each of these starts several services of its own, so they run one after the other.
SERIAL := spark or e2e or browser or chaos or containers
WORKERS ?= 2

.PHONY: help demo stop status test lint format bench train lock clean venv chromium
help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r target text; do \
		printf '  make %-8s %s\n' "$$target" "$$text"; done
	@echo '  DATA=<folder> VERSION=<name>, and WORK=<folder> for checkpoints, are what `make train` takes; it resumes'
	@echo '  DICOM=<folder>, or ARCHIVE=tcia COLLECTION=<name> LIMIT=<n>, choose what `make demo` ingests'

venv: $(READY)
$(READY): $(REQUIREMENTS) pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Python 3.11 or newer is needed: make PYTHON=<program>' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo 'Python has no venv here: install it (Debian: apt-get install python3-venv)' >&2; exit 1; }
	@test -x $(BIN)/python || { echo 'Making $(VENV) ...'; $(PYTHON) -m venv $(VENV); }
	@# torch before all else: its own version finds the wheel without CUDA where pip is pointed at one.
	@echo 'Installing the locked requirements ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) torch==$(TORCH_VERSION)
	@$(UV) --compile-bytecode -r $(REQUIREMENTS)
	@$(UV) --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY) ## start everything, ingest, and show the result; stays up
	@$(BIN)/granary demo --state '$(STATE)' $(if $(DICOM),--dicom '$(DICOM)') $(if $(ARCHIVE),--archive '$(ARCHIVE)') \
		$(if $(COLLECTION),--collection '$(COLLECTION)') $(if $(LIMIT),--limit '$(LIMIT)')

stop: ## end every process that `make demo` started
	@if test -x $(BIN)/granary; then $(BIN)/granary stop --state '$(STATE)'; else echo 'nothing was installed'; fi

status: $(READY) ## list the processes of the demo
	@$(BIN)/granary status --state '$(STATE)'

lint: $(READY) ## style, types, rooms and SQL
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint sql

format: $(READY) ## put the code into form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/sqlfluff fix sql

# Every part runs to its end, so that one failure does not hide the next; the first failure is the status.
test: $(READY) chromium ## lint, then every test
	$(MAKE) lint
	@status=0; \
	$(PYTEST) -n $(WORKERS) --dist loadscope -m 'not bench and not gpu and not ($(SERIAL))' || status=$$?; \
	$(PYTEST) -m 'not bench and not gpu and ($(SERIAL))' || { second=$$?; test $$second -eq 5 || status=$$second; }; \
	exit $$status

bench: $(READY) ## measure against the peers; prints ratios
	$(PYTEST) -m bench -s tests/bench
	$(BIN)/python -m tests.bench.render

chromium:
	@if ! command -v chromium >/dev/null && test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } \
			>/dev/null 2>&1 || echo 'chromium could not be installed: tests in a browser will say that they skip'; fi

# The work folder keeps checkpoints, weights, figures and the model card; the same command again goes on from there.
WORK ?= $(STATE)/detector/$(VERSION)
train: $(READY) ## train and judge the tumour detector on a folder of data
	@test -n '$(DATA)' -a -n '$(VERSION)' || { echo 'make train DATA=<folder> VERSION=<name> [WORK=<folder>]' >&2; exit 2; }
	@mkdir -p '$(WORK)'
	@$(BIN)/python -m braingranary.detector train '$(DATA)' '$(WORK)' --version '$(VERSION)'
	@$(BIN)/python -m braingranary.detector evaluate '$(DATA)' '$(WORK)' --card '$(WORK)/model-card.md'
	@echo 'Register it: granary model register $(WORK)/all.safetensors'

# What CUDA brings along depends on the machine that resolves; torch itself says what it needs when it is installed.
lock: $(READY) ## resolve requirements/*.in anew
	cd requirements && for name in dev airflow spark serving; do \
		sed -i '/^torch==/d' "$$name.txt"; \
		../$(BIN)/uv pip compile --quiet $(FIND_LINKS) --annotation-style line --no-header --no-emit-find-links \
			--python-version 3.11 $$(test $$name = dev || echo '--constraints dev.txt') -o "$$name.txt" "$$name.in"; \
		sed -i -e 's/^torch==\([0-9.]*\)+cpu/torch==\1/' -e '/^\(nvidia-\|cuda-\|triton\)/d' "$$name.txt"; done

clean: stop ## end everything, then remove state, caches and .venv
	@if test -x $(BIN)/granary; then $(BIN)/granary clean --state '$(STATE)'; fi
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis artifacts spark-warehouse
