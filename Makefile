# The only place where commands are written down. What is longer than a line is in tests/.
.DEFAULT_GOAL := help
.PHONY: help build e2e operator test demo demo-down cluster cluster-down kubectl lint audit generate images ci
SHELL := /bin/bash

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: ## build everything, start a cluster, run the shop and ask it; CLUSTER=real|simulated|kind|current
	@hack/demo/demo.sh up

demo-down: ## end the demo and leave nothing of it
	@hack/demo/demo.sh down

test: ## everything that this machine can run
	@tests/test.sh

e2e: ## end to end on real pods (root)
	@tests/e2e/run

build: ## the program, for this machine
	cargo build --locked

# Only the linking differs from what `build` makes and the tests stand on, so a demo and the tests compile everything once.
# Releases are optimised: see Dockerfile.
operator: ## the program, static, as it goes into the image of the demo and of the tests
	cargo rustc --locked --bin microapp -- -C target-feature=+crt-static -C strip=symbols
	install -D target/debug/microapp target/static/microapp

lint: ## formatting, lints, laws and words; scripts too; and licences, once `make audit` was run
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo test --locked --quiet --test architecture
	@hack/lint-scripts
	@hack/tools/audit --built

audit: ## licences, sources and advisories of all dependencies
	@hack/tools/audit

generate: build ## what follows from the types: crds/, docs/api.md, the chart's generated files, manifests/install.yaml
	target/debug/microapp crd > crds/microserviceapps.yaml
	target/debug/microapp crd -o markdown > docs/api.md
	charts/generate

images: operator ## the images that the tests need, without a container engine (root); prints their folder
	@hack/images/build
	@hack/images/build --operator target/static/microapp ghcr.io/microapp-dev/microapp:$$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)

cluster: ## an empty cluster for trials (root); SIMULATED=1: pods are only simulated
	@hack/cluster/cluster up $(if $(SIMULATED),--simulated)

cluster-down: ## end it
	@hack/cluster/cluster down $(if $(SIMULATED),--simulated)

kubectl: ## kubectl against it: make kubectl ARGS='get pods -A' [SIMULATED=1]
	@hack/cluster/cluster kubectl $(if $(SIMULATED),--dir $${TMPDIR:-/tmp}/microapp-simulated-$$UID) $(ARGS)

ci: lint audit test ## what a change must pass
