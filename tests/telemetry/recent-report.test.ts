/** How recent requests are counted, without HTTP and with a clock of the test. */
import { describe, expect, test } from "bun:test";
import type { RecentWindow } from "../../src/status.ts";
import { Recent } from "../../src/telemetry/recent.ts";
import {
  type CallEnd,
  type CallReport,
  NO_TELEMETRY,
  type ReportedBackend,
  type RequestReport,
  type SocketEnd,
} from "../../src/telemetry/telemetry.ts";

const RUN = { source: "docker", id: "c1" };
const BACKEND: ReportedBackend = { name: "b", origin: "http://b", basePath: "", run: RUN };
const CHAT = "/v1/chat/completions";
const SSE = "text/event-stream";
const PASSED = { messages: 0, bytes: 0 };
const SOCKET_END: SocketEnd = { fromClient: PASSED, fromServer: PASSED, closeCode: 1000 };
const HOUR = 3_600_000;

type Rig = ReturnType<typeof rig>;

function rig() {
  const clock = { nowMs: 0 };
  const recent = new Recent(() => clock.nowMs);
  const { request } = recent.counting(NO_TELEMETRY);
  const ask = (method = "POST", path = CHAT): RequestReport => {
    const report = request(new Request("http://x/", { method }), path);
    report.named("m", true);
    return report;
  };
  return { clock, recent, ask };
}

function answer(status: number, type: string): Response {
  return new Response("", { status, headers: { "content-type": type } });
}

/** The counts of all requests, of the model and of the container. */
function lastHour({ recent }: Rig): readonly (RecentWindow | undefined)[] {
  return [recent.ofAll, recent.ofModel("m"), recent.ofContainer(RUN)].map((of) => of?.last_hour);
}

