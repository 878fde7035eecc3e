import { describe, expect, test } from "bun:test";
import { type Container, parseContainer } from "../../../src/engine/container.ts";
import { absent, observe, type Surroundings } from "../../../src/sources/docker/observe.ts";
import { type Fact, factsOf, runsIn, withFact } from "../../../src/sources/docker/run-facts.ts";
import type { Sighting } from "../../../src/sources/sighting.ts";
import { readFixture } from "../../support/engine/replies.ts";
import { NOBODY } from "../../support/proxy/nobody.ts";

const HEALTHY: Container = {
  ...parseContainer(readFixture("docker-20.10.24-user-bridge.json")),
  labels: {
    "inference.enable": "true",
    "inference.port": "9000",
    "inference.api.base_path": "/api/",
  },
};

const ON_HOST: Surroundings = { place: { kind: "host" }, itself: NOBODY, isStopping: () => false };

function seen(change: Partial<Container>, stopping = false): string {
  const around = { ...ON_HOST, isStopping: () => stopping };
  const observation = observe({ ...HEALTHY, ...change }, around);
  return observation.kind === "present" ? observation.seen : observation.kind;
}

describe("observe()", () => {
  test.each(["created", "restarting", "exited", "dead", "removing"])(
    "a container that is %s is absent",
    (status) => {
      expect(seen({ status })).toBe("absent");
      expect(seen({ status }, true)).toBe("absent");
    },
  );

  test.each<[what: string, change: Partial<Container>, stopping: boolean, expected: string]>([
    ["healthy", {}, false, "routable"],
    ["a stop notice comes before its health", {}, true, "stopping"],
    ["a stop notice comes before being unhealthy", { health: "unhealthy" }, true, "stopping"],
    ["unhealthy", { health: "unhealthy" }, false, "not healthy"],
    ["paused, with any health", { status: "paused" }, false, "not healthy"],
    ["starting", { health: "starting" }, false, "starting"],
    ["the label disables it", { labels: { "inference.enable": "false" } }, false, "absent"],
    ["a wrong label", { labels: { "inference.enable": "yes" } }, false, "ignored"],
    ["no HEALTHCHECK", { health: "none" }, false, "ignored"],
    ["no network", { networks: [] }, false, "ignored"],
    ["labelled, but not enabled", { labels: { "inference.port": "1" } }, false, "ignored"],
    ["stopping, as Podman shows it", { status: "stopping" }, false, "stopping"],
  ])("%s", (_what, change, stopping, expected) => {
    expect(seen(change, stopping)).toBe(expected);
  });

  test("a missing container is absent", () => {
    expect(absent("a", "vllm").kind).toBe("absent");
  });

  test("the sighting contains the settings of the labels and the address from the networks", () => {
    const observation = observe(HEALTHY, ON_HOST);
    expect(observation).toMatchObject({
      name: "nD-b",
      run: { source: "docker", id: HEALTHY.id, startedAtMs: HEALTHY.startedAtMs },
      origin: "http://172.21.0.3:9000",
      settings: { basePath: "/api" },
    });
  });

  test("without a HEALTHCHECK the reason says how to add one", () => {
    const observation = observe({ ...HEALTHY, health: "none" }, ON_HOST);
    expect(observation).toMatchObject({ reason: expect.stringContaining("healthcheck:") });
  });
});

describe("observe(), the outlook", () => {
  const STARTED = HEALTHY.startedAtMs;

  function told(change: Partial<Container>, ...facts: readonly Fact[]): Sighting {
    const container = { ...HEALTHY, finishedAtMs: STARTED + 5_000, ...change };
    let all: readonly Fact[] = [];
    for (const fact of [...facts, ...factsOf(container)]) all = withFact(all, fact);
    const history = { runs: runsIn(all), nowMs: STARTED + 6_000, lapseMs: 60_000 };
    return observe(container, { ...ON_HOST, history });
  }

  const STOP: Fact = { what: "kill", timeMs: STARTED + 4_000, signal: 15 };

  test.each<[what: string, sighting: () => Sighting, outlook: string, end: string | undefined]>([
    ["created", () => told({ status: "created" }), "created", undefined],
    [
      "created, but it could not be started",
      () => told({ status: "created", startError: "no such file" }),
      "gone",
      undefined,
    ],
    [
      "restarting",
      () => told({ status: "restarting", exitCode: 1 }),
      "starts again",
      "exited with code 1",
    ],
    [
      "exited by itself",
      () => told({ status: "exited", exitCode: 1 }),
      "gone",
      "exited with code 1",
    ],
    [
      "told to stop",
      () => told({ status: "exited", exitCode: 0 }, STOP),
      "was stopped",
      "was stopped",
    ],
    [
      "told to stop, being removed",
      () => told({ status: "removing" }, STOP),
      "was stopped",
      "was stopped",
    ],
    [
      "told to stop while it was down",
      () => told({ status: "exited", exitCode: 1 }, { what: "stop", timeMs: STARTED + 5_500 }),
      "was stopped",
      "exited with code 1",
    ],
    [
      "told to stop before its run",
      () => told({ status: "exited", exitCode: 1 }, { ...STOP, timeMs: STARTED - 5 }),
      "gone",
      "exited with code 1",
    ],
    [
      "disabled by its label",
      () => told({ status: "exited", labels: { "inference.enable": "false" } }),
      "gone",
      undefined,
    ],
    ["never inspected and no longer there", () => absent("i", "n"), "gone", undefined],
  ])("%s", (_what, sighting, outlook, end) => {
    const seenNow = sighting();
    expect(seenNow).toMatchObject({ kind: "absent", outlook });
    expect(seenNow.kind === "absent" ? seenNow.end?.reason : "").toBe(end);
  });

  test("without a history, only the inspect says how it ended", () => {
    const change = { status: "exited", exitCode: 137, outOfMemory: true } as const;
    expect(observe({ ...HEALTHY, ...change }, ON_HOST)).toMatchObject({
      outlook: "gone",
      end: { kind: "out of memory", reason: "ran out of memory (exit code 137)" },
    });
  });

  test("a running container reports how the previous run ended, and the text about it", () => {
    const before: readonly Fact[] = [
      { what: "start", timeMs: STARTED - 13_000 },
      { what: "die", timeMs: STARTED - 1_000, exitCode: 1 },
    ];
    expect(told({ health: "starting" }, ...before)).toMatchObject({
      isCrashLoop: false,
      lastEnd: { reason: "exited with code 1" },
      past: "its last run exited with code 1 after 12 s",
    });
  });

  test("its slots are its name and its place in the Compose service", () => {
    const labels = {
      ...HEALTHY.labels,
      "com.docker.compose.project": "ai",
      "com.docker.compose.service": "llm",
      "com.docker.compose.container-number": "2",
    };
    const { slots } = observe({ ...HEALTHY, name: "ai-llm-2", labels }, ON_HOST);
    expect(slots).toEqual(["name ai-llm-2", "compose ai/llm/2"]);
  });
});
