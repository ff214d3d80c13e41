# make run · make test · make check · make test-slow · make drills · make bench · make bench-match · make lock · make examples · make styles · make test-programs · make test-pythons · make drill-citus · make check-clients · make client-types · make notebooks
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
HOST ?= 127.0.0.1
PORT ?= 8000
CLAIMS ?= 100000
CORPUS ?=
SCIFACT ?=
DRILL ?=
ROUNDS ?=

.PHONY: run test test-slow drills bench bench-match check lock examples styles test-programs test-pythons drill-citus check-clients client-types notebooks clean

run: $(VENV)/run.stamp
	@$(BIN)/claimbase serve --host $(HOST) --port $(PORT)

# On as many processes as there are processors; each has a PostgreSQL and databases of its own.
test: $(VENV)/dev.stamp test-programs
	$(BIN)/pytest -n auto --dist worksteal

# Debian may start the last two as services where they are installed, so the usual suite does without.
test-slow: PROGRAMS += etcd:etcd-server haproxy:haproxy
test-slow: $(VENV)/dev.stamp test-programs
	$(BIN)/pytest -m slow

# Kills, fills, cuts off and crowds it, for an hour, and writes what came of it to docs/reliability.md. DRILL=name takes one
# drill (DRILL=? tells their names), ROUNDS=10 fewer rounds.
drills: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.drills $(if $(DRILL),--drill '$(DRILL)') $(if $(ROUNDS),--rounds $(ROUNDS))

# Installs the wheel by each Python from 3.11 to 3.14 that is here, serves, and asks; says which are missing.
test-pythons: $(VENV)/dev.stamp
	$(BIN)/pytest -m slow tests/drills/test_install.py

# Holds a Citus cluster to what one PostgreSQL answers; URL is an empty database of its coordinator. PLAIN=1 tries the drill without Citus.
drill-citus: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.drills.citus "$(URL)" $(if $(PLAIN),--plain)

check: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Measures against what people would use instead; see benchmarks/README.md. CLAIMS=1000000 goes further, CORPUS=corpus.jsonl
# takes SciFact's sentences.
bench: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks --claims $(CLAIMS) $(if $(CORPUS),--corpus $(CORPUS))

# Measures how well texts are matched to claims, on the files of SciFact in a folder: SCIFACT=path/to/scifact.
bench-match: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks.match $(SCIFACT) --claims $(CLAIMS)

# Pins every dependency with its hashes; commit what it writes.
lock:
	uv pip compile pyproject.toml --extra postgres --group build $(LOCK) -o requirements/run.txt
	uv pip compile pyproject.toml --extra postgres --extra match --group build -c requirements/run.txt $(LOCK) -o requirements/match.txt
	uv pip compile pyproject.toml --all-extras --group build -c requirements/match.txt $(LOCK) -o requirements/all.txt
	uv pip compile pyproject.toml --all-extras --group build --group dev -c requirements/all.txt $(LOCK) -o requirements/dev.txt
	uv pip compile tests/clients/requirements.in $(LOCK) -o tests/clients/requirements.txt
	uv pip compile tests/drills/requirements.in $(LOCK) -o tests/drills/requirements.txt
	uv pip compile tests/drills/litestream.in $(LOCK) -o tests/drills/litestream.txt
	cd tests/clients && npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund
LOCK := --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet

# Holds the OpenAPI document against linters, generators and what they generate, from npm and PyPI; clients/python, installed, against
# a type checker; the notebooks of docs/notebooks against what running them gives.
check-clients: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.clients.check

# Writes the types of clients/python anew from the OpenAPI document.
client-types: $(VENV)/dev.stamp
	$(BIN)/python -m tests.clients.write_types

# Runs the notebooks of docs/notebooks, and writes what they give into them.
notebooks: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.clients.check --write-notebooks

# Writes the examples of the OpenAPI document anew from the seed content.
examples: $(VENV)/dev.stamp
	$(BIN)/pytest tests/api/test_openapi.py tests/api/test_api_keys.py tests/api/test_curating.py -k example --write-examples

# Tries every installed style of citations, for half an hour, and writes which of them can be rendered.
styles: $(VENV)/dev.stamp
	$(BIN)/python -m tests.citations.style_survey

# Programs of Debian that tests need, each with its packages: they read what is written, show the pages, and choose a primary. They are
# installed where that is allowed; the tests of one that is missing are left out.
PROGRAMS := bibtex:texlive-binaries,texlive-base biber:biber pandoc:pandoc chromium:chromium wrk:wrk
test-programs:
	@missing() { for each in $(PROGRAMS); do PATH=$$PATH:/usr/sbin which $${each%%:*} > /dev/null || echo $$each; done; }; \
	packages=$$(missing | cut -d: -f2 | tr ',' ' '); \
	test -z "$$packages" || timeout 900 sh -c 'apt-get update -qq && apt-get install -qq -y --no-install-recommends '"$$packages" \
	    < /dev/null > /dev/null 2>&1 || true; \
	left=$$(missing | cut -d: -f1); \
	test -z "$$left" && echo "The programs that tests need are there." \
	|| echo "Missing, and cannot be installed here, so that their tests are left out:" $$left
test-programs: export DEBIAN_FRONTEND = noninteractive

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis benchmarks/cache

$(VENV)/%.stamp: requirements/%.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Claimbase needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Set PYTHON=…" if sys.version_info < (3, 11) else 0)'
	@echo "Setting up $(VENV) from $< …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