describe("the report of a request", () => {
  test.each<[method: string, path: string, status: number, keeps: boolean]>([
    ["POST", CHAT, 200, true],
    ["POST", "/v1/messages", 201, true],
    ["POST", CHAT, 300, false],
    ["POST", CHAT, 500, false],
    ["GET", CHAT, 200, false],
    ["POST", "/v1/audio/speech", 200, false],
  ])("for %s %s with status %d keeps pieces: %p", (method, path, status, keeps) => {
    const call = rig().ask(method, path).call(BACKEND);
    call.answered(answer(status, SSE));
    expect(call.keepsPieces).toBe(keeps);
  });

  test.each<[type: string, status: number, isStreamed: boolean]>([
    [SSE, 200, true],
    ["Text/Event-Stream; charset=utf-8", 200, true],
    ["application/x-ndjson", 200, true],
    ["application/json", 200, false],
    [SSE, 500, false],
  ])("for an answer of type %s with %d records its speed: %p", (type, status, isStreamed) => {
    const one = rig();
    one.clock.nowMs = HOUR;
    const call = one.ask().call(BACKEND);
    call.answered(answer(status, type));
    one.clock.nowMs += 1_000;
    call.began();
    one.clock.nowMs += 2_000;
    call.ended({ bytes: 9, pieces: 21 }, undefined);
    for (const seen of lastHour(one)) {
      expect(seen).toMatchObject({
        first_chunk_ms: isStreamed ? { p50: 1_200, p95: 1_400 } : null,
        pieces_per_second: isStreamed ? 10 : null,
      });
    }
  });

  test.each<[status: number, failed: number]>([
    [399, 0],
    [400, 1],
  ])("counts a server's answer with %d as failed: %d", (status, failed) => {
    const one = rig();
    const call = one.ask().call(BACKEND);
    call.answered(answer(status, "application/json"));
    call.ended({ bytes: 0 }, undefined);
    for (const seen of lastHour(one)) expect(seen?.failed).toBe(failed);
  });

  test("counts tokens only from a complete answer", () => {
    const lastPieces = [Buffer.from('{"usage":{"prompt_tokens":3,"completion_tokens":5}}')];
    for (const [end, tokens] of [
      [{}, [3, 5]],
      [{ error: new Error("reset") }, [0, 0]],
      [{ cancelled: true }, [0, 0]],
    ] as const) {
      const one = rig();
      const call = one.ask().call(BACKEND);
      call.answered(answer(200, "application/json"));
      call.ended({ bytes: 9, lastPieces, ...end } as CallEnd, undefined);
      const [input_tokens, output_tokens] = tokens;
      for (const seen of lastHour(one)) expect(seen).toMatchObject({ input_tokens, output_tokens });
    }
  });

  test("counts once and reduces in-flight once, however often the end is reported", () => {
    const one = rig();
    const report = one.ask();
    const call = report.call(BACKEND);
    call.answered(answer(200, SSE));
    call.ended({ bytes: 0 }, undefined);
    call.ended({ bytes: 0 }, undefined);
    call.failed(new Error("late"), undefined);
    call.upgraded()(SOCKET_END, undefined);
    report.answered(500, "internal_error");
    for (const seen of lastHour(one)) {
      expect(seen).toMatchObject({ requests: 1, statuses: { "2xx": 1 } });
      expect(seen?.errors).toEqual({});
    }
    expect(one.recent.inFlightOf("m")).toBe(0);
  });

  test("counts a server that refused by its status, and the request by its last answer", () => {
    const one = rig();
    const report = one.ask();
    const declined = report.call(BACKEND);
    declined.answered(answer(503, "application/json"));
    expect(one.recent.inFlightOf("m")).toBe(1);
    declined.failed(Object.assign(new Error("status 503"), { code: "503" }), undefined);
    const other = report.call({ ...BACKEND, run: { source: "docker", id: "c2" } });
    other.answered(answer(200, "application/json"));
    other.ended({ bytes: 0 }, undefined);
    const [all, model, container] = lastHour(one);
    for (const seen of [all, model]) {
      expect(seen).toMatchObject({ requests: 1, failed: 0, statuses: { "2xx": 1 } });
      expect(seen?.errors).toEqual({});
    }
    expect(container).toMatchObject({ requests: 1, failed: 1, statuses: { "5xx": 1 } });
    expect(container?.errors).toEqual({});
    expect(one.recent.inFlightOf("m")).toBe(0);
  });

  test.each<
    [what: string, end: Partial<SocketEnd>, abortReason: string | undefined, errors: object]
  >([
    ["that ended normally", {}, undefined, {}],
    ["whose client left", { cancelled: true }, undefined, { client_gone: 1 }],
    ["that broke off", { error: new Error("reset") }, undefined, { upstream_broken_off: 1 }],
    ["that a drain timeout ended", {}, "cut", { drain_timeout: 1 }],
  ])("counts a WebSocket %s", (_what, end, abortReason, errors) => {
    const one = rig();
    const failed = Object.keys(errors).some((word) => word !== "client_gone") ? 1 : 0;
    one.ask().call(BACKEND).upgraded()({ ...SOCKET_END, ...end }, abortReason);
    for (const seen of lastHour(one)) {
      expect(seen).toMatchObject({ requests: 1, failed, statuses: { "1xx": 1 } });
      expect(seen?.errors).toEqual(errors as RecentWindow["errors"]);
    }
    expect(one.recent.inFlightOf("m")).toBe(0);
  });

  test("passes all calls on to the report of telemetry", () => {
    const told: unknown[] = [];
    const say =
      (what: string) =>
      (...values: readonly unknown[]): void => {
        told.push([what, ...values]);
      };
    const piece = (): void => undefined;
    const inner: CallReport = {
      ...{ trace: say("trace"), began: say("began"), ended: say("ended"), failed: say("failed") },
      keepsPieces: false,
      answered: () => piece,
      upgraded: () => say("socket"),
    };
    const innerRequest: RequestReport = {
      ...{ named: say("named"), retry: say("retry"), decided: say("decided") },
      ...{ failover: say("failover"), answered: say("answered") },
      call: () => inner,
      waits: () => say("waited"),
    };
    const telemetry = { ...NO_TELEMETRY, request: () => innerRequest };
    const report = new Recent().counting(telemetry).request(new Request("http://x/"), CHAT);
    const [call, headers, error, end] = [
      report.call(BACKEND),
      new Headers(),
      new Error(),
      SOCKET_END,
    ];
    const streamed = answer(200, SSE);
    report.named("m", false);
    report.waits()("routed" as never);
    report.decided("load" as never);
    call.trace(headers);
    expect(call.answered(streamed)).toBe(piece);
    call.began();
    call.failed(error, "cut");
    report.retry("died");
    report.failover("503", "b");
    call.ended({ bytes: 1 }, "cut");
    call.upgraded()(end, "cut");
    report.answered(502, "backend_unreachable");
    expect(told).toEqual([
      ["named", "m", false],
      ["waited", "routed"],
      ["decided", "load"],
      ["trace", headers],
      ["began"],
      ["failed", error, "cut"],
      ["retry", "died"],
      ["failover", "503", "b"],
      ["ended", { bytes: 1 }, "cut"],
      ["socket", end, "cut"],
      ["answered", 502, "backend_unreachable"],
    ]);
  });
});
