/** The metrics for alerts: errors, the backends of a model, the states of containers and of the engine. */
import { describe, expect, test } from "bun:test";
import { SERVER_STATES } from "../../src/fleet/condition.ts";
import type { RunEnd } from "../../src/routing/run.ts";
import type { ObservedContainer } from "../../src/telemetry/instruments.ts";
import { rawServer } from "../support/client/raw-http.ts";
import { chat, streamedChat } from "../support/client/requests.ts";
import {
  NOTHING_OBSERVED,
  scraped,
  startReportingProxy,
  startTestTelemetry,
} from "../support/proxy/reporting.ts";
import { makeBackend } from "../support/server/backends.ts";
import { fakeBackend, streamedAnswer } from "../support/server/scripted.ts";
import { until } from "../support/until.ts";

const STATE = "proxy_container_state";
const CRASH_LOOP = "proxy_container_crash_loop";
const ERRORS = "proxy_request_errors_total";

function container(name: string, state = "routed", crash_loop = false): ObservedContainer {
  return { name, state, crash_loop };
}

describe("proxy.request.errors", () => {
  test("counts the proxy's own error answers by code, and a server's error answers by status", async () => {
    const statuses = [500, 404, 429, 200, 302];
    using backend = fakeBackend(() => new Response("x", { status: statuses.shift() ?? 200 }));
    using reporting = startReportingProxy([makeBackend({ origin: backend.origin })], {
      scrape: true,
      env: {},
    });
    for (const status of [...statuses]) {
      expect((await chat(reporting.proxy.origin, "m", { redirect: "manual" })).status).toBe(status);
    }
    expect((await chat(reporting.proxy.origin, "made up")).status).toBe(404);
    expect(await scraped(reporting.telemetry, ERRORS)).toEqual([
      '{model="m",error_type="500"} 1',
      '{model="m",error_type="404"} 1',
      '{model="m",error_type="429"} 1',
      '{model="unknown",error_type="model_not_found"} 1',
    ]);
    await reporting.telemetry.shutdown();
  });

  test("counts a server that does not answer by the reason, not by the 502", async () => {
    using reporting = startReportingProxy([makeBackend()], { scrape: true });
    expect((await chat(reporting.proxy.origin, "m")).status).toBe(502);
    const { servers } = await reporting.spans();
    expect(servers[0]?.attributes["error.type"]).toBe("connection_refused");
    const points = reporting.receiver.metrics.get("proxy.request.errors")?.points;
    expect(points).toMatchObject([
      { labels: { model: "m", "error.type": "connection_refused" }, value: 1 },
    ]);
  });

  test("counts a client that left", async () => {
    const answer = streamedAnswer({ headers: { "content-type": "text/event-stream" } });
    using backend = fakeBackend(() => answer.response);
    using reporting = startReportingProxy([makeBackend({ origin: backend.origin })], {
      scrape: true,
    });
    answer.send("data: {}\n\n");
    const stream = await streamedChat(reporting.proxy.origin, "m");
    stream.cancel();
    await until(
      "it is counted",
      async () => (await scraped(reporting.telemetry, ERRORS)).length > 0,
    );
    expect(await scraped(reporting.telemetry, ERRORS)).toEqual([
      '{model="m",error_type="client_gone"} 1',
    ]);
    await reporting.telemetry.shutdown();
  });

  test.each<[what: string, end: RunEnd["kind"] | undefined, word: string]>([
    ["is unknown", undefined, "upstream_broken_off"],
    ["is known", "out of memory", "container_oom"],
  ])("counts a broken answer when the end of its container %s", async (_what, kind, word) => {
    using upstream = await rawServer();
    const backend = makeBackend({ origin: upstream.origin });
    using reporting = startReportingProxy([backend], { scrape: true });
    const stream = streamedChat(reporting.proxy.origin, "m");
    const connection = await upstream.request();
    connection.send(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n\n\n\r\n",
    );
    const { end } = await stream;
    if (kind !== undefined) backend.ending.ended({ kind, brief: "went", reason: "went" });
    connection.reset();
    await end;
    expect(await scraped(reporting.telemetry, ERRORS)).toEqual([
      `{model="m",error_type="${word}"} 1`,
    ]);
    await reporting.telemetry.shutdown();
  });
});

