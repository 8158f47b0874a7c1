# `make demo` and `make test` are all that a newcomer needs; the others are the parts of them.
.PHONY: help demo test install install-dev lint format kafka bench schemas lock clean
NADI := .venv/bin/nadi

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: install ## a simulated ward on a live board, everything embedded: no Kafka, no Java
	@exec $(NADI) up --demo

test: install-dev ## every check and test that this machine allows; says what it could not run
	@.ci/test all $(ARGS)

install: ## .venv with the command .venv/bin/nadi
	@.ci/install run

install-dev: ## the same with what tests and lints, and the packages the tests use
	@.ci/install dev

lint: install-dev ## ruff, mypy --strict, import contracts
	@.ci/test lint

format: install-dev ## ruff's formatter and its safe fixes
	@.venv/bin/ruff format --quiet . && .venv/bin/ruff check --fix --quiet .

kafka: install-dev ## a real single-node Apache Kafka on a free port, until Ctrl-C
	@exec .venv/bin/python -m sinks.log.broker

bench: install-dev ## the benchmarks, each beside its peer or floor (long)
	@exec .venv/bin/python -m benchmarks $(ARGS)

schemas: install ## schemas/json anew from the typed events
	@.venv/bin/python -m schemas.export

lock: ## requirements*.lock anew from pyproject.toml (needs uv on the PATH, or UV=path)
	@$(or $(UV),uv) pip compile pyproject.toml $(LOCK) --group build -o requirements.lock
	@$(or $(UV),uv) pip compile pyproject.toml $(LOCK) --group build --group dev -c requirements.lock -o requirements-dev.lock
LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

clean: ## all that was installed or built here; the data folder stays
	@rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
