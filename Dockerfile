# The compiled proxy on a distroless base: no shell, no package manager. `docker build -t lw-inference-proxy .`
ARG BUN_IMAGE=oven/bun:1.4.5
ARG BASE_IMAGE=gcr.io/distroless/base-debian12:latest

FROM ${BUN_IMAGE} AS build
WORKDIR /build
COPY package.json bun.lock bunfig.toml ./
RUN bun install --frozen-lockfile --production
COPY tsconfig.json ./
COPY src src
RUN bun run --silent compile

FROM ${BASE_IMAGE}
COPY --from=build /build/dist/lw-inference-proxy /usr/local/bin/lw-inference-proxy
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/lw-inference-proxy"]
