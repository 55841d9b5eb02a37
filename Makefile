# The habits. `make demo` shows Kith at work, `make test` proves it; both install what they need.
# One build serves all of a target's programs: --workspace keeps the features of libraries the same throughout.
CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: demo test lint advisories fuzz chaos attacks interop bench schemas tools

demo: tools ## import a listing, play a year of meetings, report, stay up at http://127.0.0.1:8080
	$(CARGO) build --workspace --bins
	$(TARGET)/debug/demo $(ARGS)

test: tools .tools/smtp-server ## all tests
	$(CARGO) build --workspace --all-targets
	$(CARGO) test --workspace

lint: .tools/cargo-deny ## format, lints, and what may be linked
	$(CARGO) fmt --all --check
	.tools/cargo-deny --locked --log-level error check bans licenses sources
	$(CARGO) clippy --workspace --all-targets -- -D warnings

advisories: .tools/cargo-deny ## known holes in what is linked; fetches the list of RustSec from GitHub, so not in `make lint`
	.tools/cargo-deny --locked check advisories

fuzz: tools .tools/schemathesis ## schemathesis against a real server, as every role, for FUZZ_SECONDS (300)
	$(CARGO) build --workspace --bins
	$(TARGET)/debug/fuzz $(ARGS)

chaos: ## the simulation of the command side, with faults, from a seed by chance, for CHAOS_SECONDS (1800)
	$(CARGO) build --workspace --bins
	$(TARGET)/debug/chaos $(ARGS)

attacks: ## publish four releases each of 1,000 organisations of chance, and attack them; twenty minutes, ARGS="--organisations 50"
	$(CARGO) build --release --workspace --bins
	$(TARGET)/release/attacks $(ARGS)

interop: tools .tools/python-clients ## clients that are not ours, from PyPI and npm, against KurrentDB's stand-in, events on NATS, asyncapi.json
	$(CARGO) build --workspace --bins
	PYTHONPATH=.tools/python-clients python3 tests/interop/interop.py $(TARGET)/debug .tools/nats-server
	PYTHONPATH=.tools/python-clients python3 tests/interop/events.py $(TARGET)/debug .tools/nats-server
	PYTHONPATH=.tools/python-clients python3 tests/interop/calendars.py $(TARGET)/debug .tools/nats-server
	KITH_FHIR=$(abspath $(TARGET))/fhir $(CARGO) test --workspace --test system referrals::the_guide
	PYTHONPATH=.tools/python-clients python3 tests/interop/fhir.py $(TARGET)/fhir
	tests/interop/asyncapi/check schemas/asyncapi.json .tools/asyncapi

bench: tools ## figures, in a table and in target/bench.json; optimised, under ten minutes after the build
	$(CARGO) build --release --workspace --bins
	$(TARGET)/release/bench $(ARGS)

schemas: ## write the generated schemas again
	$(CARGO) run --quiet -p kith -- schemas --out schemas

tools: .tools/nats-server

.tools/nats-server: deploy/install-nats-server
	deploy/install-nats-server $@

.tools/smtp-server: deploy/install-smtp-server tests/smtp/requirements.txt
	deploy/install-smtp-server $@

.tools/cargo-deny: deploy/install-cargo-deny
	deploy/install-cargo-deny $@

.tools/python-clients: deploy/install-python-clients tests/interop/requirements.txt
	deploy/install-python-clients $@

.tools/schemathesis: deploy/install-schemathesis tests/fuzz/requirements.txt
	deploy/install-schemathesis $@
