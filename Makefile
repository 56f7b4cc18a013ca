# Everything a contributor types. `make` alone shows what there is.

.DEFAULT_GOAL := help
.PHONY: help tools demo test fmt lint generate

# Arguments for the demo: make demo ARGS='--help'
ARGS ?=

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

tools: ## Build kube-apiserver, kube-controller-manager, kubectl, etcd and helm (about 8 minutes, once per version)
	@tools/build all

demo: ## Run the operator against a real control plane and a simulated cloud, on this machine
	@tools/build etcd kube-apiserver kube-controller-manager kubectl
	cargo build --locked -p carpack -p carpack-testkit --bin carpack --bin carpack-demo
	@cargo run --quiet --locked -p carpack-testkit --bin carpack-demo -- $(ARGS)

test: tools ## Run all tests
	cargo test --workspace --locked
	@if [ -x tests/sdk/run ]; then tests/sdk/run; fi

fmt: ## Format the code
	cargo fmt --all

lint: ## Check the format and the lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

generate: ## Write crds/ anew from crates/api
	cargo run --locked --bin carpack -- crd --dir crds
