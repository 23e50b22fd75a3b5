# One runner for everything: what CI runs is what a person runs. `make` lists the tasks.
#
# PYTHON=python3.12   the interpreter that .venv is made with (3.11 or newer)
# ARGS="-k tanh"      more arguments for pytest

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
TYPES := .venv-types
TYPES_PIP := $(TYPES)/bin/python -m pip --disable-pip-version-check

# The matrices are small: threads of BLAS would only be in the way of the other process.
test docs mutants alarms bench: export OPENBLAS_NUM_THREADS := 1

.PHONY: help demo test lint types docs mutants alarms bench clean

help:
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.installed ## see what the lecture claims, measured: writes out/tour/index.html
	$(BIN)/tinygrad-seq tour
	@echo "The report: out/tour/index.html (open it in a browser)"

test: $(VENV)/.dev ## run the test suite, with the examples in docstrings and README
	$(BIN)/pytest --numprocesses=auto --dist=loadgroup $(ARGS)

lint: $(VENV)/.dev ## read the code with ruff
	$(BIN)/ruff check .

types: $(VENV)/.dev $(TYPES)/.made ## build the wheel, install it in an environment of its own, check its types
	@rm -rf build
	$(PIP) wheel --quiet --no-deps --no-build-isolation --wheel-dir build/wheel .
	$(TYPES_PIP) install --quiet "$$(echo build/wheel/*.whl)[tui,testing]"
	$(TYPES_PIP) install --quiet --force-reinstall --no-deps build/wheel/*.whl
	cd $(TYPES) && ../$(BIN)/mypy --config-file ../pyproject.toml --python-executable bin/python --package tinygrad_seq

docs: $(VENV)/.dev ## run every example that a reader meets, draw docs/gallery and docs/sessions anew, write the API pages to out/docs
	$(BIN)/pytest tests/test_examples.py $(ARGS)
	$(BIN)/python docs/gallery
	$(BIN)/python docs/sessions
	$(BIN)/pdoc --output-directory out/docs tinygrad_seq tinygrad_seq.models tinygrad_seq.viz
	@echo "The pages: out/docs/index.html"

mutants: $(VENV)/.dev ## break every rule in turn, and see that each is found and blamed on the right op: about 10 minutes
	$(BIN)/python tests/mutants.py $(ARGS)

alarms: $(VENV)/.dev ## check 100,000 random programs, of which none may be called wrong: about an hour
	$(BIN)/python tests/alarms.py $(ARGS)

bench: $(VENV)/.peers ## measure beside micrograd and PyTorch
	@set -e; for file in $$(grep -l '__main__' benchmarks/*.py); do echo "== $$file"; $(BIN)/python $$file; done

clean: ## remove everything that these tasks made
	rm -rf $(VENV) $(TYPES) build out .hypothesis .mypy_cache .pytest_cache .ruff_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- environments: made anew when pyproject.toml asks for something else --------------

$(VENV)/.made $(TYPES)/.made:
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(f"tinygrad_seq needs Python 3.11 or newer, this is {v.major}.{v.minor}: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv --clear $(@D)
	@touch $@

$(VENV)/.installed: pyproject.toml | $(VENV)/.made
	$(PIP) install --quiet --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/.made
	$(PIP) install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.installed

$(VENV)/.peers: pyproject.toml | $(VENV)/.made
	$(PIP) install --quiet --editable '.[peers]'
	@touch $@ $(VENV)/.installed