describe("proxy.model.backends", () => {
  test("keeps a model with 0 when its last backend is gone", async () => {
    let models = [
      { model: "a", backends: 2 },
      { model: "b", backends: 1 },
    ];
    using test_ = startTestTelemetry({ scrape: true, modelBackends: () => models });
    const lines = (): Promise<readonly string[]> =>
      scraped(test_.telemetry, "proxy_model_backends");
    expect(await lines()).toEqual(['{model="a"} 2', '{model="b"} 1']);
    models = [{ model: "b", backends: 3 }];
    expect(await lines()).toEqual(['{model="a"} 0', '{model="b"} 3']);
    await test_.telemetry.shutdown();
  });

  test("has at most 1,000 series", async () => {
    const modelBackends = (): { model: string; backends: number }[] =>
      Array.from({ length: 5_000 }, (_, index) => ({ model: `m${index}`, backends: 1 }));
    using test_ = startTestTelemetry({ scrape: true, modelBackends });
    expect(await scraped(test_.telemetry, "proxy_model_backends")).toHaveLength(999);
    await test_.telemetry.shutdown();
  });
});

describe("the metrics of containers", () => {
  test("show only the current state, and no container that is gone", async () => {
    let containers = [container("vllm-1", "starting"), container("vllm-2", "restarting", true)];
    using test_ = startTestTelemetry({ scrape: true, containers: () => containers });
    const lines = (name: string): Promise<readonly string[]> => scraped(test_.telemetry, name);
    expect(await lines(STATE)).toEqual([
      '{container_name="vllm-1",state="starting"} 1',
      '{container_name="vllm-2",state="restarting"} 1',
    ]);
    expect(await lines(CRASH_LOOP)).toEqual([
      '{container_name="vllm-1"} 0',
      '{container_name="vllm-2"} 1',
    ]);
    containers = [container("vllm-2", "routed")];
    expect(await lines(STATE)).toEqual(['{container_name="vllm-2",state="routed"} 1']);
    expect(await lines(CRASH_LOOP)).toEqual(['{container_name="vllm-2"} 0']);
    await test_.telemetry.shutdown();
  });

  test("read the containers once per collection", async () => {
    let asked = 0;
    const containers = (): readonly ObservedContainer[] => {
      asked += 1;
      return [container("vllm-1")];
    };
    using test_ = startTestTelemetry({ scrape: true, env: {}, containers });
    await test_.telemetry.scrape?.();
    expect(asked).toBe(1);
    await test_.telemetry.shutdown();
  });

  test("add up containers with the same name; one crash loop is enough to show 1", async () => {
    const containers = (): readonly ObservedContainer[] => [
      container("a", "restarting", true),
      container("a"),
      container("a"),
    ];
    using test_ = startTestTelemetry({ scrape: true, containers });
    expect(await scraped(test_.telemetry, STATE)).toEqual([
      '{container_name="a",state="restarting"} 1',
      '{container_name="a",state="routed"} 2',
    ]);
    expect(await scraped(test_.telemetry, CRASH_LOOP)).toEqual(['{container_name="a"} 1']);
    await test_.telemetry.shutdown();
  });

  test("have at most 1,000 series, whatever the states are; all other containers share a name", async () => {
    const containers = (): readonly ObservedContainer[] =>
      Array.from({ length: 5_000 }, (_, index) =>
        container(`c${index}`, SERVER_STATES[index % SERVER_STATES.length]),
      );
    using test_ = startTestTelemetry({ scrape: true, containers });
    const lines = await scraped(test_.telemetry, STATE);
    expect(lines).toHaveLength(987 + SERVER_STATES.length);
    expect(lines.filter((line) => line.includes('"other"'))).toHaveLength(SERVER_STATES.length);
    expect(await test_.telemetry.scrape?.()).not.toContain("overflow");
    expect(await scraped(test_.telemetry, CRASH_LOOP)).toHaveLength(988);
    await test_.telemetry.shutdown();
  });
});

test("proxy.engine.connected is 1 or 0", async () => {
  let isConnected = true;
  const isEngineConnected = (): boolean => isConnected;
  using test_ = startTestTelemetry({ ...NOTHING_OBSERVED, scrape: true, isEngineConnected });
  const lines = (): Promise<readonly string[]> =>
    scraped(test_.telemetry, "proxy_engine_connected");
  expect(await lines()).toEqual(["{} 1"]);
  isConnected = false;
  expect(await lines()).toEqual(["{} 0"]);
  await test_.telemetry.shutdown();
});
