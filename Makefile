# The two main commands are `make run` and `make test`; the others are for developers of the relay.
# The first Python of version 3.11 or later that starts; `make PYTHON=...` names another.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null && echo $$python && exit; \
	done; echo python3.11)
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: run lock test test-more coverage check bench bench-policy bench-rewrite hostile soak fuzz catalogues format peers clean

# Each package is installed in the version and with the hash that requirements/ names; `make lock` writes these files.
PIP := $(BIN)/pip install --quiet --require-hashes --requirement
$(VENV)/installed: pyproject.toml requirements/run.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) requirements/run.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# The public SPF suite, which only pyspf's source distribution contains.
SPF_SUITE := $(VENV)/suites/spf/rfc7208-tests.yml
$(SPF_SUITE): requirements/dev.txt | $(VENV)/installed
	rm -rf $(VENV)/suites
	mkdir -p $(@D)
	sed -n '/^pyspf==/,/[^\\]$$/p' requirements/dev.txt > $(VENV)/suites/pyspf.txt
	$(BIN)/pip download --quiet --require-hashes --no-deps --no-build-isolation --no-binary pyspf --dest $(VENV)/suites \
		--requirement $(VENV)/suites/pyspf.txt
	tar --extract --no-same-owner --file $(VENV)/suites/pyspf-*.tar.gz --directory $(@D) --strip-components 2 --wildcards '*/test/rfc7208-tests.*'
	touch $@

$(VENV)/installed-dev: $(VENV)/installed $(SPF_SUITE)
	$(PIP) requirements/dev.txt
	touch $@

# Locks the versions that fit pyproject.toml; known ones stay, unless UPGRADE=--upgrade is given.
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	--no-emit-index-url --no-emit-find-links $(UPGRADE) pyproject.toml requirements/build.in
lock: $(VENV)/installed
	$(BIN)/pip install --quiet uv
	$(LOCK) --all-extras --output-file requirements/dev.txt
	$(LOCK) --extra pdf --extra postgres --constraint requirements/dev.txt --output-file requirements/image.txt
	$(LOCK) --constraint requirements/dev.txt --output-file requirements/run.txt

run: $(VENV)/installed
	$(BIN)/relay demo

peers:
	deploy/install-peers

# The tests start hundreds of daemons and commands, so their bytecode is kept. Three processes are used on two cores,
# because a test often waits.
JOBS ?= 3
test test-more: export PYTHONDONTWRITEBYTECODE =
test: $(VENV)/installed-dev peers
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal

# Runs the long forms of tests of which `make test` runs one path of each kind, and checks the floor of coverage.
test-more: $(VENV)/installed-dev peers coverage
	$(BIN)/python -m pytest -m more --numprocesses $(JOBS) --dist worksteal

# The percentage of relay/, lines and branches, that the tests in one process reach. It may only rise. Time limits of single
# examples are off (profile ci), because tracing slows everything down.
COVERAGE_FLOOR := 87
coverage: $(VENV)/installed-dev peers
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --hypothesis-profile ci tests/core tests/flow tests/actions tests/store tests/edge
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under $(COVERAGE_FLOOR)

check: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

catalogues: $(VENV)/installed-dev # adds missing keys to relay/locale/*/LC_MESSAGES/relay.po and checks all texts
	$(BIN)/python -m tests.support.catalogues

bench: $(VENV)/installed-dev peers
	$(BIN)/python -m bench

bench-rewrite: $(VENV)/installed-dev
	$(BIN)/python -m bench.rewrite

bench-policy: $(VENV)/installed-dev
	$(BIN)/python -m bench.policy

hostile: $(VENV)/installed-dev peers # ONLY: attacks, separated by commas
	$(BIN)/python -m bench.hostile $(if $(ONLY),--only "$(ONLY)")

soak: $(VENV)/installed-dev peers
	$(BIN)/python -m pytest -m soak --override-ini timeout=5400

FUZZ_S ?= 60
fuzz: $(VENV)/installed-dev peers # FUZZ_S: seconds for each target
	$(BIN)/python -m tests.fuzz $(FUZZ_S)
	RELAY_FIRST=$$(date +%s) RELAY_MAILS=$$((20 * $(FUZZ_S))) $(BIN)/python -m pytest -m more \
		tests/core/test_readers_agree.py

clean:
	rm -rf $(VENV) var build *.egg-info tests/support/readers/node_modules
