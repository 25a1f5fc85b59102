# What can be done here. `make` lists it; everything a target needs is installed on first use.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

HOST ?= 127.0.0.1
PORT ?= 8501
WORKERS ?= logical
SBOM ?= sbom.json
BIN := .venv/bin
# Stamps: what was installed from which lock file. A changed lock file is installed at the next use.
RUN := .venv/.installed-run
DEV := .venv/.installed-dev

SERVE = exec $(BIN)/streamlit run dashboard.py --server.address=$(HOST) --server.port=$(PORT) --server.headless=true $(if $(ARGS),-- $(ARGS))
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
# A catalogue is compiled whenever its translations are newer.
MO = $(patsubst %.po,%.mo,$(wildcard messages/locale/*/LC_MESSAGES/*.po))
PYTEST = $(BIN)/pytest -n $(WORKERS) --dist loadgroup
# The programs that some tests need: installed if missing.
PROGRAMS = chromium="$$(.ci/chromium)" && CHROMIUM="$$chromium" PG_CTL="$$(.ci/postgresql)" JAVA_HOME="$$(.ci/java)"

.PHONY: help run demo test test-fast coverage lint typecheck format messages lock sbom licenses audit world bench clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(RUN) $(MO) ## Serve the dashboard for migration.toml, or the demo without one (HOST=127.0.0.1 PORT=8501 ARGS=--insecure)
	$(SERVE)

demo: $(RUN) $(MO) ## Serve the demo, even if there is a migration.toml (HOST=127.0.0.1 PORT=8501)
	MIGRATION_DEMO=1 $(SERVE)

test: $(DEV) $(MO) ## Run all tests, in the browser too; installs Chromium, PostgreSQL and Java if they are missing (ARGS='-k name' WORKERS=logical)
	$(PROGRAMS) $(PYTEST) $(ARGS)

test-fast: $(DEV) $(MO) ## Run the tests that need no browser, PostgreSQL or Java and take no long time (ARGS='-k name')
	PG_CTL=none $(PYTEST) -m 'not browser and not postgresql and not spark and not slow' $(ARGS)

coverage: $(DEV) $(MO) ## Run all tests and report the branch coverage of the program
	$(PROGRAMS) $(PYTEST) --cov --cov-branch --cov-report=term:skip-covered $(ARGS)

lint: $(DEV) typecheck ## Check format, style, types, the direction of imports and the Dockerfile
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile

typecheck: $(DEV) ## Check the types
	$(BIN)/mypy

format: $(DEV) ## Format the code, and fix what can be fixed automatically
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

messages: $(RUN) ## Extract all texts into the catalogues of messages/locale/, compile them, and list what is not translated
	$(BIN)/python -m messages.catalogues

lock: $(DEV) ## Pin requirements*.in into requirements*.txt, with hashes (ARGS=--upgrade for the newest)
	$(LOCK) $(ARGS) requirements.in --output-file requirements.txt
	$(LOCK) $(ARGS) requirements-otel.in --output-file requirements-otel.txt
	$(LOCK) $(ARGS) requirements-jsonnet.in --output-file requirements-jsonnet.txt
	$(LOCK) $(ARGS) requirements-auth.in --output-file requirements-auth.txt
	$(LOCK) $(ARGS) requirements-dev.in --output-file requirements-dev.txt

sbom: $(DEV) ## Write the locked packages as a CycloneDX bill of materials (SBOM=sbom.json)
	PYTHONWARNINGS=ignore $(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --of JSON --output-file $(SBOM) requirements.txt

licenses: $(DEV) ## Write the licences of the locked packages into docs/LICENSES.md, from the metadata of what is installed
	@PIP_LICENSES=$(BIN)/pip-licenses .ci/licenses requirements.txt requirements-otel.txt requirements-jsonnet.txt > docs/LICENSES.md

audit: $(DEV) ## Look up known vulnerabilities of the locked packages; needs network access
	@PIP_AUDIT=$(BIN)/pip-audit .ci/audit requirements.txt requirements-otel.txt requirements-jsonnet.txt requirements-auth.txt

world: $(DEV) ## Run a loopback AWS and Mackerel for the dashboard (ARGS=--help)
	$(BIN)/python -m tests.fakes $(ARGS)

bench: $(DEV) ## Measure the Live page beside a naive one, and print the figures
	$(BIN)/python -m benchmarks.live $(ARGS)

clean: ## Remove the virtual environment and all caches; archives and migration.toml stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN): requirements.txt | $(BIN)/pip
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.txt
	touch $@

$(DEV): requirements-dev.txt $(RUN)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.txt
	touch $@

%.mo: %.po | $(RUN)
	$(BIN)/python -m messages.catalogues --compile
	touch $@

$(BIN)/pip:
	@.ci/venv .venv
