# The habits. `make demo` shows Kith at work, `make test` proves it; both install what they need.
# One build serves all of a target's programs: --workspace keeps the features of libraries the same throughout.
CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: demo test lint fuzz bench schemas tools

demo: tools ## import a listing, play a year of meetings, report, stay up at http://127.0.0.1:8080
	$(CARGO) build --workspace --bins
	$(TARGET)/debug/demo $(ARGS)

test: tools ## all tests
	$(CARGO) build --workspace --all-targets
	$(CARGO) test --workspace

lint: ## format and lints
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

fuzz: tools .tools/schemathesis ## schemathesis against a real server, as every role, for FUZZ_SECONDS (300)
	$(CARGO) build --workspace --bins
	$(TARGET)/debug/fuzz $(ARGS)

bench: tools ## figures, in a table and in target/bench.json; optimised, under ten minutes after the build
	$(CARGO) build --release --workspace --bins
	$(TARGET)/release/bench $(ARGS)

schemas: ## write the generated schemas again
	$(CARGO) run --quiet -p kith -- schemas --out schemas

tools: .tools/nats-server

.tools/nats-server: deploy/install-nats-server
	deploy/install-nats-server $@

.tools/schemathesis: deploy/install-schemathesis tests/fuzz/requirements.txt
	deploy/install-schemathesis $@
