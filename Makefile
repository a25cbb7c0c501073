# restep: every task of a working day. `make help` lists them.
VENV   ?= .venv
PYTHON ?= python3
BIN    := $(VENV)/bin
# What is installed for PyTorch before everything else; e.g. make setup TORCH="torch==2.12.0" TORCH_INDEX=https://...
TORCH  ?= $(shell nvidia-smi -L >/dev/null 2>&1 && echo "torch>=2.11" || echo "torch==2.13.0")
TORCH_INDEX ?=
ARGS   ?=

.DEFAULT_GOAL := help
JAVA   := services/sciworld/java

.PHONY: help setup demo test check format bench jar up clean

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

jar: setup ## build what runs inside ScienceWorld's JVM again (needs a JDK, 17 or newer)
	rm -rf build/java && mkdir -p build/java/restep
	javac -Xlint:-options --add-exports java.base/jdk.internal.misc=ALL-UNNAMED -d build/java \
		-cp $$($(BIN)/python -c "from services.sciworld.jvm import package_folder as f; print(f())")/scienceworld.jar $(JAVA)/*.java
	cat $(JAVA)/*.java | sha256sum | cut -d' ' -f1 > build/java/restep/sources.sha256
	rm -f $(JAVA)/restep.jar
	jar --create --no-manifest --file $(JAVA)/restep.jar --date=1980-01-01T00:00:02Z -C build/java restep

up: ## start the servers in containers
	docker compose up --build $(ARGS)

clean: ## remove what the other targets made, runs excepted
	rm -rf $(VENV) build .pytest_cache .ruff_cache .hypothesis *.egg-info
