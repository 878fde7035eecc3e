import { describe, expect, test } from "bun:test";
import { type ChangeInit, Changes, PROXY } from "../../src/telemetry/changes.ts";

const MINUTE_MS = 60_000;

function change(state: string, more: Partial<ChangeInit> = {}): ChangeInit {
  return { what: "container", name: "vllm", state, reason: "why", gist: state, ...more };
}

function told(changes: Changes): readonly string[] {
  return changes.latest.map(({ name, state, times }) => `${name} ${state} ${times}`);
}

describe("Changes", () => {
  test("shows the latest first, with all fields", () => {
    const changes = new Changes();
    changes.add({ ...PROXY, state: "started", reason: "version 1", gist: "a" }, 0);
    changes.add(change("routed"), 1_000);
    expect(changes.latest).toEqual([
      {
        ...{ at: "1970-01-01T00:00:01.000Z", what: "container", name: "vllm" },
        ...{ state: "routed", reason: "why", times: 1 },
      },
      {
        ...{ at: "1970-01-01T00:00:00.000Z", what: "proxy", name: "lw-inference-proxy" },
        ...{ state: "started", reason: "version 1", times: 1 },
      },
    ]);
  });

  test("merges a repetition within a minute and keeps the last words", () => {
    const changes = new Changes();
    for (const nowMs of [0, MINUTE_MS - 1, 2 * MINUTE_MS - 2]) {
      changes.add(change("restarting", { reason: `at ${nowMs}` }), nowMs);
      changes.add(change("starting"), nowMs);
    }
    changes.add(change("restarting", { reason: "last" }), 2 * MINUTE_MS);
    expect(told(changes)).toEqual(["vllm restarting 4", "vllm starting 3"]);
    expect(changes.latest[0]).toMatchObject({ at: "1970-01-01T00:02:00.000Z", reason: "last" });
  });

  test("adds a later repetition as a new change and keeps the old one", () => {
    const changes = new Changes();
    for (const nowMs of [0, 1, MINUTE_MS + 1]) changes.add(change("unhealthy"), nowMs);
    expect(told(changes)).toEqual(["vllm unhealthy 1", "vllm unhealthy 2"]);
  });

  test("does not merge the same gist of another name or another kind", () => {
    const changes = new Changes();
    changes.add(change("x"), 0);
    changes.add(change("x", { name: "tei" }), 0);
    changes.add(change("x", { what: "engine" }), 0);
    expect(told(changes)).toEqual(["vllm x 1", "tei x 1", "vllm x 1"]);
  });

  test("keeps at most 100 changes and drops the oldest", () => {
    const changes = new Changes();
    for (let n = 0; n < 250; n += 1) changes.add(change("x", { name: `c${n}` }), n);
    expect(told(changes)).toHaveLength(100);
    expect([told(changes)[0], told(changes).at(-1)]).toEqual(["c249 x 1", "c150 x 1"]);
  });

  test("a container with new words each time does not push out other changes", () => {
    const changes = new Changes();
    changes.add(change("routed", { name: "tei" }), 0);
    for (let n = 0; n < 1_000; n += 1) changes.add(change("ignored", { gist: `${n}` }), n);
    expect(told(changes)).toHaveLength(26);
    expect(told(changes).at(-1)).toBe("tei routed 1");
    changes.add(change("ignored", { gist: "990" }), 1_000);
    const times = changes.latest.map((each) => each.times);
    expect(times).toEqual([2, ...new Array(25).fill(1)]); // it replaced only its own changes
    expect(changes.latest.at(-2)?.at).toBe(new Date(975).toISOString());
  });

  test("cuts long texts", () => {
    const changes = new Changes();
    for (const nowMs of [0, 1]) {
      changes.add(change("x", { name: "n".repeat(1_000), reason: "r".repeat(1_000) }), nowMs);
    }
    expect(changes.latest).toMatchObject([
      { name: `${"n".repeat(200)}…`, reason: `${"r".repeat(200)}…`, times: 2 },
    ]);
  });
});
