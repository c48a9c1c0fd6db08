# Every command sets up what it needs inside the checkout and is quick the second time. `make` alone lists them.
# GROUP, TEXT, VOICE, MODEL and FORMAT reach the commands through the environment, unexpanded by make and the
# shell, so that any text is only text.

PYTHON ?= python3
VENV := .venv/bin/python
ROOMS := $(wildcard handler.py basics store listening voices models speech operations server client builder bench)

override TEXT := $(value TEXT)
override VOICE := $(value VOICE)
override MODEL := $(value MODEL)
override FORMAT := $(value FORMAT)
override GROUP := $(value GROUP)
export TEXT VOICE MODEL FORMAT GROUP
# MODEL is also a setting of the worker's: what is asked of make is not to reach it twice.
CLEAN := env -u TEXT -u VOICE -u MODEL -u FORMAT -u GROUP

.DEFAULT_GOAL := help
.PHONY: help run serve quick test engines check format docs lock bench soak image embedded dev clients

help: ## list the commands
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/p' Makefile | expand -t 18

run: embedded ## speak test_input.json, or TEXT="..." [VOICE= MODEL= FORMAT=mp3], into out/
	@$(CLEAN) $(VENV) handler.py --text="$$TEXT" --voice="$$VOICE" --model="$$MODEL" --format="$$FORMAT"

serve: embedded ## HTTP server, on http://127.0.0.1:8000 unless PORT says otherwise
	@$(CLEAN) MODEL="$$MODEL" $(VENV) -m server

quick: dev ## the tests without services
	@echo "Tests without services:"
	@$(CLEAN) $(VENV) -m pytest -m "not service and not engine and not slow and not long"

test: dev clients ## all tests; those of the engines are in make engines
	@echo "All tests but the engines' own:"
	@$(CLEAN) $(VENV) -m pytest -m "not engine and not long" -n logical --maxprocesses 4 --dist loadfile

engines: dev ## a group's environment and its engines' tests: GROUP=embedded, or GROUP=all
	@$(CLEAN) $(VENV) -m builder.engines "$$GROUP"

check: dev ## format, lint, types, generated documents
	@failed=0; try() { echo "$$1:"; shift; "$$@" || failed=1; }; \
	try Format .venv/bin/ruff format --check .; \
	try Lint .venv/bin/ruff check .; \
	try Dockerfile .venv/bin/hadolint Dockerfile; \
	try Types .venv/bin/mypy $(ROOMS); \
	try Documents $(CLEAN) $(VENV) -m builder.docs --check; \
	exit $$failed

format: dev ## put the code into its format
	@.venv/bin/ruff check --fix --quiet . ; .venv/bin/ruff format .

docs: dev ## write the generated documents
	@$(CLEAN) $(VENV) -m builder.docs

lock: dev ## compile builder/locks; UPGRADE=1 renews what the pins pull in
	@$(VENV) -m builder.lock $(if $(UPGRADE),--upgrade)

bench: dev ## the benchmarks, or those of a group of models: GROUP=cloning
	@$(CLEAN) $(VENV) -m bench $${GROUP:+--group "$$GROUP"}

soak: dev ## a disorderly day on one worker, 20 minutes, or SECONDS=120, and the tests that take minutes
	@$(CLEAN) MALLOC_ARENA_MAX=2 $(VENV) -m bench.soak "$${SECONDS:-1200}"
	@$(CLEAN) $(VENV) -m pytest -m "long and not engine"

image: ## docker image of a group: GROUP=embedded
	@command -v docker >/dev/null || { echo "make image: docker is not on this machine."; exit 1; }
	@$(PYTHON) -m builder.groups "$${GROUP:-cloning}" >/dev/null
	docker build --build-arg GROUP="$${GROUP:-cloning}" --tag "worker-tts:$$(echo "$${GROUP:-cloning}" | tr , -)" .

embedded:
	@$(PYTHON) -m builder.environment embedded

dev:
	@$(PYTHON) -m builder.environment dev

clients:
	@$(PYTHON) -m builder.environment clients
