/** The limit of models and containers with counts, and which counts make room for others. */
import { describe, expect, test } from "bun:test";
import { Recent } from "../../src/telemetry/recent.ts";
import {
  type CallReport,
  NO_TELEMETRY,
  type RequestReport,
} from "../../src/telemetry/telemetry.ts";

const [SECOND, HOUR] = [1_000, 3_600_000];

type Rig = ReturnType<typeof rig>;

function rig(nowMs = 0) {
  const clock = { nowMs };
  const recent = new Recent(() => clock.nowMs);
  const { request } = recent.counting(NO_TELEMETRY);
  const named = (model: string): RequestReport => {
    const report = request(new Request("http://x/", { method: "POST" }), "/v1/completions");
    report.named(model, true);
    return report;
  };
  return { clock, recent, named };
}

/** Sends a request to a container of a source. */
function callOf(report: RequestReport, id: string): CallReport {
  return report.call({
    ...{ name: id, origin: "http://b", basePath: "" },
    run: { source: "docker", id },
  });
}

function ask({ named }: Rig, name: string): void {
  callOf(named(name), name).ended({ bytes: 0 }, undefined);
}

function askMany(one: Rig, count: number): void {
  for (let n = 0; n < count; n += 1) ask(one, `other${n}`);
}

function requestsOf({ recent }: Rig, name: string): readonly (number | undefined)[] {
  const ofContainer = recent.ofContainer({ source: "docker", id: name });
  return [recent.ofModel(name), ofContainer].map((of) => of?.last_hour.requests);
}

describe("Recent, with many models or containers", () => {
  test("keeps a model whose first request waits, and counts that request at its end", () => {
    const one = rig(2 * HOUR); // the proxy has run for longer than the counted hour
    const waiting = one.named("m");
    expect(one.recent.models).toEqual(["m"]);
    askMany(one, 1_500);
    callOf(waiting, "m").ended({ bytes: 0 }, undefined);
    expect(requestsOf(one, "m")).toEqual([1, undefined]);
  });

  test("keeps counts with a request in flight, however long it takes", () => {
    const one = rig();
    const long = callOf(one.named("m"), "m");
    one.clock.nowMs = 2 * HOUR;
    askMany(one, 1_500);
    long.ended({ bytes: 0 }, undefined);
    expect(requestsOf(one, "m")).toEqual([1, 1]);
    one.clock.nowMs = 4 * HOUR;
    askMany(one, 1_500);
    expect(requestsOf(one, "m")).toEqual([undefined, undefined]);
    expect(requestsOf(one, "other999")).toEqual([1, 1]);
  });

  test("searches for room again after 10 s", () => {
    const one = rig();
    askMany(one, 1_000);
    one.clock.nowMs = 59 * SECOND;
    ask(one, "m");
    one.clock.nowMs = 69 * SECOND - 1;
    ask(one, "m");
    expect(requestsOf(one, "m")).toEqual([undefined, undefined]);
    one.clock.nowMs = 69 * SECOND;
    ask(one, "m");
    expect(requestsOf(one, "m")).toEqual([1, 1]);
  });

  test("only the counts that are idle the longest make room", () => {
    const one = rig();
    ask(one, "oldest");
    one.clock.nowMs = 20 * SECOND;
    askMany(one, 999);
    one.clock.nowMs = 100 * SECOND;
    ask(one, "m");
    expect(requestsOf(one, "oldest")).toEqual([undefined, undefined]);
    expect(requestsOf(one, "m")).toEqual([1, 1]);
    expect(one.recent.models).toHaveLength(1_000);
    expect(requestsOf(one, "other0")).toEqual([1, 1]);
  });

  test("counts requests in flight even without room", () => {
    const one = rig();
    askMany(one, 1_000);
    const calls = [callOf(one.named("m"), "m"), callOf(one.named("m"), "m")];
    expect(one.recent.inFlightOf("m")).toBe(2);
    expect(one.recent.models).toContain("m");
    calls[0]?.ended({ bytes: 0 }, undefined);
    calls[0]?.ended({ bytes: 0 }, undefined);
    expect(one.recent.inFlightOf("m")).toBe(1);
    calls[1]?.failed(new Error("refused"), undefined);
    expect(one.recent.inFlightOf("m")).toBe(0);
    expect(one.recent.models).not.toContain("m");
  });

  test("counts a container again that has made room before", () => {
    const one = rig();
    const backend = {
      ...{ name: "kept", origin: "http://b", basePath: "" },
      run: { source: "docker", id: "kept" },
    };
    one.named("kept").call(backend).ended({ bytes: 0 }, undefined);
    one.clock.nowMs = 1.1 * HOUR;
    askMany(one, 1_000);
    expect(requestsOf(one, "kept")).toEqual([undefined, undefined]);
    one.clock.nowMs = 2.2 * HOUR;
    one.named("kept").call(backend).ended({ bytes: 0 }, undefined);
    expect(requestsOf(one, "kept")).toEqual([1, 1]);
  });
});

describe("Recent", () => {
  test("distinguishes containers of two sources with the same id", () => {
    const one = rig();
    ask(one, "m");
    expect(one.recent.ofContainer({ source: "swarm", id: "m" })).toBeNull();
  });

  test("does not list models without requests in the last hour", () => {
    const one = rig();
    one.named("m").answered(502, undefined);
    expect(one.recent.models).toEqual(["m"]);
    one.clock.nowMs = HOUR;
    expect(one.recent.models).toEqual([]);
    expect(one.recent.inFlightOf("x")).toBe(0);
  });
});
