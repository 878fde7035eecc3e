import { describe, expect, test } from "bun:test";
import { diag } from "@opentelemetry/api";
import { METRICS } from "../../src/telemetry/metrics.ts";
import { chat, post, streamedChat } from "../support/client/requests.ts";
import type { ReceivedMetric } from "../support/collector/receiver.ts";
import {
  type ReportingProxy,
  startReportingProxy,
  startTestTelemetry,
} from "../support/proxy/reporting.ts";
import { makeBackend } from "../support/server/backends.ts";
import { fakeBackend, streamedAnswer } from "../support/server/scripted.ts";

const STREAM = { headers: { "content-type": "text/event-stream" } };
const USAGE = { prompt_tokens: 3, completion_tokens: 5 };
const CHAT = {
  "gen_ai.operation.name": "chat",
  "gen_ai.provider.name": "openai",
  "gen_ai.request.model": "m",
};

/** Sends all data and ends the telemetry. */
async function metricsOf({
  telemetry,
  receiver,
}: Pick<ReportingProxy, "telemetry" | "receiver">): Promise<(name: string) => ReceivedMetric> {
  await telemetry.shutdown();
  return (name) => receiver.metrics.get(name)!;
}

describe("metrics over OTLP", () => {
  test("count requests by model and status; only ids of the routing table are labels", async () => {
    using backend = fakeBackend(() => Response.json({ usage: USAGE }));
    using reporting = startReportingProxy([makeBackend({ origin: backend.origin })]);
    for (const model of ["m", "m", "a", "b", "unknown"]) await chat(reporting.proxy.origin, model);
    await post(reporting.proxy.origin, "/v1/models/m", {}); // without a model
    const metric = await metricsOf(reporting);
    const requests = metric("proxy.requests.total");
    expect(requests).toMatchObject({ unit: "{request}", temporality: "CUMULATIVE" });
    expect(requests.points.map(({ labels, value }) => [labels, value])).toEqual([
      [{ model: "m", status_code: 200 }, 2],
      [{ model: "unknown", status_code: 404 }, 3],
      [{ model: "unknown", status_code: 400 }, 1],
    ]);
    const duration = metric("proxy.request.duration");
    expect(duration.unit).toBe("s");
    expect(duration.points.map(({ labels, count }) => [labels, count])).toEqual([
      [{ model: "m" }, 2],
      [{ model: "unknown" }, 4],
    ]);
    expect(duration.points[0]!.sum).toBeGreaterThan(0);
    expect(duration.points[0]!.sum).toBeLessThan(2);
    expect(duration.points[0]!.bounds).toEqual([...METRICS.duration.boundaries]);
    expect(duration.points[0]!.bounds.at(-1)).toBe(600);
  });

  test("have tokens of input and output", async () => {
    using backend = fakeBackend(() => Response.json({ usage: USAGE }));
    using reporting = startReportingProxy([makeBackend({ origin: backend.origin })]);
    await chat(reporting.proxy.origin, "m");
    const { unit, points } = (await metricsOf(reporting))("gen_ai.client.token.usage");
    expect(unit).toBe("{token}");
    expect(points.map(({ labels, count, sum }) => [labels, count, sum])).toEqual([
      [{ ...CHAT, "gen_ai.token.type": "input" }, 1, 3],
      [{ ...CHAT, "gen_ai.token.type": "output" }, 1, 5],
    ]);
  });

  test.each([
    ["encoded", Response.json({ usage: USAGE }, { headers: { "content-encoding": "gzip" } })],
    ["an error", Response.json({ usage: USAGE }, { status: 400 })],
    [
      "not JSON",
      new Response(JSON.stringify({ usage: USAGE }), { headers: { "content-type": "audio/wav" } }),
    ],
  ])("have no tokens for an answer that is %s", async (_what, answer) => {
    using backend = fakeBackend(() => answer);
    using reporting = startReportingProxy([makeBackend({ origin: backend.origin })]);
    await fetch(`${reporting.proxy.origin}/v1/chat/completions`, {
      method: "POST",
      body: '{"model":"m"}',
      decompress: false,
    }).then((response) => response.bytes());
    expect((await metricsOf(reporting))("gen_ai.client.token.usage")).toBeUndefined();
  });

  test("have the time to the first piece and between pieces of a stream, and the requests in progress", async () => {
    const answer = streamedAnswer(STREAM);
    using backend = fakeBackend(() => answer.response);
    using reporting = startReportingProxy([makeBackend({ origin: backend.origin })], {
      scrape: true,
    });
    answer.send("data: {}\n\n");
    const stream = await streamedChat(reporting.proxy.origin, "m");
    const during = await reporting.telemetry.scrape!();
    expect(during).toMatch(/^proxy_backend_inflight\{model="m",.*\} 1$/m);
    expect(during).toMatch(/^http_server_active_requests\{.*\} 1$/m);
    expect(during).not.toContain("proxy_requests_total");
    for (const piece of ["data: {}\n\n", "data: [DONE]\n\n"]) {
      await Bun.sleep(30); // the time between pieces
      answer.send(piece);
    }
    answer.end();
    expect(await stream.end).toBe("complete");
    const metric = await metricsOf(reporting);
    const [first] = metric("gen_ai.client.operation.time_to_first_chunk").points;
    expect(first).toMatchObject({ labels: CHAT, count: 1 });
    expect(first!.bounds.at(-1)).toBe(160);
    const [further] = metric("gen_ai.client.operation.time_per_output_chunk").points;
    expect(further).toMatchObject({ labels: CHAT, count: 2 });
    expect(further!.sum).toBeGreaterThanOrEqual(0.055);
    expect(further!.sum).toBeLessThan(3);
    expect(metric("proxy.backend.inflight").points[0]).toMatchObject({
      labels: { model: "m" },
      value: 0,
    });
    expect(metric("http.server.active_requests").points[0]).toMatchObject({
      labels: { "http.request.method": "POST", "url.scheme": "http" },
      value: 0,
    });
  });

  test("count changes of the table and the active backends", async () => {
    using test_ = startTestTelemetry({ activeBackends: () => 3 });
    test_.telemetry.tableUpdated("admit");
    test_.telemetry.tableUpdated("admit");
    test_.telemetry.tableUpdated("remove");
    const metric = await metricsOf(test_);
    expect(metric("proxy.backends.active").points[0]!.value).toBe(3);
    expect(
      metric("proxy.routing_table.updates").points.map(({ labels, value }) => [
        labels["action"],
        value,
      ]),
    ).toEqual([
      ["admit", 2],
      ["replace models", 0], // from the start: Prometheus sees no increase in the first value of a series
      ["drain", 0],
      ["remove", 1],
    ]);
  });

  test("accept any characters in labels, but no long labels", async () => {
    const ids = ["\ud800", "a\0b\u2028", "é😀".repeat(60), "x".repeat(60_000)].map((id) => ({
      id,
    }));
    using backend = fakeBackend(() => Response.json({}));
    const made = makeBackend({ origin: backend.origin, models: ids });
    using reporting = startReportingProxy([made], { scrape: true });
    for (const { id } of ids) expect((await chat(reporting.proxy.origin, id)).status).toBe(200);
    expect((await reporting.telemetry.scrape!()).length).toBeLessThan(100_000);
    const metric = await metricsOf(reporting);
    const labels = metric("proxy.requests.total").points.map(({ labels: { model } }) => model);
    expect(labels).toEqual(["\ufffd", "a\0b\u2028", "é😀".repeat(60), "unknown"]);
    expect(reporting.receiver.spans).toHaveLength(8);
    expect(reporting.log.lines.filter(({ message }) => message.includes("telemetry"))).toEqual([]);
  });

  test("stay at 1,000 series, however many models there are", async () => {
    const ids = Array.from({ length: 1_500 }, (_, index) => ({ id: `m${index}` }));
    using backend = fakeBackend(() => Response.json({}));
    using reporting = startReportingProxy([
      makeBackend({ origin: backend.origin, models: [...ids] }),
    ]);
    while (ids.length > 0) {
      const some = ids.splice(0, 50).map(({ id }) => chat(reporting.proxy.origin, id));
      for (const answer of await Promise.all(some)) await answer.bytes();
    }
    const metric = await metricsOf(reporting);
    for (const name of [
      "proxy.requests.total",
      "proxy.request.duration",
      "proxy.backend.inflight",
    ]) {
      const { points } = metric(name);
      expect(points.length, name).toBeLessThanOrEqual(1_000);
      expect(points.length, name).toBeGreaterThan(990);
    }
    const counted = metric("proxy.requests.total").points.reduce(
      (sum, { value }) => sum + value,
      0,
    );
    expect(counted).toBe(1_500);
  }, 30_000);
});

