# The two commands are `make run` and `make test`; the rest is for those who work on the relay.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: run test check bench bench-policy bench-rewrite soak fuzz catalogues format peers clean

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

run: $(VENV)/installed
	$(BIN)/relay demo

peers:
	deploy/install-peers

# Hundreds of daemons and commands start: their bytecode is kept, and on two cores a third process works while others wait.
JOBS ?= 3
test: export PYTHONDONTWRITEBYTECODE =
test: $(VENV)/installed-dev peers
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal

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

soak: $(VENV)/installed-dev peers
	$(BIN)/python -m pytest -m soak --override-ini timeout=5400

FUZZ_S ?= 60
fuzz: $(VENV)/installed-dev # FUZZ_S: seconds for each target
	$(BIN)/python -m tests.fuzz $(FUZZ_S)

clean:
	rm -rf $(VENV) var build *.egg-info
