/** The compiled binary with a collector that misbehaves. Requests must not be affected. */
import { describe, expect, test } from "bun:test";
import { type AddressInfo, createServer } from "node:net";
import { chat } from "../../support/client/requests.ts";
import { freePort } from "../../support/proxy/compiled.ts";
import {
  type CompiledTelemetry,
  startCompiledTelemetry,
} from "../../support/proxy/compiled-telemetry.ts";
import { until } from "../../support/until.ts";

const FAILING = "telemetry export failed";
const RECOVERED = "telemetry export recovered";

/** Sends spans every 50 ms and metrics every 100 ms, and gives up after a second. */
const FAST = {
  OTEL_BSP_SCHEDULE_DELAY: "50",
  OTEL_METRIC_EXPORT_INTERVAL: "100",
  OTEL_EXPORTER_OTLP_TIMEOUT: "500",
} as const;

function logged({ proxy }: CompiledTelemetry, message: string): number {
  return proxy.log().filter((line) => String(line["message"]).startsWith(message)).length;
}

/** @returns the time of the slowest request, ms */
async function requests({ proxy }: CompiledTelemetry, count: number): Promise<number> {
  let slowest = 0;
  for (let sent = 0; sent < count; sent += 1) {
    const startedMs = performance.now();
    expect((await chat(proxy.origin, "m")).status).toBe(200);
    slowest = Math.max(slowest, performance.now() - startedMs);
  }
  return slowest;
}

/** A collector on bare sockets. */
function bareCollector(
  onData: (write: (text: string) => void) => void,
): Disposable & { readonly origin: string } {
  const sockets = new Set<{ destroy: () => void }>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("data", () => onData((text) => void socket.write(text)));
  });
  server.listen(0, "127.0.0.1");
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

describe("a collector", () => {
  test.each<[what: string, answer: () => Response | Promise<Response>]>([
    ["answers 500", () => new Response("no", { status: 500 })],
    ["answers 429", () => new Response(null, { status: 429, headers: { "retry-after": "1" } })],
    ["answers 404", () => new Response(null, { status: 404 })],
    ["is slow", () => Bun.sleep(30_000).then(() => new Response())],
  ])("that %s is reported once, and its recovery once", async (_what, answer) => {
    await using run = await startCompiledTelemetry((origin) => ({
      OTEL_EXPORTER_OTLP_ENDPOINT: origin,
      ...FAST,
    }));
    const well = run.receiver.answer;
    run.receiver.answer = answer;
    expect(await requests(run, 20)).toBeLessThan(1_000);
    await until("the failure is reported", () => logged(run, FAILING) > 0, 10_000);
    expect(await requests(run, 20)).toBeLessThan(1_000);
    run.receiver.answer = well;
    // The last spans may be lost already. Without new ones the proxy has no traces to send.
    await requests(run, 1);
    await until("the recovery is reported", () => logged(run, RECOVERED) > 0, 20_000);
    await until("spans arrive", () => run.receiver.spans.length > 0);
    expect([logged(run, FAILING), logged(run, RECOVERED)]).toEqual([1, 1]);
    expect(await run.stop()).toBe(0);
    expect(run.proxy.stderr()).toBe("");
  });

  test.each<[what: string, onData: (write: (text: string) => void) => void]>([
    ["answers garbage", (write) => write("garbage\r\n\r\n")],
    ["speaks HTTP/2", (write) => write("\0\0\x0c\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\x04\0\0\xff\xff")],
    ["never answers", () => undefined],
    [
      "begins an answer that never ends",
      (write) => write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"),
    ],
    [
      "answers 200 with a body that is no protobuf",
      (write) => write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\xff\xff\xff\xff"),
    ],
  ])("that %s does no harm, and the proxy ends within 6 s of SIGTERM", async (_what, onData) => {
    using collector = bareCollector(onData);
    await using run = await startCompiledTelemetry(() => ({
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.origin,
      OTEL_BSP_SCHEDULE_DELAY: "50",
      OTEL_METRIC_EXPORT_INTERVAL: "100",
    }));
    expect(await requests(run, 20)).toBeLessThan(1_000);
    const stoppedMs = performance.now();
    expect(await run.stop()).toBe(0);
    expect(performance.now() - stoppedMs).toBeLessThan(6_000);
    expect(logged(run, "stopped")).toBe(1);
    expect(logged(run, FAILING)).toBeLessThan(2);
    expect(run.proxy.stderr()).toBe("");
  });

  test("that is not running is reported once, and its start once", async () => {
    const port = freePort();
    await using run = await startCompiledTelemetry(() => ({
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      ...FAST,
    }));
    expect(await requests(run, 20)).toBeLessThan(1_000);
    await until("the failure is reported", () => logged(run, FAILING) > 0, 10_000);
    using _collector = Bun.serve({ port, hostname: "127.0.0.1", fetch: () => new Response() });
    await requests(run, 1);
    await until("the recovery is reported", () => logged(run, RECOVERED) > 0, 20_000);
    expect([logged(run, FAILING), logged(run, RECOVERED)]).toEqual([1, 1]);
    expect(await run.stop()).toBe(0);
  });
});

describe("SIGTERM", () => {
  test("sends everything in the queue, even a full queue, to a slow collector", async () => {
    await using run = await startCompiledTelemetry((origin) => ({
      OTEL_EXPORTER_OTLP_ENDPOINT: origin,
      OTEL_BSP_SCHEDULE_DELAY: "600000",
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "2048",
    }));
    const well = run.receiver.answer;
    run.receiver.answer = () => Bun.sleep(1_000).then(well); // a slow collector
    for (let batch = 0; batch < 50; batch += 1) {
      const some = Array.from({ length: 20 }, () => chat(run.proxy.origin, "m"));
      for (const answer of await Promise.all(some)) await answer.bytes();
    }
    expect(run.receiver.requests).toEqual([]);
    expect(await run.stop()).toBe(0);
    expect(run.receiver.spans).toHaveLength(2_000);
    expect(run.receiver.metrics.get("proxy.requests.total")!.points).toMatchObject([
      { labels: { model: "m", status_code: 200 }, value: 1_000 },
    ]);
  });
});
