# wifimgr: every target makes .venv by itself when it is missing or older than what it is made from.
#   make test ARGS="tests/test_uci.py -k quote"     ARGS is handed on to the program behind the target
#   make test WORKERS=0                             how many tests run at once; 0: one after the other
#   make demo PYTHON=python3.13                     the Python to make .venv with; default: the newest of 3.11 to 3.13

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

ARGS =
# Many tests wait for a timer or a socket, so more workers than cores pay.
WORKERS = 4
PYTHON =

BIN := .venv/bin
VENV := .venv/pyvenv.cfg
STAMP := .venv/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SCRIPTS := .ci/run tests/setup.sh
# On a router runs BusyBox ash; what dash takes, ash takes too.
ROUTER_SCRIPTS := $(wildcard wifimgr/push/*.sh wifimgr/sources/ubus.sh wifimgr/lab/standins/*)
BENCHMARKS := $(sort $(wildcard benchmarks/*.py))

.PHONY: help
help: ## show this list
	@echo "usage: make TARGET [ARGS=...]"
	@awk -F ':[^#]*## ' '/^[a-z]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: $(STAMP) ## a simulated network on this machine, and changes that go wrong (ARGS=--once: show it and end)
	@$(BIN)/wifimgr demo $(ARGS)

.PHONY: test
test: $(STAMP) ## all tests (ARGS="tests/test_uci.py -k quote": some of them)
	@sh tests/setup.sh || echo "going on without them: tests that need them say so at the end" >&2
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal $(ARGS)

.PHONY: check
check: $(STAMP) ## lint, format, types, import arrows, shell scripts; goes on after a failure
	@failed=; \
	run() { echo "== $$1"; shift; "$$@" || failed=1; }; \
	run "ruff check" $(BIN)/ruff check --quiet .; \
	run "ruff format" $(BIN)/ruff format --quiet --diff .; \
	run "mypy --strict" $(BIN)/mypy --strict wifimgr; \
	run "lint-imports" $(BIN)/lint-imports --no-cache --no-logo; \
	run "shellcheck" $(BIN)/shellcheck $(SCRIPTS); \
	$(if $(ROUTER_SCRIPTS),run "shellcheck for ash" $(BIN)/shellcheck --shell=dash $(ROUTER_SCRIPTS);) \
	if [ -n "$$failed" ]; then echo "some checks failed, see above" >&2; exit 1; fi; \
	echo "all checks passed"

.PHONY: screenshots
screenshots: $(STAMP) ## draw the pictures of the docs anew: the status page and the demo (needs Chromium)
	@$(BIN)/python -m tests.e2e.screenshots docs/pictures
	@$(BIN)/python -m tests.e2e.terminal docs/pictures

.PHONY: torture
torture: $(STAMP) ## cut the power of real routers 1,000 times in the middle of a push (ARGS="--cuts 50 --seed 1")
	@$(BIN)/python -m tests.real.torture $(ARGS)

.PHONY: bench
bench: $(STAMP) ## run the benchmarks, each prints what it compares
	@if [ -z "$(BENCHMARKS)" ]; then echo "there is no benchmark yet (benchmarks/*.py)"; fi
	@for file in $(BENCHMARKS); do echo "== $$file"; $(BIN)/python "$$file" $(ARGS) || exit 1; done

# The lock is made with the oldest Python we support: what only that one needs must not be missing.
.PHONY: lock
lock: $(VENV) ## write requirements.lock anew, keeping what still fits (ARGS=--upgrade: take the newest)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo "make lock needs Python 3.11: make clean, then make lock PYTHON=python3.11" >&2; exit 1; }
	@test -x $(BIN)/pip-compile || { echo "installing pip-tools"; $(PIP) install pip-tools; }
	@echo "resolving, this can take a minute"
	@CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --extra dev --generate-hashes --allow-unsafe \
	  --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options \
	  --output-file requirements.lock $(ARGS) pyproject.toml
	@echo "requirements.lock: $$(grep -c '==' requirements.lock) packages"

.PHONY: clean
clean: ## remove .venv, caches and built packages; the state of a network (.wifimgr) stays
	@rm -rf .venv dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- .venv ---

$(STAMP): pyproject.toml requirements.lock $(VENV)
	@echo "installing what wifimgr needs into .venv"
	@$(PIP) install --require-hashes --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

# A Python counts when it runs (a name on PATH may be an empty shim) and is new enough; one that can make a
# venv goes first. Debian keeps that ability in a package of its own.
$(VENV): $(if $(shell test -x $(BIN)/python && echo there),,.venv-is-missing)
	@py=; for name in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
	  "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  py=$${py:-$$name}; \
	  "$$name" -c 'import ensurepip, venv' 2>/dev/null && py=$$name && break; \
	done; \
	if [ -z "$$py" ]; then \
	  echo "wifimgr needs Python 3.11 or newer, and none of these is: $(or $(PYTHON),python3.13 python3.12 python3.11 python3)" >&2; exit 1; \
	fi; \
	if ! "$$py" -c 'import ensurepip, venv' 2>/dev/null; then \
	  pkg=$$("$$py" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
	  if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	    echo "$$py cannot make a venv; on Debian: sudo apt-get install $$pkg" >&2; exit 1; \
	  fi; \
	  sh tests/setup.sh "$$pkg"; \
	fi; \
	echo "making .venv with $$("$$py" --version)"; \
	"$$py" -m venv --clear .venv

# Nothing makes this file, so what depends on it is made anew: also when the Python of .venv has left the machine.
.PHONY: .venv-is-missing
.venv-is-missing:
