# BrainGranary on one machine. `make help` lists what there is; nothing but python3 (3.11 or newer) and make is needed.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
STATE ?= .state
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# A folder of wheels of one's own is looked at only if the environment names one; it may hold torch without CUDA.
FIND_LINKS := $(if $(PIP_FIND_LINKS),--find-links "$(PIP_FIND_LINKS)")
TORCH ?= $(if $(wildcard $(PIP_FIND_LINKS:%=%/torch-*+cpu-*)),torch-cpu,torch)
REQUIREMENTS := requirements/$(TORCH).txt requirements/dev.txt
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python $(FIND_LINKS)
SOURCES := plugins/braingranary dags spark_jobs serving tests
PYTEST := $(BIN)/pytest --durations=15
# Each of these starts several services of its own, so they run one after the other.
SERIAL := spark or e2e or browser or chaos or containers
SERVERS := stack or $(SERIAL)
WORKERS ?= 2

.PHONY: help demo stop status test test-long unit lint format bench train lock sbom dist clean venv debian
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r target text; do \
		printf '  make %-9s %s\n' "$$target" "$$text"; done
	@echo '  DATA=<folder> VERSION=<name>, and WORK=<folder> for checkpoints, are what `make train` takes; it resumes'
	@echo '  DICOM=<folder>, or ARCHIVE=tcia COLLECTION=<name> LIMIT=<n>, choose what `make demo` ingests'

venv: $(READY)
$(READY): $(REQUIREMENTS) requirements/uv.txt pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Python 3.11 or newer is needed: make PYTHON=<program>' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo 'Python has no venv here: install it (Debian: apt-get install python3-venv)' >&2; exit 1; }
	@test -x $(BIN)/python || { echo 'Making $(VENV) ...'; $(PYTHON) -m venv $(VENV); }
	@echo 'Installing the locked requirements ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@$(UV) --require-hashes --compile-bytecode -r requirements/$(TORCH).txt
	@$(UV) --require-hashes --compile-bytecode -r requirements/dev.txt
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

unit: $(READY) ## the tests that need no server, in under two minutes
	$(PYTEST) -n $(WORKERS) --dist loadscope -m 'not ($(SERVERS) or slow or long or realdata or bench or gpu)' tests/unit tests/dags

# Every part runs to its end, so that one failure does not hide the next; the first failure is the status.
test: $(READY) debian ## lint, then every test
	$(MAKE) lint
	@status=0; \
	$(PYTEST) -n $(WORKERS) --dist loadscope -m 'not bench and not gpu and not long and not ($(SERIAL))' || status=$$?; \
	$(PYTEST) -m 'not bench and not gpu and not long and ($(SERIAL))' || { second=$$?; test $$second -eq 5 || status=$$second; }; \
	exit $$status

# The hostile cases that `make test` shortens, in full.
FULL := GRANARY_TEST_PENDING_RUNS=5000 GRANARY_TEST_REFUSED_UPLOADS=100 GRANARY_TEST_SERIES_MB=4300
FULL_CASES := tests/hostile/test_case_32_refused_uploads.py tests/hostile/test_case_38_long_history.py \
	tests/unit/normalization/test_large_series.py
test-long: $(READY) debian ## what takes longer than `make test` may: each crash point, long histories
	@status=0; \
	$(PYTEST) -m 'long and not bench and not gpu' || status=$$?; \
	$(FULL) $(PYTEST) --timeout 3600 $(FULL_CASES) || status=$$?; \
	exit $$status

bench: $(READY) ## measure against the peers; prints ratios
	$(PYTEST) -m bench -s tests/bench
	$(BIN)/python -m tests.bench.render

# Of Debian: a browser and a proxy to test with. Without them the tests that need them say that they skip.
DEBIAN := chromium nginx
debian:
	@missing=; for program in $(DEBIAN); do PATH="$$PATH:/usr/sbin" command -v $$program >/dev/null || missing+=" $$program"; done; \
	if test -n "$$missing" -a "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; } \
			>/dev/null 2>&1 || echo "not installed:$$missing; the tests that need it will say that they skip"; fi

# The work folder keeps checkpoints, weights, figures and the model card; the same command again goes on from there.
WORK ?= $(STATE)/detector/$(VERSION)
train: $(READY) ## train and judge the tumour detector on a folder of data
	@test -n '$(DATA)' -a -n '$(VERSION)' || { echo 'make train DATA=<folder> VERSION=<name> [WORK=<folder>]' >&2; exit 2; }
	@mkdir -p '$(WORK)'
	@$(BIN)/python -m braingranary.detector train '$(DATA)' '$(WORK)' --version '$(VERSION)'
	@$(BIN)/python -m braingranary.detector evaluate '$(DATA)' '$(WORK)' --card '$(WORK)/model-card.md'
	@echo 'Register it: granary model register $(WORK)/all.safetensors'

# pyproject.toml says what is needed. torch is resolved apart, because its builds with and without CUDA need different
# packages: `without-torch.txt` takes it out of the others. The build without CUDA is looked for in PIP_FIND_LINKS.
RESOLVE := ../$(BIN)/uv pip compile --quiet --generate-hashes --annotation-style line --python-version 3.11 \
	--custom-compile-command 'make lock'
UPGRADED := $(if $(UPGRADE),--upgrade)
lock: $(READY) ## resolve pyproject.toml into requirements/*.txt anew; UPGRADE=1 takes newer versions
	cd requirements; \
	$(RESOLVE) $(UPGRADED) --override without-torch.txt --all-extras --group ../pyproject.toml:dev -o dev.txt ../pyproject.toml; \
	for extra in airflow spark serving; do \
		$(RESOLVE) --override without-torch.txt -c dev.txt --extra $$extra -o $$extra.txt ../pyproject.toml; done; \
	$(RESOLVE) -c dev.txt -o uv.txt - <<<uv; \
	torch=$$(sed -n 's/^ *"\(torch==[0-9.]*\)".*/\1/p' ../pyproject.toml); \
	$(RESOLVE) -c dev.txt -o torch.txt - <<<"$$torch"; \
	if test $(TORCH) = torch-cpu; then $(RESOLVE) $(FIND_LINKS) -c dev.txt -o torch-cpu.txt - <<<"$$torch+cpu"; fi

sbom: $(READY) ## write build/sbom-<name>.json (CycloneDX) of every file of locked requirements
	@mkdir -p build
	@for file in airflow dev serving spark torch torch-cpu; do \
		$(BIN)/python -W ignore::UserWarning -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible -o build/sbom-$$file.json \
			requirements/$$file.txt && echo build/sbom-$$file.json; done

dist: $(READY) ## build the wheel and the source archive into dist/
	@$(BIN)/python -m hatchling build --directory dist

clean: stop ## end everything, then remove state, caches and .venv; asks first, YES=1 does not
	@if test -x $(BIN)/granary; then $(BIN)/granary clean $(if $(YES),--yes) --state '$(STATE)'; fi
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis artifacts build dist spark-warehouse
