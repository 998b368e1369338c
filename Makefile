# Two commands: `make serve` and `make test`. Both prepare .venv first.

PYTHON ?= python3
DEVICE ?= auto
VENV := .venv
BIN := $(VENV)/bin
# Which build of llama.cpp is installed; `auto` is content with any.
LLAMA := $(VENV)/llama-$(DEVICE)
ifeq ($(DEVICE),auto)
LLAMA := $(firstword $(wildcard $(VENV)/llama-*) $(LLAMA))
endif

# `make serve HOST=0.0.0.0 PORT=9000`: above llmsite.toml, below nothing. Not from the
# environment, where shells keep this machine's name as HOST.
ifeq ($(origin HOST),command line)
export LLMSITE_SERVER__HOST = $(HOST)
endif
ifeq ($(origin PORT),command line)
export LLMSITE_SERVER__PORT = $(PORT)
endif
ifneq ($(DEVICE),auto)
export LLMSITE_MODELS__DEFAULT_DEVICE = $(DEVICE)
endif

# `make test WORKERS=0`: one test after the other, in one process.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(4, os.cpu_count() or 1))')

PIN := $(shell sed -n 's/^\(llama-cpp-python==[0-9.]*\).*/\1/p' requirements.lock)

.PHONY: serve test check format messages lock clean screenshots collection
.PHONY: bench bench-gpu bench-rivals bench-llama-server bench-quotas bench-sockets

serve: $(VENV)/runtime
	@exec $(BIN)/python manage.py serve

test: check
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

check: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/bandit -r accounts chat inference llmsite -c pyproject.toml -q
	$(BIN)/mypy
	$(BIN)/python manage.py check --fail-level WARNING
	$(BIN)/python manage.py makemigrations --check --dry-run

format: $(VENV)/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# After a text of a page has changed: `locale/` follows, and says what has to be translated.
messages: $(VENV)/dev
	$(BIN)/python scripts/messages.py

# Beside other servers; `make bench ARGS="--quick --workloads a8 b"`, ARGS=--help tells all.
bench: $(VENV)/runtime bench-rivals
	$(BIN)/python -m bench.serving $(ARGS)

# On a machine with an NVIDIA GPU; also without .venv, where PYTHON has what it needs.
bench-gpu:
	$(firstword $(wildcard $(BIN)/python) $(PYTHON)) -m bench.serving --gpu $(ARGS)

# What is compared with, in an environment of its own that also sees our llama.cpp.
RIVALS := var/bench/venv
bench-rivals: $(RIVALS)/rivals
$(RIVALS)/rivals: bench/rivals.txt | $(VENV)/runtime
	@echo "Installing the servers to compare with."
	@$(BIN)/python -m venv $(RIVALS)
	@$(RIVALS)/bin/pip install --quiet --disable-pip-version-check -r bench/rivals.txt
	@$(RIVALS)/bin/python bench/serving/rivals_path.py $(VENV)
	@touch $@

# llama-server on the very libraries that the engine loads, from the sources of the pin.
bench-llama-server: | $(VENV)/runtime
	BIN=$(BIN) PIN='$(PIN)' sh bench/llama_server/build.sh

bench-quotas: $(VENV)/runtime
	$(BIN)/python bench/quotas.py

bench-sockets: $(VENV)/dev
	$(BIN)/python bench/sockets.py

# docs/postman.json follows the API; tests fail until it does.
collection: $(VENV)/runtime
	$(BIN)/python scripts/collection.py

# Of the chat's pages, for the README.
screenshots: $(VENV)/dev
	$(BIN)/python scripts/screenshots.py

# Written anew after a change of pyproject.toml; no index address gets into them.
lock: $(VENV)/bin/python
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile $(LOCK) --extra postgres pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile $(LOCK) --all-extras -c requirements.lock pyproject.toml -o requirements-dev.lock
LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

clean:
	rm -rf $(VENV)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "llmsite needs Python 3.11 or newer, not " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)

# Compiled anew, for the same device, only when the pin has changed.
$(LLAMA): requirements.lock | $(VENV)/bin/python
	@if ! grep -qsxF '$(PIN)' $@; then \
		DEVICE=$(LLAMA:$(VENV)/llama-%=%) BIN=$(BIN) sh scripts/install-llama.sh && \
		rm -f $(VENV)/llama-* && echo '$(PIN)' >$@; fi
	@touch $@

$(VENV)/runtime: $(LLAMA) requirements.lock
	@echo "Installing what llmsite runs on."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(VENV)/dev: $(VENV)/runtime requirements-dev.lock
	@echo "Installing what the tests need."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@
