# Needs Python 3.11 or newer and make, nothing else.
#   make demo    install into .venv and run aucli on the example clips
#   make test    install with the test tools and run linters, type checks and tests
#   make lint    linters and type checks alone
#   make audit   look the installed packages up among known vulnerabilities (asks pypi.org)
#   make clean   remove everything that these made
# Another Python: make demo PYTHON=python3.12      another place: make test VENV=/tmp/venv

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

# An editable install with the test tools serves the demo too; the plain one is what a user gets.
PLAIN := $(VENV)/.installed
EDITABLE := $(VENV)/.installed-for-tests
SOURCES := $(shell find aucli models -type f -not -path '*/__pycache__/*')

.PHONY: demo test lint audit clean

demo: $(or $(wildcard $(EDITABLE)),$(PLAIN))
	@$(BIN)/aucli demo

test: lint
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

lint: $(EDITABLE)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache

# Not part of `make test`: what is known changes from day to day, and it needs the network.
audit: $(EDITABLE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check pip-audit
	$(BIN)/pip-audit --skip-editable --progress-spinner off

clean:
	rm -rf $(VENV) build demo *.egg-info models/*.egg-info .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

$(PLAIN): $(VENV)/.created pyproject.toml $(SOURCES)
	@rm -rf build
	@echo "installing aucli into $(VENV): a few minutes, several GB where torch comes with CUDA"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check .
	@touch $@

$(EDITABLE): $(VENV)/.created pyproject.toml
	@echo "installing aucli and the test tools into $(VENV): a few minutes, several GB where torch comes with CUDA"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@rm -f $(PLAIN)
	@touch $@

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "aucli needs Python 3.11 or newer, and '$(PYTHON)' is not: make demo PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
	  echo "this Python lacks its venv module: apt install python3-venv (or the like), then again" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@
