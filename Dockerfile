# The compiled proxy on a distroless base, without a shell or a package manager. Build it with `npm run image` or
# `docker build -t lw-inference-proxy .`. To pin a base image by digest: --build-arg BASE_IMAGE=…@sha256:…
ARG BUN_IMAGE=oven/bun:1.4.5
ARG BASE_IMAGE=gcr.io/distroless/base-debian12:latest

# Runs on the builder's own architecture, because Bun can compile for others. (The legacy builder does not set
# BUILDPLATFORM.)
FROM --platform=${BUILDPLATFORM:-linux/amd64} ${BUN_IMAGE} AS build
WORKDIR /build
# Packages come first: they change seldom, so Docker can reuse their layer.
COPY package.json bun.lock bunfig.toml ./
RUN bun install --frozen-lockfile --production
COPY .ci/build.ts .ci/build-version.ts .ci/
COPY src src
# These come last, because they change with each commit.
# TARGETARCH has no default, which would hide the value that BuildKit sets.
ARG TARGETARCH
ARG VERSION=
ARG COMMIT=
RUN bun .ci/build.ts --arch=${TARGETARCH}

FROM ${BASE_IMAGE}
COPY --from=build /build/dist/lw-inference-proxy /usr/local/bin/lw-inference-proxy
# The proxy starts as root, joins the group of the mounted socket, and switches to this user at once.
ENV PROXY_USER=65532:65532
USER 0:0
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=5s --start-period=10s --retries=3 \
  CMD ["/usr/local/bin/lw-inference-proxy", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/lw-inference-proxy"]
ARG VERSION=
ARG COMMIT=
ARG SOURCE=
LABEL org.opencontainers.image.title="lw-inference-proxy" \
  org.opencontainers.image.description="One OpenAI/Anthropic-compatible endpoint in front of the inference servers on a Docker host" \
  org.opencontainers.image.licenses="MIT" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${COMMIT}" \
  org.opencontainers.image.source="${SOURCE}"