describe("the resource", () => {
  test("contains the name, the version and the host of the proxy", async () => {
    using test_ = startTestTelemetry({ containerId: "c0ffee" });
    test_.telemetry.tableUpdated("admit");
    const { resource } = (await metricsOf(test_))("proxy.routing_table.updates");
    expect(resource).toMatchObject({
      "service.name": "inference-proxy",
      "service.version": "1.2.3",
      "container.id": "c0ffee",
      "telemetry.sdk.language": "nodejs",
    });
    expect(resource["host.name"]).toBeString();
  });
});

describe("OpenTelemetry's own messages", () => {
  test("go to the log from the set level on, without machine-readable details", async () => {
    using test_ = startTestTelemetry({
      scrape: true,
      env: { OTEL_LOG_LEVEL: "warn" },
    });
    diag.warn("a warning", new Error("its reason"), { of: "no use" });
    diag.error("an error");
    diag.debug("a detail");
    expect(test_.log.lines).toMatchObject([
      {
        level: "warn",
        message: "opentelemetry",
        reason: "a warning",
        details: ["Error: its reason"],
      },
      { level: "error", message: "opentelemetry", reason: "an error" },
    ]);
    diag.disable();
    await test_.telemetry.shutdown();
  });
});

describe("shutdown()", () => {
  test("takes at most 5 s, logs that, and does not fail", async () => {
    using test_ = startTestTelemetry();
    test_.receiver.answer = () => new Promise(() => undefined);
    test_.telemetry.tableUpdated("admit");
    const startedMs = performance.now();
    await test_.telemetry.shutdown();
    expect(performance.now() - startedMs).toBeWithin(4_900, 9_000);
    expect(test_.log.count("telemetry incomplete")).toBe(1);
  }, 30_000);
});
