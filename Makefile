# Every target sets up what it needs and is safe to run again. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

bin := .venv/bin
pytest = $(bin)/pytest -o junit_suite_name=$@ --junitxml=build/reports/$@.xml
playbook = $(bin)/ansible-playbook -i inventory/lab
profile = $(if $(PROFILE),-e frontdesk_profile=$(PROFILE))
# Without the file that asks the lab's API for servers: there may be no lab yet.
lab_playbook = $(bin)/ansible-playbook -i inventory/lab/frontdesk.yml playbooks/lab.yml

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^##@/ { print "\n" substr($$0, 5) } /^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

##@ Use

.PHONY: site
site: setup engine ## Build the platform in the lab on this machine (PROFILE=single for one server)
	$(lab_playbook)
	$(playbook) site.yml $(profile)

.PHONY: status
status: setup ## Say how the platform in the lab is (PROFILE as in make site)
	$(playbook) playbooks/status.yml $(profile)

.PHONY: lab
lab: setup engine ## Start the lab
	$(lab_playbook)

.PHONY: lab-down
lab-down: setup engine ## Remove the lab: containers, networks, volumes and images
	$(lab_playbook) -e lab_state=absent

.PHONY: doctor
doctor: ## Say everything that this machine lacks, and change nothing
	@scripts/doctor.sh

.PHONY: setup
setup: ## Make the virtual environment with the pinned packages
	@scripts/setup.sh

.PHONY: engine
engine: setup
	@scripts/engine.sh

##@ Test

.PHONY: test
test: ## Run all layers of tests; ends with a line of counts (what CI runs)
	@python=$$(scripts/python.sh) && $$python -m tests.gates test

.PHONY: test-all
test-all: ## Run more: all supported cores, each scenario from bare servers, benchmarks
	@python=$$(scripts/python.sh) && $$python -m tests.gates test all

.PHONY: lint
lint: setup ## Check the sources: ansible-lint, ruff, mypy, yamllint, shellcheck, actionlint, docs, changelog
	@scripts/tools.sh
	@$(bin)/python -m tests.gates lint

.PHONY: unit
unit: setup ## Run the unit tests, with coverage
	@rm -rf build/coverage
	$(pytest) -n 2 --cov --cov-report=term tests/unit

.PHONY: contract
contract: setup ## Compare our requests and the lab cloud's answers with the vendors' documents
	$(pytest) tests/contract

.PHONY: sanity
sanity: setup ## Run ansible-test sanity on the built artifact, with the newest core
	@scripts/tools.sh
	@$(bin)/python -m tests.gates sanity

.PHONY: sanity-all
sanity-all: setup ## Run ansible-test sanity with every supported core
	@scripts/tools.sh
	@$(bin)/python -m tests.gates sanity all

.PHONY: importer
importer: setup ## Import the built artifact as Galaxy does, and install it into an empty home
	@$(bin)/python -m tests.gates importer

.PHONY: integration
integration: setup ## Run modules, plugins and other clients against the lab cloud, without servers
	$(pytest) -n 2 --dist loadfile -m 'not lab' tests/integration

.PHONY: e2e
e2e: setup engine ## Build the platform in an empty lab, run it again, break it, destroy it
	$(pytest) -m lab tests/integration

.PHONY: molecule
molecule: setup engine ## Run each role's scenario on the lab's servers (SCENARIO=name for one)
	@$(bin)/python -m tests.gates molecule $(SCENARIO)

.PHONY: molecule-short
molecule-short: setup engine
	@$(bin)/python -m tests.gates molecule short

.PHONY: molecule-alone
molecule-alone: setup engine ## Run each role's scenario on bare servers of its own
	@$(bin)/python -m tests.gates molecule alone $(SCENARIO)

.PHONY: chaos
chaos: site ## Break what carries the data while applications write, in the lab; writes figures into docs/reliability.md
	$(pytest) -s tests/chaos

.PHONY: examples
examples: setup engine ## Run the examples of the roles' READMEs on three plain hosts
	$(pytest) tests/examples

.PHONY: bench
bench: site ## Measure against peers in the same run; writes docs/benchmarks.md
	$(pytest) -s tests/benchmarks

##@ Make

.PHONY: docs
docs: setup ## Write the pages of modules and plugins from their sources
	@$(bin)/python scripts/docs.py

.PHONY: build
build: setup ## Build the collection's artifact into build/
	@$(bin)/python -m tests.gates artifact

.PHONY: format
format: setup ## Bring the Python code into the one format
	@$(bin)/ruff format --no-cache --quiet .
	@$(bin)/ruff check --no-cache --quiet --fix .

.PHONY: clean
clean: ## Remove what the other targets made in this checkout (not the lab, not the virtual environment)
	rm -rf build .ansible .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
