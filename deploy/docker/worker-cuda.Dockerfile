# syntax=docker/dockerfile:1.7
# The worker for NVIDIA GPUs, and the command line. From the project's folder:
#   docker build -f deploy/docker/worker-cuda.Dockerfile -t copymill-worker-cuda:0.1.0 .
# CUDA is a backend that is loaded at the start; where there is no GPU, the CPU backend of worker.Dockerfile works.

FROM rust:1.95.0-bookworm AS rust

FROM nvidia/cuda:12.8.1-devel-ubuntu24.04 AS tools
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates clang cmake g++ libclang-dev make ninja-build pkg-config python3 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=rust /usr/local/cargo /usr/local/cargo
COPY --from=rust /usr/local/rustup /usr/local/rustup
ENV CARGO_HOME=/usr/local/cargo \
    RUSTUP_HOME=/usr/local/rustup \
    PATH=/usr/local/cargo/bin:$PATH
# What writes down which crates are depended on, and compiles them apart from the sources. The registry is for one build at a
# time: Cargo's own lock lies outside of it.
RUN --mount=type=cache,id=copymill-registry,target=/usr/local/cargo/registry,sharing=locked \
    cargo install cargo-chef --version 0.1.78 --locked
WORKDIR /src
# T4, A100, A10 and A40, L4 and L40S, H100 and H200; newer GPUs compile the last one's intermediate code at the first start.
ARG CUDA_ARCHITECTURES="75-real;80-real;86-real;89-real;90"
ENV CARGO_INCREMENTAL=0 \
    CMAKE_GENERATOR=Ninja \
    CMAKE_CUDA_ARCHITECTURES=$CUDA_ARCHITECTURES

FROM tools AS recipe
COPY . .
RUN cargo chef prepare --recipe-path /recipe.json

FROM tools AS build
COPY --from=recipe /recipe.json /recipe.json
# A layer of its own, which changes with Cargo.lock, the manifests and the list of targets, and not with the sources.
RUN --mount=type=cache,id=copymill-registry,target=/usr/local/cargo/registry,sharing=locked \
    cargo chef cook --release --locked --recipe-path /recipe.json --package copymill-worker --package copymill --features copymill/dynamic-backends,copymill/cuda
COPY . .
RUN --mount=type=cache,id=copymill-registry,target=/usr/local/cargo/registry,sharing=locked \
    deploy/docker/build.py /out/usr/local copymill-worker copymill --features copymill/dynamic-backends,copymill/cuda
RUN --mount=type=cache,id=copymill-registry,target=/usr/local/cargo/registry,sharing=locked \
    mkdir -p /out/usr/share/copymill \
 && deploy/docker/sbom.py copymill-worker copymill --features copymill/dynamic-backends,copymill/cuda > /out/usr/share/copymill/sbom.cdx.json \
 && cp LICENSE-APACHE LICENSE-MIT /out/usr/share/copymill/

FROM nvidia/cuda:12.8.1-runtime-ubuntu24.04
# OpenMP is how llama.cpp uses several cores; cuBLAS and the CUDA runtime are in the base, the driver comes from the host.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libgcc-s1 libgomp1 libstdc++6 \
 && rm -rf /var/lib/apt/lists/*
# A number, so that Kubernetes can tell that it is not root.
RUN groupadd --gid 10001 copymill \
 && useradd --uid 10001 --gid 10001 --home-dir /var/lib/copymill --no-create-home --shell /usr/sbin/nologin copymill \
 && install -d -o copymill -g copymill -m 0750 /var/lib/copymill /var/cache/copymill
COPY --from=build /out/ /
COPY --chmod=755 deploy/docker/healthy.sh /usr/local/bin/copymill-healthy
# Lets the programs find llama.cpp's libraries in /usr/local/lib.
RUN ldconfig
ENV COPYMILL_ADMIN__ADDRESS=0.0.0.0:9090 \
    COPYMILL_WORKER__CACHE=/var/cache/copymill \
    COPYMILL_CACHE=/var/cache/copymill
USER 10001:10001
WORKDIR /var/lib/copymill
EXPOSE 9090
# A model may have to be downloaded first, but the port answers meanwhile.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["copymill-healthy"]
ENTRYPOINT ["copymill-worker"]
ARG SOURCE=""
ARG VERSION=0.1.0
ARG REVISION=""
LABEL org.opencontainers.image.title="copymill-worker-cuda" \
      org.opencontainers.image.description="Generates the messages of Copymill's campaigns on NVIDIA GPUs" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.source="$SOURCE" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
