# Orderly's commands: `make` lists them. Each works on a fresh clone and needs Python 3.11 or newer.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
VERSION := import sys; print("%d.%d" % sys.version_info[:2])
PACKAGES := import sysconfig; print(sysconfig.get_path("purelib"))
# PYTHON=python3.13 makes (or remakes) .venv with that interpreter; else .venv stays as it is.
ifndef PYTHON
PYTHON := $(shell for name in $(BIN)/python python3 python3.13 python3.12 python3.11; do \
	$$name -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$name && break; done)
endif
WANTED := $(if $(PYTHON),$(shell $(PYTHON) -c '$(VERSION)' 2>/dev/null))
PRESENT := $(shell $(BIN)/python -c '$(VERSION)' 2>/dev/null)
INSTALLED := .venv/.installed

TESTS ?= tests
TEST_OPTIONS ?=
FUZZ_EXAMPLES ?= 100
FUZZ_SEED ?= 20261126
GENERATED_SQL := var/check/migrations.sql

.PHONY: help
help: ## List these commands.
	@awk 'BEGIN { FS = ":.*## "; print "Orderly. Usage: make <command>\n" } \
		/^## / { printf "%s\n", substr($$0, 4) } \
		/^[a-z][a-z-]*:.*## / { printf "  %-19s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## See it run
.PHONY: demo up down status
demo: install ## Replay a real purchase log through the whole stack and verify every order.
	@$(BIN)/python -m loadtests.demo

up: install ## Start the stack, return when it is ready; addresses are in var/stack.env.
	@$(BIN)/python -m deploy.local up

down: install ## Stop the stack and leave no process behind.
	@$(BIN)/python -m deploy.local down

status: install ## Show each process of the stack.
	@$(BIN)/python -m deploy.local status

## Measure it
LOADS := load-smoke load-steady load-spike load-soak load-breakpoint load-slow-consumer load-hot-sku
.PHONY: bench $(LOADS)
bench: install ## Orderly beside its peers and limits; ONLY=row,row narrows, BENCH_QUICK=1 shortens.
	@ONLY="$(ONLY)" $(BIN)/python -m loadtests.benchmarks

load-smoke: ## Ten orders a second: does it work? Each load-... asserts loadtests/scenarios/thresholds.toml.
load-steady: ## The rate to carry all day; LOAD_SCALE=0.5 halves every rate of any load-... .
load-spike: ## Ten times the usual rate within two seconds, and back.
load-soak: ## Half of the usual rate for LOAD_MINUTES=15: does anything grow?
load-breakpoint: ## Step by step more, until the latency goal does not hold: where is the knee?
load-slow-consumer: ## The inventory worker gets a quarter of its time, then catches up.
load-hot-sku: ## Every order is for the same SKU.
$(LOADS): install
	@$(BIN)/python -m loadtests.scenarios $(@:load-%=%)

## Change it
.PHONY: install test fuzz format generate requirements clean
install: $(INSTALLED) ## Make .venv from the hashed requirements (every other command does so too).

# A .venv of another Python version than the wanted one is remade, however new its stamp is.
ifneq ($(WANTED),$(PRESENT))
.PHONY: $(INSTALLED)
endif
$(INSTALLED): requirements/dev.txt
	@$(PYTHON) -c '$(NEW_ENOUGH)' 2>/dev/null || { echo "Orderly needs Python 3.11 or newer." \
		"Name one: make PYTHON=/path/to/python3"; exit 1; }
	@test "$(WANTED)" = "$(PRESENT)" || { echo "Making .venv with Python $(WANTED)"; \
		$(PYTHON) -m venv --clear .venv; }
	@echo "Installing requirements/dev.txt"
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input \
		--require-hashes -r requirements/dev.txt
	@pwd > "$$($(BIN)/python -c '$(PACKAGES)')/orderly.pth"
	@printf '%s\n' '#!/bin/sh' \
		'exec "$$(dirname "$$0")/python" -P -m services.operator "$$@"' > $(BIN)/orderly
	@chmod +x $(BIN)/orderly
	@touch $@

test: install ## Run every test; TESTS=tests/unit and TEST_OPTIONS="-k name -n0" narrow it down.
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal $(TEST_OPTIONS) $(TESTS)

fuzz: install ## Send the API many generated requests; FUZZ_EXAMPLES and FUZZ_SEED go further.
	@ORDERLY_FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) ORDERLY_FUZZ_SEED=$(FUZZ_SEED) \
		$(BIN)/python -m pytest -n0 -q -s tests/e2e/api/test_schemathesis.py

format: install ## Rewrite the code in the house format and apply the safe fixes of ruff.
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

generate: install ## Write the documents that are made from the code.
	@$(BIN)/python -m docs.generate

requirements: ## Resolve requirements/*.in again and pin the result with hashes.
	@command -v uv >/dev/null || test -x var/uv/bin/uv || { \
		$(PYTHON) -m venv var/uv && var/uv/bin/python -m pip install --quiet uv; }
	@for name in runtime dev; do \
		PATH="$$PATH:$(CURDIR)/var/uv/bin" uv pip compile --quiet --upgrade --universal \
			--python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
			--no-annotate requirements/$$name.in --output-file requirements/$$name.txt \
			|| exit 1; \
	done

clean: ## Delete caches; .venv and var/ stay.
	@rm -rf .pytest_cache .ruff_cache .hypothesis var/check
	@find . -name __pycache__ -not -path './.venv/*' -not -path './var/*' -prune -exec rm -rf {} +

## Check it
.PHONY: check check-format lint types architecture check-generated check-migrations
check: check-format lint types architecture check-generated check-migrations ## Everything CI checks before the tests.

check-format: install ## Is the code in the house format?
	@$(BIN)/ruff format --check --quiet . || { echo "Run: make format"; exit 1; }

lint: install ## Ruff, with every rule that pyproject.toml gives no reason against.
	@$(BIN)/ruff check .

types: install ## basedpyright in strict mode.
	@$(BIN)/basedpyright

architecture: install ## Layers, sizes, names, documents: the rules in tests/architecture.
	@$(BIN)/python -m pytest -q tests/architecture

check-generated: install ## Are the documents that are made from the code up to date?
	@$(BIN)/python -m docs.generate --check

check-migrations: install ## Squawk over the whole migration history printed as SQL.
	@mkdir -p $(dir $(GENERATED_SQL))
	@$(BIN)/python -c 'from libs.foundation.database import migrate; migrate.offline_sql()' \
		> $(GENERATED_SQL)
	@$(BIN)/squawk $(GENERATED_SQL)
