# syntax=docker/dockerfile:1.7
# The scheduler, without llama.cpp. From the project's folder:
#   docker build -f deploy/docker/scheduler.Dockerfile -t copymill-scheduler:0.1.0 .

FROM rust:1.95.0-bookworm AS tools
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/*
# What writes down which crates are depended on, and compiles them apart from the sources. The registry is for one build at a
# time: Cargo's own lock lies outside of it.
RUN --mount=type=cache,id=copymill-registry,target=/usr/local/cargo/registry,sharing=locked \
    cargo install cargo-chef --version 0.1.78 --locked
WORKDIR /src
ENV CARGO_INCREMENTAL=0

FROM tools AS recipe
COPY . .
RUN cargo chef prepare --recipe-path /recipe.json

FROM tools AS build
COPY --from=recipe /recipe.json /recipe.json
# A layer of its own, which changes with Cargo.lock, the manifests and the list of targets, and not with the sources.
RUN --mount=type=cache,id=copymill-registry,target=/usr/local/cargo/registry,sharing=locked \
    cargo chef cook --release --locked --recipe-path /recipe.json --package copymill-scheduler
COPY . .
RUN --mount=type=cache,id=copymill-registry,target=/usr/local/cargo/registry,sharing=locked \
    deploy/docker/build.py /out/usr/local copymill-scheduler
RUN --mount=type=cache,id=copymill-registry,target=/usr/local/cargo/registry,sharing=locked \
    mkdir -p /out/usr/share/copymill \
 && deploy/docker/sbom.py copymill-scheduler > /out/usr/share/copymill/sbom.cdx.json \
 && cp LICENSE-APACHE LICENSE-MIT /out/usr/share/copymill/

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libgcc-s1 \
 && rm -rf /var/lib/apt/lists/*
# A number, so that Kubernetes can tell that it is not root.
RUN groupadd --gid 10001 copymill \
 && useradd --uid 10001 --gid 10001 --home-dir /var/lib/copymill --no-create-home --shell /usr/sbin/nologin copymill \
 && install -d -o copymill -g copymill -m 0750 /var/lib/copymill /var/cache/copymill
COPY --from=build /out/ /
COPY --chmod=755 deploy/docker/healthy.sh /usr/local/bin/copymill-healthy
ENV COPYMILL_ADMIN__ADDRESS=0.0.0.0:9090 \
    COPYMILL_SCHEDULER__HTTP=0.0.0.0:8080 \
    COPYMILL_SCHEDULER__SCRATCH=/var/lib/copymill/scratch \
    COPYMILL_SCHEDULER__CACHE=/var/cache/copymill
USER 10001:10001
WORKDIR /var/lib/copymill
EXPOSE 8080 9090
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["copymill-healthy"]
ENTRYPOINT ["copymill-scheduler"]
ARG SOURCE=""
ARG VERSION=0.1.0
ARG REVISION=""
LABEL org.opencontainers.image.title="copymill-scheduler" \
      org.opencontainers.image.description="Leads Copymill's campaigns: cuts them into chunks, hands these to workers, finishes with a manifest" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.source="$SOURCE" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
