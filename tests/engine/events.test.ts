import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type ContainerEvent,
  type EngineEvent,
  EVENT_ACTIONS,
  readEvents,
} from "../../src/engine/events.ts";
import { isLabelled } from "../../src/sources/labels.ts";

const RECORDINGS = join(import.meta.dir, "../support/replay/events");

async function* pieces(...all: readonly (Uint8Array | string)[]): AsyncGenerator<Uint8Array> {
  for (const piece of all)
    yield typeof piece === "string" ? new TextEncoder().encode(piece) : piece;
}

async function read(...all: readonly (Uint8Array | string)[]): Promise<readonly ContainerEvent[]> {
  return ofContainers(await Array.fromAsync(readEvents(pieces(...all))));
}

async function readTold(
  ...all: readonly string[]
): Promise<{ readonly events: readonly ContainerEvent[]; readonly told: number }> {
  let told = 0;
  const events = await Array.fromAsync(readEvents(pieces(...all), () => (told += 1)));
  return { events: ofContainers(events), told };
}

function ofContainers(events: readonly EngineEvent[]): readonly ContainerEvent[] {
  return events.filter((event) => event.kind !== "swarm changed");
}

const MIB = 1024 * 1024;
const STOP = readFileSync(join(RECORDINGS, "docker-20.10.24/03c-stop-signal-SIGINT.ndjson"));
const LABELS = { "inference.enable": "true" };
const KILL = {
  Type: "container",
  Action: "kill",
  Actor: { ID: "a", Attributes: { signal: "15", ...LABELS } },
  timeNano: 5e9,
};

