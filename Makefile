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

# `make serve HOST=0.0.0.0 PORT=9000`: above llmsite.toml, below nothing.
ifdef HOST
export LLMSITE_SERVER__HOST = $(HOST)
endif
ifdef PORT
export LLMSITE_SERVER__PORT = $(PORT)
endif
ifneq ($(DEVICE),auto)
export LLMSITE_MODELS__DEFAULT_DEVICE = $(DEVICE)
endif

PIN := $(shell sed -n 's/^\(llama-cpp-python==[0-9.]*\).*/\1/p' requirements.lock)

.PHONY: serve test check format messages lock clean bench-quotas bench-sockets screenshots

serve: $(VENV)/runtime
	@exec $(BIN)/python manage.py serve

test: check
	$(BIN)/python -m pytest

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

bench-quotas: $(VENV)/runtime
	$(BIN)/python bench/quotas.py

bench-sockets: $(VENV)/dev
	$(BIN)/python bench/sockets.py

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
