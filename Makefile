# The front door for people. Thin on purpose: what is done is said by cargo, Maven and tools/.

# Cargo always gets the whole workspace: one package alone would be built a second time with other features.
MAVEN := mvn -B -q -f tomcat-adapter/pom.xml
DENY := PATH="$(CURDIR)/target/tools/bin:$(PATH)" cargo deny
export REMORA_STORE_BIN := $(CURDIR)/target/debug/remora-store

.PHONY: help demo test check fix build bench prerequisites checkers

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

demo: build ## see a failover: a user stays logged in while Tomcat and the store's leader are killed (KEEP=1 leaves all running)
	@target/debug/demo

test: check ## all that CI runs: check, unit tests and the end-to-end claims
	cargo test --workspace

check: checkers build ## format, lints, documentation, house rules, dependencies, Maven verify; changes nothing
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --document-private-items --quiet
	$(DENY) --log-level error check bans licenses sources
	cargo test --quiet --workspace --test tidy
	$(MAVEN) verify

fix: prerequisites ## the only target that edits: formats Rust and Java, applies clippy's safe suggestions
	cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged
	cargo fmt --all
	$(MAVEN) spotless:apply

bench: ## measure beside the peers that are installed (nginx, StandardManager); prints one table
	@tools/prerequisites bench
	@echo "building with optimizations (several minutes the first time) ..."
	@cargo build --release --workspace --bins
	@$(MAVEN) package -DskipTests
	@target/release/bench

build: prerequisites ## the programs and the jar
	@echo "building the store, the proxy and the command line ..."
	@cargo build --workspace --bins
	@echo "building the Tomcat adapter (a minute the first time) ..."
	@$(MAVEN) package -DskipTests

prerequisites:
	@tools/prerequisites

checkers:
	@tools/prerequisites check
