# restep: every task of a working day. `make help` lists them.
VENV   ?= .venv
PYTHON ?= python3
BIN    := $(VENV)/bin
# What is installed for PyTorch before everything else; e.g. make setup TORCH="torch==2.12.0" TORCH_INDEX=https://...
TORCH  ?= $(shell nvidia-smi -L >/dev/null 2>&1 && echo "torch>=2.11" || echo "torch==2.13.0")
TORCH_INDEX ?=
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format bench up clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## create .venv with restep and everything it needs

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	$(BIN)/pip install --quiet --editable ".[all,dev]"
	@touch $@

demo: setup ## the whole method on the real engine, in minutes, on this machine
	$(BIN)/restep demo $(ARGS)

test: setup ## every test that needs no GPU
	$(BIN)/python -m pytest $(ARGS)

check: setup ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: setup ## rewrite the sources in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## measure the servers against the bare engines
	$(BIN)/python -m benchmarks.sciworld $(ARGS)

up: ## start the servers in containers
	docker compose up --build $(ARGS)

clean: ## remove what the other targets made, runs excepted
	rm -rf $(VENV) build .pytest_cache .ruff_cache .hypothesis *.egg-info
