import { describe, expect, test } from "bun:test";
import { parseContainer } from "../../../src/engine/container.ts";
import { RunHistory } from "../../../src/sources/docker/run-history.ts";
import { readFixture } from "../../support/engine/replies.ts";
import { recordedEvents } from "../../support/replay/recorded-runs.ts";

const HEALTHY = parseContainer(readFixture("docker-20.10.24-healthy.json"));

describe("RunHistory", () => {
  test("knows nothing about an unknown container", () => {
    const history = new RunHistory();
    expect([history.runsOf("x"), history.lastSeenOf("x")]).toEqual([[], undefined]);
  });

  test("combines facts from events and inspects", () => {
    const history = new RunHistory();
    history.saw(HEALTHY);
    const event = { containerId: HEALTHY.id, attributes: {}, signal: undefined } as const;
    const timeMs = HEALTHY.startedAtMs + 4;
    history.record({ ...event, kind: "changed", fact: "start", exitCode: undefined, timeMs });
    const endMs = HEALTHY.startedAtMs + 9;
    history.record({ ...event, kind: "run over", fact: "die", exitCode: 1, timeMs: endMs });
    expect(history.runsOf(HEALTHY.id)).toMatchObject([
      { startedMs: HEALTHY.startedAtMs, endedMs: endMs, exitCode: 1, isHealthy: true },
    ]);
  });

  test("stays the same however often a stream is replayed", async () => {
    const [once, often] = [new RunHistory(), new RunHistory()];
    const events = await recordedEvents("docker-20.10.24/09b-restart-policy-crash-loop");
    for (const event of events) once.record(event);
    for (const event of [...events, ...events, ...events]) often.record(event);
    const id = events[0]?.containerId ?? "";
    expect(once.runsOf(id)).toHaveLength(4);
    expect(often.runsOf(id)).toEqual(once.runsOf(id));
  });

  test("keeps no labels, and at most 1,000 containers", () => {
    const history = new RunHistory();
    for (let n = 0; n < 1_001; n += 1) {
      history.saw({ ...HEALTHY, id: `${n}`, labels: { large: "x".repeat(1_000) } });
    }
    expect([history.lastSeenOf("0"), history.runsOf("0")]).toEqual([undefined, []]);
    const seen = history.lastSeenOf("1000");
    expect(seen).toMatchObject({ name: HEALTHY.name, slots: [`name ${HEALTHY.name}`] });
    expect(JSON.stringify(seen)).not.toContain("large");
  });
});
