/** What the compiled binary sends to a collector, and each variable that controls it. */
import { describe, expect, test } from "bun:test";
import { chat, streamedChat } from "../../support/client/requests.ts";
import { hasWritten } from "../../support/process/memory.ts";
import { freePort, runCompiled } from "../../support/proxy/compiled.ts";
import {
  type CompiledTelemetry,
  startCompiledTelemetry,
} from "../../support/proxy/compiled-telemetry.ts";
import { streamedAnswer } from "../../support/server/scripted.ts";
import { until } from "../../support/until.ts";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const PARENT_ID = "b7ad6b7169203331";
const TRACEPARENT = `00-${TRACE_ID}-${PARENT_ID}-01`;

/** OpenTelemetry's API creates this when it is evaluated, from its version number. */
const EVALUATED = "opentelemetry.js.api.1";

type Environment = Readonly<Record<string, string>>;

async function traced({ proxy }: CompiledTelemetry): Promise<void> {
  const response = await fetch(`${proxy.origin}/v1/chat/completions`, {
    method: "POST",
    body: '{"model":"m"}',
    headers: { traceparent: TRACEPARENT, tracestate: "vendor=1" },
  });
  expect(response.status).toBe(200);
  await response.bytes();
}

describe("telemetry off", () => {
  test.each<[why: string, env: (origin: string) => Environment]>([
    ["nothing is set", () => ({})],
    ["the endpoint is empty", () => ({ OTEL_EXPORTER_OTLP_ENDPOINT: "" })],
    [
      "it is disabled",
      (origin) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: origin, OTEL_SDK_DISABLED: "true" }),
    ],
  ])(
    "if %s: no telemetry code is evaluated, nothing is sent, and the proxy changes no header",
    async (_why, env) => {
      await using run = await startCompiledTelemetry(env);
      await traced(run);
      expect(hasWritten(run.proxy.pid, "DOCKER_HOST")).toBe(true); // shows that the check finds a string that is there
      expect(hasWritten(run.proxy.pid, EVALUATED)).toBe(false);
      const { headers } = run.backend.received.at(-1)!;
      expect(headers.get("traceparent")).toBe(TRACEPARENT);
      expect(headers.get("tracestate")).toBe("vendor=1");
      const answer = await fetch(`${run.proxy.origin}/metrics`);
      expect(answer.status).toBe(404);
      expect(await run.stop()).toBe(0);
      expect(run.receiver.requests).toEqual([]);
    },
  );
});

describe("telemetry on", () => {
  test("a trace goes from the client through the proxy to the backend", async () => {
    await using run = await startCompiledTelemetry();
    const before = Date.now();
    await traced(run);
    const after = Date.now();
    expect(hasWritten(run.proxy.pid, EVALUATED)).toBe(true);
    expect(await run.stop()).toBe(0);
    const [client, server] = run.receiver.spans;
    expect(run.receiver.spans).toHaveLength(2);
    expect(server).toMatchObject({
      name: "POST /v1/chat/completions",
      kind: "SERVER",
      traceId: TRACE_ID,
      parentSpanId: PARENT_ID,
      traceState: "vendor=1",
      attributes: { model: "m", streaming: false, "container.name": "server-1" },
      resource: { "service.name": "inference-proxy", "service.version": "0.1.0" },
    });
    expect(client).toMatchObject({
      name: "chat m",
      kind: "CLIENT",
      traceId: TRACE_ID,
      parentSpanId: server!.spanId,
      attributes: { "gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 5 },
    });
    for (const span of [client!, server!]) {
      expect(span.startMs).toBeGreaterThanOrEqual(before - 1);
      expect(span.endMs).toBeLessThanOrEqual(after + 2);
      expect(span.endMs).toBeGreaterThan(span.startMs);
    }
    const { headers } = run.backend.received.at(-1)!;
    expect(headers.get("traceparent")).toBe(`00-${TRACE_ID}-${client!.spanId}-01`);
    expect(headers.get("tracestate")).toBe("vendor=1");
    const metric = (name: string): unknown => run.receiver.metrics.get(name)?.points;
    expect(metric("proxy.requests.total")).toMatchObject([
      { labels: { model: "m", status_code: 200 }, value: 1 },
    ]);
    expect(metric("proxy.backends.active")).toMatchObject([{ value: 1 }]);
    expect(metric("proxy.routing_table.updates")).toMatchObject([
      { labels: { action: "admit" }, value: 1 },
      { labels: { action: "replace models" }, value: 0 },
      { labels: { action: "drain" }, value: 0 },
      { labels: { action: "remove" }, value: 0 },
    ]);
  });

  test("a stream that is cut because the proxy must end is reported", async () => {
    const answer = streamedAnswer({ headers: { "content-type": "text/event-stream" } });
    await using run = await startCompiledTelemetry(
      (origin) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: origin, PROXY_DRAIN_TIMEOUT: "100ms" }),
      () => answer.response,
    );
    answer.send("data: {}\n\n");
    const stream = await streamedChat(run.proxy.origin, "m");
    expect(await run.stop()).toBe(0);
    expect(await stream.end).not.toBe("complete");
    expect(run.receiver.spans.map(({ kind }) => kind)).toEqual(["CLIENT", "SERVER"]);
    for (const { attributes, status } of run.receiver.spans) {
      expect([attributes["error.type"], status.code]).toEqual(["client_gone", "ERROR"]);
    }
  });

  test("metrics can be scraped without a collector", async () => {
    await using run = await startCompiledTelemetry(() => ({ PROXY_METRICS: "true" }));
    await traced(run);
    expect(run.backend.received.at(-1)!.headers.get("traceparent")).toBe(TRACEPARENT);
    const text = await fetch(`${run.proxy.origin}/metrics`).then((answer) => answer.text());
    expect(text).toMatch(/^proxy_requests_total\{model="m",status_code="200",.*\} 1$/m);
    expect(text).toMatch(/^proxy_backends_active\{.*\} 1$/m);
    expect(await run.stop()).toBe(0);
    expect(run.receiver.requests).toEqual([]);
  });
});

