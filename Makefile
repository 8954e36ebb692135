# The front door for people. Thin on purpose: what is done is said by cargo, Maven and tools/.

# Cargo always gets the whole workspace: one package alone would be built a second time with other features.
MAVEN := mvn -B -q -Dsbom -f tomcat-adapter/pom.xml
# Needs the jar of the former, as it was built last.
SPRING := mvn -B -q -Dsbom -f spring-boot-starter/pom.xml
# What is installed and packed, and where: PROFILE=dev takes what tests build.
PROFILE ?= release
PREFIX ?= /usr/local
DESTDIR ?=

# Where the sources lie that something is built of, in the words of Rust's compiler and of C's.
CRATES := $(or $(CARGO_HOME),$(HOME)/.cargo)/registry/src/
NAMELESS := RUSTFLAGS="--remap-path-prefix=$(CURDIR)/= --remap-path-prefix=$(CRATES)=" CFLAGS="-ffile-prefix-map=$(CRATES)="

DENY := PATH="$(CURDIR)/target/tools/bin:$(PATH)" cargo deny
export REMORA_STORE_BIN := $(CURDIR)/target/debug/remora-store

# How long `make soak` troubles real store nodes; how long it feeds each decoder; how long Tomcats behind the proxy have a
# bad time.
SECONDS ?= 600
FUZZ_SECONDS ?= 60
STORM_SECONDS ?= 120

# Which seed `make simulate` plays: whole store nodes under a time, wires and disks that it decides.
SEED ?= 1
SIMULATION := raft::simulation::tests

.PHONY: help demo test simulate soak check check-fast check-crates check-adapter fix build starter programs release install packages bench bench-store bench-proxy compare prerequisites

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

demo: build ## see a failover: a user stays logged in while Tomcat and the store's leader are killed (KEEP=1 leaves all running, TLS=1 encrypts)
	@target/debug/demo

compare: build ## one failover on httpd, HAProxy, nginx and ours, with other session managers and ours: who lost what; seven minutes (ROUNDS=2)
	@target/debug/compare

test: ## all that CI runs: check, unit tests and the end-to-end claims; says at the end what each part took
	@tools/test

simulate: ## play a seed of the store's simulation and tell its story (SEED=n)
	@REMORA_SEED=$(SEED) cargo test --quiet --workspace --lib -- --exact $(SIMULATION)::a_seed_tells_its_story --nocapture

soak: build ## a bad time for real store nodes (SECONDS=600), every decoder for a minute, and the claims too long for every change
	target/debug/soak $(SECONDS)
	REMORA_FUZZ_SECONDS=$(FUZZ_SECONDS) cargo test --workspace --lib -- --nocapture fuzz:: no_bytes_break
	cargo test --workspace -- --ignored
	REMORA_STORM_SECONDS=$(STORM_SECONDS) cargo test --workspace --test storm_fails_no_get_and_repeats_no_post -- --nocapture
	$(MAVEN) -P releases test

check: check-crates check-adapter ## check-fast, documentation, dependencies, Maven verify; changes nothing

check-fast: ## format, lints and house rules, without Maven and without building the programs
	@tools/prerequisites rust
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- --deny warnings
	cargo test --quiet --workspace --test tidy --test one_version_one_licence

check-crates: check-fast
	@tools/prerequisites check
	RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --document-private-items --quiet
	$(DENY) --log-level error check --deny unmatched-skip bans licenses sources

check-adapter: prerequisites programs
	$(MAVEN) verify
	$(SPRING) verify

fix: prerequisites ## the only target that edits: formats Rust and Java, applies clippy's safe suggestions
	cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged
	cargo fmt --all
	$(MAVEN) spotless:apply
	$(SPRING) spotless:apply

bench: ## measure beside the peers that are installed (nginx, StandardManager); prints one table
	@tools/prerequisites bench
	@echo "building with optimizations (several minutes the first time) ..."
	@cargo build --release --workspace --bins
	@$(MAVEN) package -DskipTests
	@target/release/bench

bench-store: ## measure the store beside etcd and Redis; prints one table (KILLS=20 deaths of a leader; SESSIONS=10000,100000,1000000 held)
	@tools/prerequisites bench-store
	@echo "building with optimizations (several minutes the first time) ..."
	@cargo build --release --workspace --bins
	@ONLY=peers,growth target/release/bench

bench-proxy: ## measure the proxy beside nginx, HAProxy, httpd and pingora; in clear, over TLS and HTTP/2; a table a form, fifteen minutes in all (ROUNDS=3 MEASURE_SECONDS=4, FORMS=saturated,idle WITH=nginx,remora for some)
	@tools/prerequisites bench-proxy
	@echo "building with optimizations (several minutes the first time) ..."
	@cargo build --release --workspace --bins
	@cargo build --quiet --release --locked --manifest-path tests/peers/pingora/Cargo.toml --target-dir target/peers
	@ONLY=proxies target/release/bench

release: ## the programs with optimizations, and the jars (PROFILE=dev: what tests build)
	@tools/prerequisites release
	@echo "building the programs and the jars (several minutes the first time) ..."
	@# Where this checkout and the sources of crates lie is said in no program that leaves it.
	@$(if $(filter release,$(PROFILE)),$(NAMELESS)) cargo build --locked --profile $(PROFILE) --workspace --bins --examples
	@$(MAVEN) package -DskipTests
	@$(SPRING) --projects .,starter package -DskipTests

install: ## lay out what `make release` built, with units, man pages and examples (PREFIX=/usr/local DESTDIR=)
	@DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" PROFILE="$(PROFILE)" tools/install

packages: release ## Debian packages, the archive, their SBOMs and checksums, in target/dist
	@tools/sbom
	@PROFILE="$(PROFILE)" tools/packages
	@cat target/dist/SHA256SUMS

build: prerequisites programs ## the programs and the jar
	@echo "building the Tomcat adapter (a minute the first time) ..."
	@$(MAVEN) package -DskipTests

starter: prerequisites ## the Spring Boot starter, its sample, and the starter and the jar into the local Maven repository
	@echo "building the Tomcat adapter and the starter (a minute the first time) ..."
	@$(MAVEN) package -DskipTests
	@$(SPRING) package -DskipTests
	@$(SPRING) --projects .,starter install -DskipTests

programs:
	@echo "building the store, the proxy and the command line ..."
	@# Examples count as tests, and there are none: so what tests add to features is added here, and nothing is built twice.
	@cargo build --workspace --bins --examples

prerequisites:
	@tools/prerequisites
