# Everything a developer types. `make help` lists it.
#
# Each target sets up the environment it needs: a virtual environment in .venv, with the package
# installed editable, at the versions in constraints.txt. Stamp files in it remember which extras
# are in, so a second call installs nothing.

PYTHON ?= python3
VENV ?= .venv
CONSTRAINTS ?= constraints.txt
PYTEST_ARGS ?=
DOCS_ARGS ?=
BENCH_ARGS ?=

BIN = $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)

# Two names for one file: newer versions of pip read a second variable when they build a package.
export PIP_CONSTRAINT = $(CONSTRAINTS)
export PIP_BUILD_CONSTRAINT = $(CONSTRAINTS)
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

.PHONY: help
help:  ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

.PHONY: demo
demo: $(VENV)/.with-plot  ## Compare autoencoders with PCA on the digits: a table, and a figure
	$(BIN)/skae compare digits

.PHONY: test
test: $(VENV)/.with-test  ## Run the tests, and the examples in the docstrings
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal $(PYTEST_ARGS)

.PHONY: test-oldest
test-oldest:  ## Run the tests, but for slow ones, pages and examples, with the oldest supported versions
	@$(MAKE) --no-print-directory test VENV=.venv-oldest CONSTRAINTS=constraints-oldest.txt \
		PYTEST_ARGS="-m 'not slow' -o testpaths=tests --ignore=tests/test_readme.py \
			--ignore=tests/test_processes.py --ignore=tests/test_clusters.py $(PYTEST_ARGS)"

.PHONY: coverage
coverage: $(VENV)/.with-test  ## Run the tests and count the lines that they reach (slower)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal \
		--cov --cov-report=term-missing:skip-covered $(PYTEST_ARGS)

.PHONY: lint
lint: $(VENV)/.with-lint  ## Check style, types and docstrings
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_docstrings.py tests/test_typing.py

.PHONY: format
format: $(VENV)/.with-lint  ## Rewrite the code in the project's style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: docs
docs: $(VENV)/.with-docs  ## Build the documentation in docs/_build/html (examples take minutes)
	$(BIN)/python -m sphinx -W --keep-going -q -b html $(DOCS_ARGS) docs docs/_build/html
	@echo "The documentation is in docs/_build/html/index.html"

.PHONY: bench
bench: $(VENV)/.with-plot  ## Run the benchmarks (long)
	@set -e; for script in $(sort $(wildcard benchmarks/*.py)); do \
		echo "== $$script $(BENCH_ARGS)"; $(BIN)/python $$script $(BENCH_ARGS); \
	done

.PHONY: bench-smoke
bench-smoke:  ## Run the benchmarks on a little data, to see that they work
	@$(MAKE) --no-print-directory bench BENCH_ARGS=--smoke

.PHONY: clean
clean:  ## Remove the environments and all that was built
	rm -rf .venv .venv-oldest build dist docs/_build docs/generated docs/gallery
	rm -rf .coverage .pytest_cache .hypothesis .mypy_cache .ruff_cache

# The environment ignores itself, so that git does not list it whatever its name.
$(VENV)/.created:
	$(PYTHON) -m venv $(VENV)
	echo '*' > $(VENV)/.gitignore
	touch $@

$(VENV)/.with-%: pyproject.toml $(CONSTRAINTS) $(VENV)/.created
	@echo "Installing skae[$*] in $(VENV) (torch is large: the first time takes a while)"
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	touch $@
