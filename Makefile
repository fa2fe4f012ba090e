# `make` lists what it can do: the text after `##`.

TARGET := $(or $(CARGO_TARGET_DIR),target)
BIN := $(TARGET)/debug
CRDS := crds/connectiongroups.yaml
CHART_CRDS := charts/connection-group-operator/files/crd.yaml

.DEFAULT_GOAL := help
.PHONY: help build tools demo demo-programs demo-control-plane test test-code test-model test-chart model model-records mutants e2e aws-contract image bench lint generate check-generated check-deps clean bump site release-test

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Tests included: dev-dependencies switch features on, so leaving them out would compile much of the tree once more for `make test`.
build: ## Compile everything: operator, simulator, testbed and the tests
	cargo build --workspace --all-targets

tools: build ## Build etcd, Kubernetes' servers, kubectl and helm with Go, once; takes minutes
	$(BIN)/tools

# Only what the demo shows, Go beside cargo. Cargo builds one thing at a time, so what starts Go comes first.
demo: ## Show the life of a connection group on this machine; CLUSTER=CONTEXT uses a cluster you have (kind, k3d, minikube), and builds no Kubernetes
	cargo build --package tools
	$(MAKE) --no-print-directory --jobs=2 demo-programs $(if $(CLUSTER),,demo-control-plane)
	$(BIN)/testbed demo $(if $(CLUSTER),--context '$(CLUSTER)')

demo-programs:
	cargo build --package connection-group-operator --package cloudfront-simulator --package testbed --bins

demo-control-plane:
	$(BIN)/tools control-plane

# Side by side: the model check needs the cores, while the tests against the API server mostly wait, so those have more threads than cores.
test: build tools ## Run all tests: Rust's, the chart's, and real AWS clients against the simulator
	rm -f $(TARGET)/operations-seen.txt $(TARGET)/commands-run.txt
	$(MAKE) --jobs --keep-going --output-sync=target test-chart test-model test-code
	cargo test --workspace --test documents -- --ignored
	SIMULATOR=$(BIN)/cloudfront-simulator tests/clients/run.sh
	TOOLS_DIR=$(TARGET)/tools STATES=$(TARGET)/states charts/tests/operations/run.sh

test-code: build tools
	RUST_TEST_THREADS=12 cargo test --workspace --no-fail-fast -- --skip explorations:: --skip bugs::

test-model: build
	cargo test --workspace --lib --test model -- explorations:: bugs::

test-chart: tools ## Check the chart without a cluster: templates, schema, documents
	TOOLS_DIR=$(TARGET)/tools charts/tests/chart/run.sh

model: build ## Explore the reconcile further than `make test` does; takes up to an hour, and 12 GB of memory
	MODEL_BOUND=wide RUST_TEST_THREADS=2 cargo test --workspace --test model

model-records: build ## Write the number of states of each scenario of the model check anew: tests/model/records.tsv
	MODEL_RECORDS=write cargo test --workspace --test model explorations

mutants: build ## Change the code in one place at a time: for each change, a test must fail; takes hours; SHARD=k/n, or CHANGED=1 for what a branch changed
	tests/mutants/run.sh

e2e: ## Try chart and images on a real cluster: KUBECONFIG, IMAGE, SIMULATOR_IMAGE; see docs/e2e.md
	tests/e2e/run.sh

aws-contract: build ## Try on AWS itself what the operator relies on; asks first; see docs/aws-contract.md
	$(BIN)/aws-contract

image: ## Build the operator's image twice with buildah and hold it to its promises; takes minutes
	image/check.sh

bump: ## Write VERSION=0.2.0 to all places that name the version; see docs/release.md
	release/version.py bump $(VERSION)

release-test: tools ## Publish, verify and install a release with a registry on this machine; builds cosign once, which takes minutes
	TESTBED=$(BIN)/testbed release/test.sh

# One build for all of it: `cargo bench` alone would not build the simulator and the testbed's guard.
bench: build ## Measure the release build against the figures to beat, and the memory beside 500 objects of a megabyte; takes about ten minutes
	cargo build --release --workspace --bins --bench operator
	$(TARGET)/release/tools
	cargo bench --workspace --bench operator
	MEMORY_OBJECTS=500 cargo test --workspace --test cluster memory_limit -- --nocapture

site: ## Build the documents as a site, in target/site, and check its links
	docs/site/build.sh

lint: site ## Check format, lints, Dockerfiles, shell scripts, workflows, prose and the links of the documents
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	image/lint.sh
	release/lint.sh
	docs/prose/lint.sh

generate: build ## Write what is generated: the CustomResourceDefinition, also the chart's copy
	$(BIN)/connection-group-operator crd > $(CRDS).new
	mv $(CRDS).new $(CRDS)
	cp $(CRDS) $(CHART_CRDS)

check-generated: build ## Fail if what is generated is not up to date
	$(BIN)/connection-group-operator crd | diff -u $(CRDS) - || { echo "run: make generate" >&2; exit 1; }
	diff -u $(CRDS) $(CHART_CRDS) || { echo "run: make generate" >&2; exit 1; }

check-deps: ## Check the licences, duplicates and sources of the crates, and that no banned one (ring) is among them; builds cargo-deny once
	release/deny.sh

clean: ## Remove all that was built, the Go tools included
	cargo clean
