# Everything a checkout needs: `make demo`, `make test`, `make lint`, ... All of it lives in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Tests of code that also works as plain Python; numba hides compiled lines from coverage. The rest
# needs the compiler: its structs and its machine code of ops and layers have no Python form.
# Failures (slower processes are killed too early, say) leave lines uncounted, no more.
PLAIN := tests/search tests/evolution/test_population.py

.PHONY: help install demo cells release test coverage lint docs clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*## /\t/'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; set PYTHON=python3.12, say"; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
		|| { echo "no venv: on Debian, apt install python3-venv"; rm -rf $(VENV); exit 1; }

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test,lint]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-%: pyproject.toml | $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$*]'
	@touch $@

install: $(VENV)/.installed  ## create .venv and install the engine into it

demo: install  ## discover a learning algorithm from nothing on real data (under 3 minutes)
	$(BIN)/zero run quickstart

cells: install  ## evolve a small image network for handwritten digits (some 4 minutes; OPTIONS='--set ...': less)
	$(BIN)/zero run amoebanet_digits $(OPTIONS)

release:  ## build sdist and wheel into dist/ and try them in a bare environment (OPTIONS='PYTHONS="python3.12 python3.13"')
	$(OPTIONS) .ci/release

test: $(VENV)/.installed-dev  ## run the whole test suite
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --durations 40 --durations-min 5

coverage: $(VENV)/.installed-coverage  ## which lines no test executes (takes longer than the tests)
	rm -f .coverage .coverage.*
	-NUMBA_DISABLE_JIT=1 COVERAGE_FILE=.coverage.plain $(BIN)/python -m pytest -q -W ignore::RuntimeWarning \
		--cov=zero --cov-report= $(PLAIN)
	-COVERAGE_FILE=.coverage.compiled $(BIN)/python -m pytest -q -n 2 --dist loadfile --cov=zero --cov-report=
	$(BIN)/coverage combine
	$(BIN)/coverage report

lint: $(VENV)/.installed-dev  ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.installed-docs  ## build the documentation site into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean:  ## remove the environment and caches
	rm -rf $(VENV) build dist site *.egg-info .pytest_cache .ruff_cache .mypy_cache .coverage .coverage.*