describe("the environment", () => {
  const BASE = "OTEL_EXPORTER_OTLP_ENDPOINT";

  test("sets the endpoint, headers, compression, resource and interval", async () => {
    await using run = await startCompiledTelemetry((origin) => ({
      [BASE]: `${origin}/base`,
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${origin}/just/v1/metrics`,
      OTEL_EXPORTER_OTLP_HEADERS: "x-key=a%20b",
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: "x-more=1",
      OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
      OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: "delta",
      OTEL_SERVICE_NAME: "my-proxy",
      OTEL_RESOURCE_ATTRIBUTES: "service.name=other,deployment.environment.name=prod%2C1",
      OTEL_BSP_SCHEDULE_DELAY: "50",
      OTEL_METRIC_EXPORT_INTERVAL: "100",
      HTTP_PROXY: "http://127.0.0.1:9",
      http_proxy: "http://127.0.0.1:9",
    }));
    await traced(run);
    await until("spans have arrived", () => run.receiver.spans.length === 2);
    await until("metrics have arrived", () => run.receiver.metrics.has("proxy.requests.total"));
    const paths = new Set(run.receiver.requests.map(({ path }) => path));
    expect(paths).toEqual(new Set(["/base/v1/traces", "/just/v1/metrics"]));
    for (const { headers } of run.receiver.requests) {
      expect(headers.get("x-key")).toBe("a b");
      expect(headers.get("content-encoding")).toBe("gzip");
    }
    const traces = run.receiver.requests.find(({ path }) => path === "/base/v1/traces");
    expect(traces!.headers.get("x-more")).toBe("1");
    const resource = { "service.name": "my-proxy", "deployment.environment.name": "prod,1" };
    expect(run.receiver.spans[0]!.resource).toMatchObject(resource);
    expect(run.receiver.metrics.get("proxy.requests.total")).toMatchObject({
      resource,
      temporality: "DELTA",
    });
    expect(await run.stop()).toBe(0);
  });

  test.each<[what: string, env: Environment, spans: number, metrics: boolean]>([
    ["OTEL_TRACES_EXPORTER=none", { OTEL_TRACES_EXPORTER: "none" }, 0, true],
    ["OTEL_METRICS_EXPORTER=none", { OTEL_METRICS_EXPORTER: "none" }, 2, false],
    ["always_off", { OTEL_TRACES_SAMPLER: "always_off" }, 0, true],
    [
      "a sampling ratio of 0",
      { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" },
      0,
      true,
    ],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", { OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf" }, 2, true],
  ])("with %s the proxy sends only the selected signals", async (_what, env, spans, metrics) => {
    await using run = await startCompiledTelemetry((origin) => ({ [BASE]: origin, ...env }));
    await traced(run);
    expect(await run.stop()).toBe(0);
    expect(run.receiver.spans).toHaveLength(spans);
    expect(run.receiver.metrics.has("proxy.requests.total")).toBe(metrics);
    const sent = run.backend.received.at(-1)!.headers.get("traceparent");
    const untouched = env["OTEL_TRACES_EXPORTER"] === "none";
    expect(sent === TRACEPARENT).toBe(untouched);
  });

  test("OTEL_LOG_LEVEL shows OpenTelemetry's own log", async () => {
    await using run = await startCompiledTelemetry((origin) => ({
      [BASE]: origin,
      OTEL_LOG_LEVEL: "debug",
      LOG_LEVEL: "debug",
    }));
    expect(await run.stop()).toBe(0);
    expect(run.proxy.logged('"opentelemetry"')).toBe(true);
  });

  test("an endpoint at the gRPC port gets one warning, and the proxy keeps running", async () => {
    const endpoint = "http://127.0.0.1:4317";
    await using run = await startCompiledTelemetry(() => ({ [BASE]: endpoint }));
    expect((await chat(run.proxy.origin, "m")).status).toBe(200);
    const warnings = run.proxy.log().filter(({ level }) => level === "warn");
    expect(warnings).toMatchObject([
      {
        message: "configuration warning",
        reason:
          "port 4317 is for OTLP over gRPC, which the proxy does not support; set OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318",
      },
    ]);
  });

  test("every wrong variable gets its own line, and the exit code is 2", async () => {
    const env = {
      [BASE]: "collector:4318",
      OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
      OTEL_TRACES_SAMPLER: "sometimes",
      OTEL_METRIC_EXPORT_INTERVAL: "60s",
      PROXY_METRICS: "yes",
    };
    const { code, stdout, stderr } = await runCompiled({
      ...env,
      PROXY_PORT: String(freePort()),
    });
    expect([code, stdout]).toEqual([2, ""]);
    const lines = stderr.trimEnd().split("\n");
    expect(lines).toHaveLength(5);
    for (const [name, value] of Object.entries(env)) {
      const saysSo = lines.filter((line) => line.includes(`${name} is "${value}": expected`));
      expect(saysSo, name).toHaveLength(1);
    }
  });
});
