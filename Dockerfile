# The compiled proxy on a distroless base: no shell, no package manager. `npm run image`, or
# `docker build -t lw-inference-proxy .`. The bases can be pinned by digest: --build-arg BASE_IMAGE=…@sha256:…
ARG BUN_IMAGE=oven/bun:1.4.5
ARG BASE_IMAGE=gcr.io/distroless/base-debian12:latest

# On the builder's own architecture: Bun compiles for others too. (The legacy builder knows no BUILDPLATFORM.)
FROM --platform=${BUILDPLATFORM:-linux/amd64} ${BUN_IMAGE} AS build
WORKDIR /build
# Packages first: they change seldom, and their layer is used again for as long as they don't.
COPY package.json bun.lock bunfig.toml ./
RUN bun install --frozen-lockfile --production
COPY .ci/build.ts .ci/build-version.ts .ci/
COPY src src
# Last, for they change with each commit.
# No default: it would hide what BuildKit sets.
ARG TARGETARCH
ARG VERSION=
ARG COMMIT=
RUN bun .ci/build.ts --arch=${TARGETARCH}

FROM ${BASE_IMAGE}
COPY --from=build /build/dist/lw-inference-proxy /usr/local/bin/lw-inference-proxy
# It starts as root, joins the group of the mounted socket, and at once becomes this user.
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
