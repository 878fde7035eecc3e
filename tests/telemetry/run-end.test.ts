import { describe, expect, test } from "bun:test";
import type { Backend } from "../../src/routing/backend.ts";
import type { RunEnd } from "../../src/routing/run.ts";
import { LateSpans } from "../../src/telemetry/run-end.ts";
import { rawServer } from "../support/client/raw-http.ts";
import { chat, streamedChat } from "../support/client/requests.ts";
import { type ReportingProxy, startReportingProxy } from "../support/proxy/reporting.ts";
import { makeBackend } from "../support/server/backends.ts";
import { until } from "../support/until.ts";

const EVENT_STREAM =
  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

function endOf(kind: RunEnd["kind"]): RunEnd {
  return { kind, brief: "went", reason: "went (exit code 137)" };
}

type Upstream = Awaited<ReturnType<typeof rawServer>>;

/** A stream that breaks off in the middle. */
async function breakOff(upstream: Upstream, { proxy }: ReportingProxy): Promise<void> {
  const stream = streamedChat(proxy.origin, "m");
  const connection = await upstream.request();
  connection.send(`${EVENT_STREAM}a\r\ndata: {}\n\n\r\n`);
  const { end } = await stream;
  connection.reset();
  expect(await end).toStartWith("broken off");
}

function backendAt({ origin }: Upstream): Backend {
  return makeBackend({ origin });
}

describe("the spans of an answer that breaks off", () => {
  test.each<[kind: RunEnd["kind"], word: string]>([
    ["out of memory", "container_oom"],
    ["exited", "container_exit"],
    ["killed", "container_exit"],
    ["stopped", "container_exit"],
  ])("contain the end of its container: %s", async (kind, word) => {
    using upstream = await rawServer();
    const backend = backendAt(upstream);
    using reporting = startReportingProxy([backend]);
    await breakOff(upstream, reporting);
    const brokenMs = Date.now();
    await until("20 ms have passed", () => Date.now() - brokenMs > 20);
    backend.ending.ended(endOf(kind));
    const { servers, clients } = await reporting.spans();
    for (const span of [servers[0]!, clients[0]!]) {
      expect(span.attributes).toMatchObject({
        "error.type": word,
        "proxy.error": "upstream_broken_off",
        "http.response.status_code": 200,
      });
      expect(span.status).toMatchObject({ code: "ERROR" });
      expect(span.status.message).toMatch(
        /^after 10 bytes and \d+ ms: its container went \(exit code 137\)$/,
      );
      expect(span.endMs).toBeLessThan(brokenMs + 5); // they end together with the answer
    }
    expect(servers[0]!.events).toMatchObject([
      { name: "upstream_broken_off", attributes: { reason: "the server closed the connection" } },
    ]);
  });

  test.each<[what: string, end: RunEnd | undefined]>([
    ["continues", undefined],
    ["has ended in an unknown way", endOf("unknown")],
  ])("keep the first error if the run %s", async (_what, end) => {
    using upstream = await rawServer();
    const backend = backendAt(upstream);
    using reporting = startReportingProxy([backend]);
    await breakOff(upstream, reporting);
    if (end !== undefined) backend.ending.ended(end);
    const { servers, clients } = await reporting.spans();
    expect([servers.length, clients.length]).toEqual([1, 1]);
    for (const { attributes } of [...servers, ...clients]) {
      expect(attributes["error.type"]).toBe("upstream_broken_off");
      expect(attributes).not.toHaveProperty("proxy.error");
    }
  });

  test("do not blame the container for an answer that is not HTTP, or for a drain timeout", async () => {
    using upstream = await rawServer();
    const backend = backendAt(upstream);
    using reporting = startReportingProxy([backend]);
    const one = streamedChat(reporting.proxy.origin, "m");
    const first = await upstream.request();
    first.send(`${EVENT_STREAM}a\r\ndata: {}\n\n\r\n`);
    const firstEnd = (await one).end;
    const other = streamedChat(reporting.proxy.origin, "m");
    (await upstream.request(1)).send(`${EVENT_STREAM}a\r\ndata: {}\n\n\r\n`);
    const otherEnd = (await other).end;
    backend.ending.ended(endOf("killed"));
    first.send("zz\r\nwhat\r\n");
    expect(await firstEnd).not.toBe("complete");
    reporting.proxy.table.remove(backend, "cut");
    expect(await otherEnd).not.toBe("complete");
    const { servers, clients } = await reporting.spans();
    const words = [...servers, ...clients].map(({ attributes }) => attributes["error.type"]);
    expect(words).toEqual([
      "upstream_broken_off",
      "drain_timeout",
      "upstream_broken_off",
      "drain_timeout",
    ]);
    expect(servers[1]!.events[0]!.attributes["reason"]).toBe("the drain timeout expired");
  });
});

test("the spans of a request without an answer contain the end of the container", async () => {
  const backend = makeBackend(); // no process listens there
  backend.ending.ended(endOf("out of memory"));
  using reporting = startReportingProxy([backend]);
  expect((await chat(reporting.proxy.origin, "m")).status).toBe(502);
  const { servers, clients } = await reporting.spans();
  for (const span of [servers[0]!, clients[0]!]) {
    expect(span.attributes).toMatchObject({
      "error.type": "container_oom",
      "proxy.error": "connection_refused",
    });
    expect(span.status.message).toBe("its container went (exit code 137)");
  }
  expect(servers[0]!.attributes["http.response.status_code"]).toBe(502);
});

test("the spans of a request that a server refused do not wait", async () => {
  using upstream = await rawServer();
  using other = await rawServer();
  const [newer, older] = [upstream, other].map(({ origin }) =>
    makeBackend({ origin, isReplica: true }),
  );
  using reporting = startReportingProxy([newer!, older!]);
  const answer = chat(reporting.proxy.origin, "m");
  const FULL = "HTTP/1.1 503 Full\r\nContent-Length: 2\r\n\r\n{}";
  const both = [upstream.request(), other.request()];
  void both.map(async (one) => (await one).send(FULL));
  expect((await answer).status).toBe(503);
  for (const { ending } of [newer!, older!]) ending.ended(endOf("killed"));
  const { clients } = await reporting.spans();
  expect(clients.map(({ attributes }) => attributes["error.type"])).toEqual(["503", "503"]);
});

describe("LateSpans", () => {
  test("end at once if there is nothing to wait for", () => {
    const ended: unknown[] = [];
    const outcome = { status: 200, errorType: undefined };
    new LateSpans().whenExplained(outcome, (end) => ended.push(end));
    expect(ended).toEqual([outcome]);
  });

  test("wait at most 300 ms and then settle", async () => {
    const late = new LateSpans();
    const waits: number[] = [];
    const known = (ms: number): Promise<undefined> => {
      waits.push(ms);
      return Promise.resolve(undefined);
    };
    const ended: unknown[] = [];
    const outcome = { status: undefined, errorType: "reset", ending: { end: undefined, known } };
    late.whenExplained(outcome, (end) => ended.push(end));
    expect(ended).toEqual([]);
    await late.settled();
    expect([ended, waits]).toEqual([[outcome], [300]]);
  });
});
