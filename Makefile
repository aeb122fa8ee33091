# make demo    set everything up, build, write messages for the example campaign
# make test    set everything up and run every test
# make cluster       start RabbitMQ, an S3 server, a scheduler and two workers here, and run the example campaign on them
# make cluster-down  stop what it started
# make test-images   compile in the images, too, where make test copies what make build made (35 minutes on two cores)
# make check   the quick one: format, lints, documentation, unit tests
# make build   set everything up and build ./copymill

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := build
.PHONY: demo cluster cluster-down test test-images check build setup bench bench-cluster

TEST := cargo test --release --locked --workspace
# Clusters that run at once: their tests mostly wait for what programs do by the clock.
CLUSTERS := $(shell echo $$((2 * $$(nproc))))

# Runs a command, saying before what it does and after how long it took.
step = @started=$$SECONDS; echo "==> $(1)"; $(2); echo "==> done in $$((SECONDS - started)) s"

setup:
	$(call step,build tools,./deploy/setup/build-tools.sh)

build: setup
	$(call step,build (the first time compiles llama.cpp: about 15 minutes on two cores),cargo build --release --locked --workspace)
	@ln -sf target/release/copymill copymill

demo: build
	@./copymill run examples/spring-sale/campaign.yaml

cluster: build
	$(call step,RabbitMQ,./deploy/setup/build-tools.sh cluster)
	@target/release/local-cluster up examples/spring-sale/campaign.yaml

cluster-down:
	@target/release/local-cluster down

test: build
	$(call step,test tools,./deploy/setup/build-tools.sh test && helm/tests/setup.sh && deploy/docker/tests/setup.sh)
	$(call step,tests of the demo model's grammar,(cd examples/demo-model && /usr/bin/python3 -m unittest -q))
	$(call step,tests of alerts and dashboards,.venv/bin/python -m unittest discover -q -s deploy/prometheus/tests)
	$(call step,tests of the chart,.venv/bin/python -m unittest discover -q -s helm/tests)
	$(call step,tests of images and compose,(cd deploy/docker/tests && .venv/bin/python -m unittest -q))
	$(call step,tests of the scaling simulator,.venv/bin/python -m unittest discover -q -s tests/scaling)
	$(call step,tests of crates and of the command line,$(TEST) --lib --bins --test '[!c]*')
	$(call step,tests of clusters,$(TEST) --test cluster -- --test-threads $(CLUSTERS))
	$(call step,tests in documentation,$(TEST) --doc)

test-images: build
	$(call step,test tools,deploy/docker/tests/setup.sh)
	$(call step,tests of images,(cd deploy/docker/tests && COPYMILL_IMAGES=full .venv/bin/python -m unittest))

check: setup
	$(call step,format,cargo fmt --all --check)
	$(call step,lints,cargo clippy --release --locked --workspace --all-targets -- -D warnings)
	$(call step,documentation,RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --workspace --no-deps --quiet)
	$(call step,unit tests,cargo test --release --locked --workspace --lib --bins)

bench: build
	@./copymill bench engine
	@./copymill bench pipeline

bench-cluster: build
	$(call step,RabbitMQ,./deploy/setup/build-tools.sh cluster)
	@target/release/bench-cluster throughput
	@target/release/bench-cluster throughput --own
	@target/release/bench-cluster overhead
	@target/release/bench-cluster fleet
