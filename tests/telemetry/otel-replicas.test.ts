/** Reports for models whose requests several replicas share. */
import { describe, expect, test } from "bun:test";
import type { BackendLoad, RequestReport, Telemetry } from "../../src/telemetry/telemetry.ts";
import { chat } from "../support/client/requests.ts";
import type { ReceivedMetric } from "../support/collector/receiver.ts";
import {
  startReportingProxy,
  startTestTelemetry,
  type TestTelemetry,
} from "../support/proxy/reporting.ts";
import { makeBackend } from "../support/server/backends.ts";
import { fakeBackend } from "../support/server/scripted.ts";
import { until } from "../support/until.ts";

const CHAT = "/v1/chat/completions";

function chatRequest(telemetry: Telemetry, model = "m", isKnown = true): RequestReport {
  const report = telemetry.request(new Request(`http://proxy.test${CHAT}`), CHAT);
  report.named(model, isKnown);
  return report;
}

/** Sends all data and ends the telemetry. */
async function metricOf(
  { telemetry, receiver }: TestTelemetry,
  name: string,
): Promise<ReceivedMetric | undefined> {
  await telemetry.shutdown();
  return receiver.metrics.get(name);
}

/** The lines of one metric, without their common part. */
async function scraped({ telemetry }: TestTelemetry, name: string): Promise<readonly string[]> {
  const text = (await telemetry.scrape?.()) ?? "";
  return text
    .split("\n")
    .filter((line) => line.startsWith(`${name}{`))
    .map((line) => line.replace(/,?otel_scope_\w+="[^"]*"/g, "").slice(name.length));
}

describe("proxy.route.decisions", () => {
  test("counts by model and reason", async () => {
    using test_ = startTestTelemetry({ scrape: true });
    const report = chatRequest(test_.telemetry);
    for (const reason of ["prefix", "failover", "prefix"] as const) report.decided(reason);
    chatRequest(test_.telemetry, "n").decided("load");
    chatRequest(test_.telemetry, "made up", false).decided("only");
    expect(await scraped(test_, "proxy_route_decisions_total")).toEqual([
      '{model="m",reason="prefix"} 2',
      '{model="m",reason="failover"} 1',
      '{model="n",reason="load"} 1',
      '{model="unknown",reason="only"} 1',
    ]);
    const metric = await metricOf(test_, "proxy.route.decisions");
    expect(metric?.unit).toBe("{request}");
    expect(metric?.points.map(({ labels, value }) => [labels, value])).toEqual([
      [{ model: "m", reason: "prefix" }, 2],
      [{ model: "m", reason: "failover" }, 1],
      [{ model: "n", reason: "load" }, 1],
      [{ model: "unknown", reason: "only" }, 1],
    ]);
  });

  test("stays at 1,000 series and loses no count", async () => {
    using test_ = startTestTelemetry();
    for (let index = 0; index < 1_500; index += 1) {
      chatRequest(test_.telemetry, `m${index}`).decided("load");
    }
    const points = (await metricOf(test_, "proxy.route.decisions"))?.points ?? [];
    expect(points.length).toBeWithin(990, 1_001);
    expect(points.reduce((sum, { value }) => sum + value, 0)).toBe(1_500);
  });
});

describe("proxy.backend.load", () => {
  test("has no series without replicas", async () => {
    using test_ = startTestTelemetry({ scrape: true });
    expect(await scraped(test_, "proxy_backend_load")).toEqual([]);
    expect(await metricOf(test_, "proxy.backend.load")).toBeUndefined();
  });

  test("shows the current load of each replica, and no replica that is gone", async () => {
    let loads: readonly BackendLoad[] = [
      { name: "vllm-1", load: 3.125 },
      { name: 'v"2', load: 0 },
    ];
    using test_ = startTestTelemetry({ scrape: true, backendLoads: () => loads });
    expect(await scraped(test_, "proxy_backend_load")).toEqual([
      '{container_name="vllm-1"} 3.125',
      '{container_name="v\\"2"} 0',
    ]);
    loads = [{ name: "vllm-3", load: 1 }];
    expect(await scraped(test_, "proxy_backend_load")).toEqual(['{container_name="vllm-3"} 1']);
    expect(await test_.telemetry.scrape?.()).toContain("# TYPE proxy_backend_load gauge\n");
    loads = [];
    expect(await scraped(test_, "proxy_backend_load")).toEqual([]);
  });

  test.each(["cumulative", "delta", "lowmemory"])(
    "shows no replica that is gone over OTLP either, with %s",
    async (temporality) => {
      let loads: readonly BackendLoad[] = [{ name: "vllm-1", load: 1 }];
      using test_ = startTestTelemetry({
        backendLoads: () => loads,
        env: (origin) => ({
          OTEL_EXPORTER_OTLP_ENDPOINT: origin,
          OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: temporality,
          OTEL_METRIC_EXPORT_INTERVAL: "50",
          OTEL_METRIC_EXPORT_TIMEOUT: "50",
        }),
      });
      const shown = (): unknown =>
        test_.receiver.metrics
          .get("proxy.backend.load")
          ?.points.map(({ labels, value }) => [labels["container.name"], value]);
      await until("it is shown", () => Bun.deepEquals(shown(), [["vllm-1", 1]]));
      loads = [{ name: "vllm-2", load: 2.5 }];
      await until("it is gone", () => Bun.deepEquals(shown(), [["vllm-2", 2.5]]));
      chatRequest(test_.telemetry).decided("load");
      await test_.telemetry.shutdown();
      // Other instruments use the temporality from the environment.
      expect(test_.receiver.metrics.get("proxy.route.decisions")?.temporality).toBe(
        temporality === "cumulative" ? "CUMULATIVE" : "DELTA",
      );
    },
  );

  test("adds up containers with the same name, which two engines may have", async () => {
    const loads = [1.5, 2].map((load) => ({ name: "vllm-1", load }));
    using test_ = startTestTelemetry({ scrape: true, backendLoads: () => loads });
    expect(await scraped(test_, "proxy_backend_load")).toEqual(['{container_name="vllm-1"} 3.5']);
  });

  test("has 998 names plus one for the rest, permanently, and no long name", async () => {
    let loads = Array.from({ length: 1_500 }, (_, index) => ({ name: `c${index}`, load: 1 }));
    using test_ = startTestTelemetry({ scrape: true, backendLoads: () => loads });
    const first = await scraped(test_, "proxy_backend_load");
    expect(first).toHaveLength(999);
    expect(first.at(-1)).toBe('{container_name="other"} 502');
    loads = [
      { name: "new", load: 2 },
      { name: "x".repeat(257), load: 3 },
      { name: "c0", load: 4 },
    ];
    expect(await scraped(test_, "proxy_backend_load")).toEqual([
      '{container_name="other"} 5',
      '{container_name="c0"} 4',
    ]);
  });
});

describe("the spans of a request to replicas", () => {
  const backend = (name: string) => ({ name, origin: "http://127.0.0.1:9", basePath: "/v1" });

  test("say why each replica was chosen, and where and why a failover happened", async () => {
    using test_ = startTestTelemetry();
    const report = chatRequest(test_.telemetry);
    report.decided("prefix");
    report.call(backend("vllm-1")).failed(new Error("refused"), undefined);
    report.failover("connection refused", "vllm-1");
    report.decided("failover");
    report.call(backend("vllm-2")).failed(new Error("reset"), undefined);
    report.call(backend("vllm-2")).ended({ bytes: 0 }, undefined); // sent again: no new choice
    await test_.telemetry.shutdown();
    const { spans } = test_.receiver;
    const server = spans.find(({ kind }) => kind === "SERVER");
    const clients = spans.filter(({ kind }) => kind === "CLIENT");
    expect(server?.attributes).toMatchObject({
      "proxy.route.reason": "failover",
      "container.name": "vllm-2",
    });
    expect(server?.events).toMatchObject([
      {
        name: "failover",
        attributes: { reason: "connection refused", "container.name": "vllm-1" },
      },
    ]);
    expect(clients.map(({ attributes }) => attributes["proxy.route.reason"])).toEqual([
      "prefix",
      "failover",
      undefined,
    ]);
  });

  test("end with the answer of the last replica when all replicas refuse", async () => {
    const statuses = [503, 429];
    using one = fakeBackend(() => new Response("busy", { status: statuses.shift() ?? 503 }));
    const replica = (name: string) => makeBackend({ name, origin: one.origin, isReplica: true });
    using reporting = startReportingProxy([replica("vllm-1"), replica("vllm-2")], {
      scrape: true,
    });
    expect((await chat(reporting.proxy.origin, "m")).status).toBe(429);
    statuses.push(429, 503);
    expect((await chat(reporting.proxy.origin, "m")).status).toBe(503);
    expect(await scraped(reporting, "proxy_requests_total")).toEqual([
      '{model="m",status_code="429"} 1',
      '{model="m",status_code="503"} 1',
    ]);
    expect(await scraped(reporting, "proxy_route_decisions_total")).toEqual([
      '{model="m",reason="load"} 2',
      '{model="m",reason="failover"} 2',
    ]);
    const { servers, clients } = await reporting.spans();
    expect(clients.map(({ attributes }) => attributes["error.type"])).toEqual([
      "503",
      "429",
      "429",
      "503",
    ]);
    // A client error is not an error of a SERVER span.
    expect(
      servers.map(({ attributes, status }) => [attributes["error.type"], status.code]),
    ).toEqual([
      [undefined, "UNSET"],
      ["503", "ERROR"],
    ]);
    expect(servers.flatMap(({ events }) => events)).toMatchObject([
      { name: "failover", attributes: { reason: "503" } },
      { name: "failover", attributes: { reason: "429" } },
    ]);
  });

  test("end with an earlier answer when the last replica does not answer", async () => {
    using busy = fakeBackend(() => new Response("busy", { status: 503 }));
    const gone = makeBackend({ name: "vllm-1", isReplica: true }); // no process listens there
    const declining = makeBackend({ name: "vllm-2", origin: busy.origin, isReplica: true });
    using reporting = startReportingProxy([gone, declining]);
    expect((await chat(reporting.proxy.origin, "m")).status).toBe(503);
    const { servers } = await reporting.spans();
    expect(servers[0]).toMatchObject({
      attributes: { "error.type": "503", "http.response.status_code": 503 },
      events: [{ name: "failover", attributes: { reason: "503", "container.name": "vllm-2" } }],
      status: { code: "ERROR" },
    });
  });

  test("have at most 32 events, and names cut to 1,024 characters", async () => {
    using test_ = startTestTelemetry();
    const report = chatRequest(test_.telemetry);
    for (let index = 0; index < 100; index += 1) report.failover("saturated", "x".repeat(5_000));
    report.answered(429, undefined);
    await test_.telemetry.shutdown();
    const events = test_.receiver.spans[0]?.events ?? [];
    expect(events).toHaveLength(32);
    expect(events[0]?.attributes["container.name"]).toHaveLength(1_024);
  });
});
