# The short form of the commands in README.md; nothing here needs more than Python 3.11+ with venv.
PYTHON ?= python3
BIN := .venv/bin
COMPILE := $(BIN)/python -m piptools compile --quiet --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	--no-header --no-annotate --strip-extras

.PHONY: help reproduce test lint docs wheels constraints clean

help:
	@echo "make reproduce    the main job: published beside reproduced, report and figures in results/scion/"
	@echo "make test         the tests"
	@echo "make lint         style and types"
	@echo "make docs         the documentation, in docs/_build/html/"
	@echo "make wheels       a folder of wheels for a machine without internet"
	@echo "make constraints  pin versions anew, from pyproject.toml"
	@echo "make clean        remove the environment and everything made"

reproduce: .venv/installed
	$(BIN)/python -m ipseval reproduce

test: .venv/installed
	$(BIN)/python -m pytest -n auto

lint: .venv/installed
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

docs: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev,docs]"
	$(BIN)/python -m sphinx -W --keep-going --quiet docs docs/_build/html

wheels: .venv/installed
	$(BIN)/python -m pip wheel --quiet --constraint constraints.txt --wheel-dir wheels ".[dev]" hatchling editables

constraints: .venv/installed
	$(BIN)/python -m pip install --quiet pip-tools
	$(COMPILE) --upgrade --all-extras --output-file constraints.txt pyproject.toml
	$(BIN)/python .ci/pandas3_requirements.py > build-pandas3.in
	$(COMPILE) --upgrade --output-file constraints-pandas3.txt build-pandas3.in
	rm build-pandas3.in

# A stamp, so that a second run starts at once and a change of versions installs again.
.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "ipseval needs Python 3.11 or newer; '$(PYTHON)' is missing or older. Try: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@

clean:
	rm -rf .venv results wheels docs/_build docs/_generated docs/*/_generated .pytest_cache .mypy_cache .ruff_cache .hypothesis
