# Two commands matter on a fresh machine: `make run` and `make test`. `make help` lists the rest.
# Each first makes the virtual environment .venv ready, and does nothing there when it already is.
#
#   PYTHON=python3.12     interpreter for .venv (default: the newest of 3.13, 3.12, 3.11 that runs)
#   INSTALLER=uv|pip      what installs (default: uv where there is one, else pip)
#   BACKEND=numpy|jax     what `make run` trains on
#   ARGS="--epochs 3"     more arguments for the command that run, test or bench starts
#   WORKERS=4             test processes (default: one per core, at most 8)
#
# Every path here is relative to this folder, so that a folder with spaces in its name works.

BACKEND ?= numpy
WORKERS ?= auto
ARGS ?=
PYTEST = .venv/bin/python -m pytest -n $(WORKERS) --maxprocesses 8 --dist loadgroup
version_of = $(shell { "$(1)" -c 'import sys; print(*sys.version_info[:2])'; } 2>/dev/null)

# A home where nothing can be written: every cache goes under this folder instead.
ifneq ($(shell sh scripts/home_is_writable.sh && echo yes),yes)
export XDG_CACHE_HOME := $(CURDIR)/.cache
export PIP_CACHE_DIR := $(CURDIR)/.cache/pip
export UV_CACHE_DIR := $(CURDIR)/.cache/uv
export MPLCONFIGDIR := $(CURDIR)/.cache/matplotlib
endif

# An environment that no longer runs, or has another version than the one asked for, is made anew.
MADE_WITH := $(call version_of,.venv/bin/python)
ifneq ($(MADE_WITH),$(if $(PYTHON),$(call version_of,$(PYTHON)),$(or $(MADE_WITH),any)))
OUTDATED := another-python
endif

.PHONY: help run test test-all lint bench lock clean another-python
.DEFAULT_GOAL := help

help:  ## list the commands
	@sed -n 's/^\([a-z][a-z-]*\):.*## /  make \1|/p' Makefile | awk -F'|' '{printf "%-16s %s\n", $$1, $$2}'

run: .venv/ready-$(if $(filter jax,$(BACKEND)),jax,run)  ## train on the bundled digits
	.venv/bin/python -m asg train --backend "$(BACKEND)" $(ARGS)

test: .venv/ready-dev  ## lint, types and all tests but the slow ones
	$(CHECK)

test-all: SELECTION = -m "slow or not slow"
test-all: .venv/ready-dev  ## the same with the slow tests
	$(CHECK)

# The tests run even when lint fails, so that one run shows everything.
define CHECK
@status=0; $(MAKE) --no-print-directory lint || status=1; \
$(PYTEST) $(SELECTION) $(ARGS) || status=1; exit $$status
endef

# One thread of linear algebra per test process: the processes already fill the cores.
test test-all: export OMP_NUM_THREADS = 1
test test-all: export OPENBLAS_NUM_THREADS = 1

lint: .venv/ready-dev  ## ruff and mypy
	@status=0; for check in 'ruff check' 'mypy'; do \
	echo "$$check"; .venv/bin/python -m $$check || status=1; done; exit $$status

bench: .venv/ready-jax  ## time steps, compilation and passes, measure memory; write docs/performance.md
	.venv/bin/python -m benchmarks --workloads training held_back inference \
	--chains 1000 10000 20000 100000 --gains --memory \
	--write docs/performance.md $(ARGS)

lock:  ## write requirements/*.txt anew from pyproject.toml (needs uv)
	sh scripts/lock.sh

clean:  ## remove the environment, the caches and built packages (training runs stay)
	rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage htmlcov
	rm -rf build dist asg_compiler.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/ready-%: pyproject.toml requirements/%.txt scripts/environment.sh $(OUTDATED)
	@sh scripts/environment.sh $*

another-python:
