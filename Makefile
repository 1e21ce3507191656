# Everything runs from .venv, made from requirements.lock. `make` alone lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

VENV := .venv
PY := $(VENV)/bin/python
SIMULATED := build/simulation.log
DAYS := build/days.log
TYPES := build/types.log
SEEDS ?= 200
COUNT ?= 20
QUICK := $(wildcard tests/unit tests/contracts tests/architecture)
QUICKLY := -m "not long" --hypothesis-profile quick
BY_CORES := tests/days tests/simulation
REAL_ONLY := $(addprefix --ignore=,$(QUICK) $(BY_CORES))
PACKAGES := services shared opsfloor deploy tests

# Python keeps what it has compiled, also where the environment tells it not to: a run of the tests starts some hundreds of
# processes, and each would compile all of ours again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help venv demo test programs check format simulate faults bench contracts lock stack-up stack-down clean oracles

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# The lock that the environment was made from lies inside it, so a changed lock, and nothing else, makes it anew. pip installs uv
# alone, which installs the rest much sooner; where uv cannot (it reads no pip.conf but for the index), pip does.
venv: ## make .venv from the lock, hashes required (again when the lock changes)
	@if cmp -s requirements.lock $(VENV)/.made-from.lock; then exit 0; fi; \
	python=; for candidate in $${PYTHON:-} python3 python3.11 python3.12 python3.13; do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "Expected Python 3.11 or newer on PATH, found $$(python3 --version 2>&1 || echo none)." >&2; \
	  echo "Remedy: install it, or name it: make venv PYTHON=/path/to/python3.11" >&2; exit 1; \
	fi; \
	if [ -z "$${PYTHON:-}" ]; then python=$$("$$python" deploy/fastest_python.py); fi; \
	echo "Making $(VENV) with $$("$$python" --version), $$python, about 270 MB, up to three minutes …"; \
	"$$python" -m venv --clear $(VENV); \
	awk '/^[^ ]/ {uv = /^uv==/} uv' requirements.lock >$(VENV)/uv.lock; \
	$(PY) -m pip install --disable-pip-version-check --quiet --require-hashes -r $(VENV)/uv.lock; \
	index=$${PIP_INDEX_URL:-$$($(PY) -m pip config get global.index-url 2>/dev/null || true)}; \
	if ! $(VENV)/bin/uv pip install --python $(PY) --compile-bytecode $${index:+--default-index "$$index"} \
	    --require-hashes -r requirements.lock; then \
	  echo "uv cannot reach the packages here; pip fetches them, which takes longer."; \
	  $(PY) -m pip install --disable-pip-version-check --require-hashes -r requirements.lock; \
	fi; \
	$(PY) -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .; \
	cp requirements.lock $(VENV)/.made-from.lock; \
	echo "$(VENV) is ready."

demo: venv ## play a banking day on a local broker and database
	@$(PY) -m deploy.demo

# Simulation and days, which ask for nothing but processors, give way to everything else: real floors wait more than they
# work. Whatever is marked `alone` throws real faults or measures a real floor's time; the others share the machine, each of
# three workers with a broker and a database of its own, and begin with whatever is marked `early`.
test: venv ## everything: check, then faults, migrations, integration, browsers; simulation and days beside them
	@echo "The programs that tests need are looked for beside the check."; \
	$(MAKE) --no-print-directory programs & programs=$$!; \
	$(MAKE) --no-print-directory check QUICKLY= || { kill $$programs 2>/dev/null; exit 1; }; \
	wait $$programs
	@mkdir -p build; echo "Simulation and days run beside what follows; their words are in $(SIMULATED), $(DAYS), and at the end."; \
	nice -n 19 $(PY) -m pytest --timeout 1800 tests/simulation >$(SIMULATED) 2>&1 & simulation=$$!; \
	nice -n 19 $(PY) -m pytest --timeout 1800 -n logical --dist loadfile tests/days >$(DAYS) 2>&1 & days=$$!; \
	trap 'kill $$simulation $$days 2>/dev/null || true' EXIT; real=0; simulated=0; \
	{ $(PY) -m pytest -m alone tests $(REAL_ONLY) \
	  && $(PY) -m pytest -m "not alone" -n 3 --dist loadfile --no-loadscope-reorder tests $(REAL_ONLY); } || real=$$?; \
	echo "Waiting for simulation and days …"; wait $$simulation || simulated=$$?; wait $$days || simulated=$$?; \
	cat $(SIMULATED) $(DAYS); \
	exit $$((real > simulated ? real : simulated))

# The types are checked beside the tests, and told after them. `make test` leaves nothing out and draws in full.
check: venv ## format, lint, types, import rules, quick tests: about a minute on two cores
	$(PY) -m ruff format --check $(PACKAGES)
	$(PY) -m ruff check $(PACKAGES)
	$(VENV)/bin/lint-imports
	@mkdir -p build; echo "The types are checked beside the tests."; \
	$(PY) -m mypy >$(TYPES) 2>&1 & types=$$!; \
	trap 'kill $$types 2>/dev/null || true' EXIT; tested=0; typed=0; \
	$(PY) -m pytest -p no:schemathesis -n logical --dist worksteal $(QUICKLY) $(QUICK) || tested=$$?; \
	wait $$types || typed=$$?; echo "mypy:"; cat $(TYPES); \
	exit $$((tested > typed ? tested : typed))

# Rules, dashboards and scrapes are tested with the real programs. Where they cannot be had those tests say why they are
# skipped; nothing is fetched from anywhere but the machine's own package source.
programs: ## Debian's Prometheus, Alertmanager and Chromium for the tests, where this is root on Debian
	@missing=; for program in prometheus promtool amtool chromium-headless-shell; do command -v $$program >/dev/null || missing="$$missing $$program"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	  echo "Not here, and not to be installed (not root, or no apt-get):$$missing. Their tests will be skipped."; exit 0; \
	fi; \
	browser=chromium; \
	apt-get update -qq && if apt-cache show chromium-headless-shell >/dev/null 2>&1; then browser=chromium-headless-shell; fi \
	  && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	  prometheus prometheus-alertmanager $$browser fonts-dejavu-core >/dev/null \
	  || echo "apt-get could not install$$missing: their tests will be skipped."

format: venv ## format, and mend what the linter can mend
	$(PY) -m ruff format $(PACKAGES)
	$(PY) -m ruff check --fix $(PACKAGES)

simulate: venv ## seeded simulation of all processors: make simulate SEEDS=1000
	$(PY) -m tests.simulation --seeds $(SEEDS)

oracles: venv ## what queueing theory says and what the floor simulator says, written to docs/oracles.md
	$(PY) -m opsfloor simulate oracles --write docs/oracles.md

faults: venv ## kills and restarts on the real stack: make faults COUNT=50
	$(PY) -m tests.faults --count $(COUNT)

bench: venv ## throughput and latency on this machine: make bench, make bench ONLY=tracing
	$(PY) -m tests.bench $(if $(ONLY),--only $(ONLY))

contracts: venv ## write the schema documents of the contracts anew
	$(PY) -m shared.contracts.documents write

lock: venv ## resolve the dependencies anew into requirements.lock
	$(VENV)/bin/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-emit-index-url --upgrade --output-file requirements.lock

stack-up: venv ## start the local broker and database, leave them running
	@$(VENV)/bin/opsfloor stack up

stack-down: venv ## stop the local broker and database, keep their data
	@$(VENV)/bin/opsfloor stack down

clean: ## remove caches and build output (not .venv, not .opsfloor)
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find $(PACKAGES) -name __pycache__ -type d -prune -exec rm -rf {} +
