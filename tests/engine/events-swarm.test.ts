import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type EngineEvent, readEvents } from "../../src/engine/events.ts";

const FRAMES = "20.10.24-frames-update-scale-relabel-crash-rm.ndjson";

async function read(lines: readonly string[]): Promise<readonly EngineEvent[]> {
  return Array.fromAsync(readEvents(new Blob([...lines]).stream()));
}

describe("readEvents()", () => {
  test("a changed service or node of a swarm gives an event with its time, and no container event", async () => {
    const event = (Type: string, Action: string, rest = {}): string =>
      `${JSON.stringify({ Type, Action, scope: "swarm", timeNano: 5e15, Actor: { ID: "x" }, ...rest })}\n`;
    const lines = [
      event("service", "create"),
      event("service", "update", { Actor: { ID: "s", Attributes: { name: "vllm" } } }),
      event("service", "remove"),
      event("node", "update", { Actor: { ID: "n", Attributes: { "state.new": "down" } } }),
      event("node", "kill", { Actor: { ID: "n", Attributes: { signal: "9" } } }),
      event("service", "update", { timeNano: "now" }),
      event("secret", "create"),
    ];
    const events = await read(lines);
    const changed = (what: string): unknown => ({ kind: "swarm changed", what, timeMs: 5e9 });
    expect(events).toEqual(
      ["service", "service", "service", "node", "node"].map(changed) as EngineEvent[],
    );
  });

  test("reads a recording of a manager: an update, a crash, and container events between them", async () => {
    const path = join(import.meta.dir, "../support/replay/swarm/recordings", FRAMES);
    const lines = readFileSync(path, "utf8")
      .trim()
      .split("\n")
      .flatMap((line) => (JSON.parse(line) as { readonly event?: unknown }).event ?? []);
    const recorded = lines.map((event) => `${JSON.stringify(event)}\n`);
    const events = await read(recorded);
    expect(events).toHaveLength(lines.length);
    const kinds = events.map((event) =>
      event.kind === "swarm changed" ? event.what : (event.fact ?? event.kind),
    );
    expect(kinds.join(" ")).toBe(
      "service service service changed start healthy service service service service die changed start healthy service destroy kill die stop destroy",
    );
  });
});
