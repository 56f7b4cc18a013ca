# Everything a contributor types. `make` alone shows what there is.

.DEFAULT_GOAL := help
.PHONY: help tools demo test model chaos chaos-real mutants core-mutants fmt lint generate check-generated

# Arguments for the demo: make demo ARGS='--help'
ARGS ?=

# Tests with a real control plane mostly wait: two thirds of the time goes when four times as many run as there are cores.
test: export RUST_TEST_THREADS ?= $(shell echo $$((4 * $$(getconf _NPROCESSORS_ONLN))))

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

tools: ## Build kube-apiserver, kube-controller-manager, kubectl, etcd and helm (about 8 minutes, once per version)
	@tools/build all

demo: ## Run the operator against a real control plane and a simulated cloud, on this machine
	@tools/build etcd kube-apiserver kube-controller-manager kubectl
	cargo build --locked -p carpack -p carpack-testkit --bin carpack --bin carpack-demo
	@"$${CARGO_TARGET_DIR:-target}/debug/carpack-demo" $(ARGS)

test: tools ## Run all tests
	cargo test --workspace --locked
	@if [ -x tests/sdk/run ]; then tests/sdk/run; fi

model: ## Explore every interleaving of faults in small worlds (CARPACK_MODEL_MINUTES, default 24)
	cargo run --release --locked -p carpack-model

chaos: ## Every fault alone and in pairs, in virtual time (up to 30 minutes); make chaos ARGS='--replay ...' for one
	cargo run --profile chaos --locked -p carpack-chaos -- $(ARGS)

chaos-real: tools ## The same for real: the operator, kube-apiserver and etcd are killed and frozen again and again
	cargo test --locked -p carpack --test chaos_real -- --ignored --nocapture --test-threads=1

mutants: tools ## Show that a test notices each of the faults in tests/mutants: make mutants ARGS='lease token'
	@tests/mutants/run $(ARGS)

core-mutants: ## The same for every line of crates/core, by cargo-mutants (about two hours)
	@cargo mutants --version || { echo "run: cargo install --locked cargo-mutants"; exit 1; }
	CARGO_PROFILE_DEV_DEBUG=false cargo mutants -p carpack-core --baseline skip --timeout 120 -j 2 -o target $(ARGS) $(addprefix -C=,--lib --test=decisions)

fmt: ## Format the code
	cargo fmt --all

lint: ## Check the format and the lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

generate: ## Write all generated files anew: crds/, the chart's copy, deploy/, docs/api.md, the table of reasons
	cargo run --quiet --locked --bin carpack -- crd --dir crds
	cp crds/*.yaml charts/carpack/crds/
	deploy/generate
	cargo run --quiet --locked --bin carpack -- docs --dir docs

check-generated: generate ## Check that the generated files are up to date
	@git diff --exit-code --stat -- crds charts/carpack/crds deploy docs/api.md docs/life-of-a-pack.md || { echo "generated files are out of date: run make generate and commit the result"; exit 1; }
	@test -z "$$(git ls-files --others --exclude-standard -- crds charts/carpack/crds deploy docs)" || { echo "generated files are not committed: git add them"; exit 1; }