describe("readEvents()", () => {
  test("reads the kinds, ids, signal and engine times of a recorded stop", async () => {
    const events = await read(STOP);
    expect(events.map(({ kind }) => kind)).toEqual([
      "changed",
      "changed",
      "changed",
      "kill",
      "run over",
      "run over",
    ]);
    expect(new Set(events.map(({ containerId }) => containerId)).size).toBe(1);
    expect(events[3]!.signal).toBe(2);
    expect(events[4]!.timeMs - events[3]!.timeMs).toBeWithin(0, 1_000);
  });

  test("gives the same events wherever the bytes are cut", async () => {
    const whole = await read(STOP);
    for (const size of [1, 2, 7, 100, 1_000]) {
      const cut = Array.from({ length: Math.ceil(STOP.length / size) }, (_, n) =>
        STOP.subarray(n * size, (n + 1) * size),
      );
      expect(await read(...cut)).toEqual([...whole]);
    }
  });

  test("joins characters of several bytes that were cut", async () => {
    const bytes = new TextEncoder().encode(
      `${JSON.stringify({ ...KILL, Actor: { ID: "ä😀", Attributes: LABELS } })}\n`,
    );
    const one = Array.from(bytes, (_, n) => bytes.subarray(n, n + 1));
    expect((await read(...one))[0]!.containerId).toBe("ä😀");
  });

  test("drops an unfinished last line", async () => {
    expect(await read(`${JSON.stringify(KILL)}\n${JSON.stringify(KILL)}`)).toHaveLength(1);
  });

  test.each([
    ["a line without JSON", "{nonsense}\n"],
    ["an empty line", "\n"],
    ["another type", `${JSON.stringify({ ...KILL, Type: "image" })}\n`],
    ["a negative time", '{"Type":"container","Action":"die","Actor":{"ID":"x"},"timeNano":-1}\n'],
    [
      "a time that is too large",
      '{"Type":"container","Action":"die","Actor":{"ID":"x"},"timeNano":1e300}\n',
    ],
    ["an event without an actor", '{"Type":"container","Action":"die","timeNano":1}\n'],
  ])("skips %s and reads the next line", async (_what, line) => {
    expect(await read(line, `${JSON.stringify(KILL)}\n`)).toHaveLength(1);
  });

  test.each([
    ["the label inference.enable", { "inference.enable": "no" }, true],
    ["any label of ours", { "inference.port": "1" }, true],
    ["a misspelled label of ours", { "inference.enabled": "true" }, true],
    ["labels that are not ours", { "com.example.inference.enable": "true", inference: "x" }, false],
    ["no labels", undefined, false],
  ])("an event of a container with %s", async (_what, Attributes, isOurs) => {
    const line = `${JSON.stringify({ ...KILL, Actor: { ID: "a", Attributes } })}\n`;
    const events = await read(line);
    expect(events).toMatchObject([{ kind: "kill", containerId: "a" }]);
    expect(isLabelled(events[0]!.attributes)).toBe(isOurs);
  });

  test("reads a recording of Podman with the actions that we ask for: each probe, the end, the removal", async () => {
    const events = await read(
      readFileSync(join(RECORDINGS, "podman-4.3.1/p05-run-health-stop-rm.ndjson")),
    );
    expect(events.map(({ kind, attributes }) => [kind, isLabelled(attributes)])).toEqual([
      ["changed", true],
      ["probed", true],
      ["probed", true],
      ["run over", true],
      ["run over", true],
    ]);
  });

  test("reads API 1.52 without status, id and from, and Podman's kill without a signal", async () => {
    const podman = { ...KILL, Actor: { ID: "a", Attributes: { name: "x", ...LABELS } } };
    expect((await read(`${JSON.stringify(podman)}\n`))[0]).toEqual({
      kind: "kill",
      containerId: "a",
      attributes: { name: "x", ...LABELS },
      timeMs: 5_000,
      signal: undefined,
      fact: "kill",
      exitCode: undefined,
    });
  });

  test.each([
    ["at once", [MIB, MIB, MIB, MIB, MIB]],
    ["in one piece", [5 * MIB]],
  ])("reports a line of more than 4 MiB once and skips it, %s", async (_how, sizes) => {
    const { events, told } = await readTold(
      `${JSON.stringify(KILL)}\n`,
      ...sizes.map((size) => "x".repeat(size)),
      `\n${JSON.stringify(KILL)}\n`,
    );
    expect([events.length, told]).toEqual([2, 1]);
  });

  test("reads a line of exactly 4 MiB, and skips one of one byte more", async () => {
    const filler = 4 * MIB - JSON.stringify({ ...KILL, filler: "" }).length;
    for (const [more, count] of [
      [0, 1],
      [1, 0],
    ] as const) {
      const line = JSON.stringify({ ...KILL, filler: "x".repeat(filler + more) });
      const { events, told } = await readTold(`${line}\n`);
      expect([events.length, told]).toEqual([count, 1 - count]);
    }
  });

  test("the time for a long line grows with its bytes, not with their square, whatever its pieces are", async () => {
    const line = JSON.stringify({ ...KILL, filler: "x".repeat(2 * MIB) });
    const bytes = new TextEncoder().encode(`${line}\n`);
    const beganMs = performance.now();
    const one = (async function* (): AsyncGenerator<Uint8Array> {
      for (let n = 0; n < bytes.length; n += 1) yield bytes.subarray(n, n + 1);
    })();
    expect(await Array.fromAsync(readEvents(one))).toHaveLength(1);
    expect(performance.now() - beganMs).toBeLessThan(3_000); // it once took 15 s for a quarter of this
  });

  test("reports an endless line, and ends with the stream", async () => {
    const endless = Array.from({ length: 12 }, () => "x".repeat(MIB));
    const { events, told } = await readTold(...endless);
    expect([events.length, told]).toEqual([0, 1]);
  });

  test.each<[recording: string, facts: string]>([
    ["docker-20.10.24/07-oom", "start healthy oom die:137"],
    ["docker-20.10.24/08-docker-restart", "start healthy kill die:0 stop start healthy"],
    ["docker-20.10.24/10-rm-f-running", "start healthy kill die:137 destroy"],
    ["docker-26.1.5/03-stop-ignore-term-t2", "start healthy kill kill stop die:137"],
    ["podman-4.3.1/p05-run-health-stop-rm", "start die:0 destroy"],
  ])("%s: reads the facts about runs", async (recording, facts) => {
    const events = await read(readFileSync(join(RECORDINGS, `${recording}.ndjson`)));
    const told = events.flatMap(({ fact, exitCode }) =>
      fact === undefined ? [] : exitCode === undefined ? fact : `${fact}:${exitCode}`,
    );
    expect(told.join(" ")).toBe(facts);
  });

  test("asks for oom, and treats it as a change", async () => {
    const [event] = await read(`${JSON.stringify({ ...KILL, Action: "oom" })}\n`);
    expect(event).toMatchObject({ kind: "changed", fact: "oom" });
    expect(EVENT_ACTIONS).toContain("oom");
  });

  test.each([
    ["1", 1],
    ["3221225786", 3_221_225_786],
    ["", undefined],
    ["-1", undefined],
    ["1e3", undefined],
    ["0x10", undefined],
    ["99999999999999999999", undefined],
    ["a label's text", undefined],
  ])("exit code %p of a die is %p", async (exitCode, number) => {
    const line = { ...KILL, Action: "die", Actor: { ID: "a", Attributes: { exitCode } } };
    expect((await read(`${JSON.stringify(line)}\n`))[0]?.exitCode).toBe(number);
  });

  test("takes an exit code only from a die, because elsewhere it is a label", async () => {
    const line = { ...KILL, Action: "start", Actor: { ID: "a", Attributes: { exitCode: "1" } } };
    expect((await read(`${JSON.stringify(line)}\n`))[0]?.exitCode).toBeUndefined();
  });

  test("a network event names the container that was connected or disconnected", async () => {
    const recorded = readFileSync(
      join(RECORDINGS, "docker-20.10.24/13-network-connect-disconnect.ndjson"),
    );
    const disconnect = {
      Type: "network",
      Action: "disconnect",
      Actor: { ID: "n", Attributes: { container: "c", name: "net", type: "bridge" } },
      timeNano: 5e9,
    };
    const events = await read(recorded, `${JSON.stringify(disconnect)}\n`);
    expect(events.at(-1)).toEqual({
      kind: "moved",
      containerId: "c",
      attributes: {},
      timeMs: 5_000,
      signal: undefined,
      fact: undefined,
      exitCode: undefined,
    });
  });
});
