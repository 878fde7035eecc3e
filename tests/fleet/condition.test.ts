import { describe, expect, test } from "bun:test";
import { type Container, parseContainer } from "../../src/engine/container.ts";
import { conditionOf, type Progress } from "../../src/fleet/condition.ts";
import type { Held } from "../../src/fleet/plan.ts";
import { observe, type Surroundings } from "../../src/sources/docker/observe.ts";
import { type Fact, runsIn } from "../../src/sources/docker/run-facts.ts";
import type { Sighting } from "../../src/sources/sighting.ts";
import { readFixture } from "../support/engine/replies.ts";
import { NOBODY } from "../support/proxy/nobody.ts";
import { RUN, sightingOf } from "../support/server/sightings.ts";

const HEALTHY = parseContainer(readFixture("docker-20.10.24-healthy.json"));
const LABELS = { "inference.enable": "true" };

/** State and reason, as an operator reads them. */
function told(
  change: Partial<Container>,
  held: Held,
  {
    failure,
    lost,
    served = ["m"],
    ...around
  }: Partial<Surroundings> & Partial<Pick<Progress, "failure" | "lost" | "served">> = {},
): string {
  const sighting = observe(
    { ...HEALTHY, labels: LABELS, ...change },
    { place: { kind: "host" }, itself: NOBODY, isStopping: () => false, ...around },
  );
  const { state, reason } = conditionOf(sighting, { held, failure, lost, served });
  return `${state}: ${reason}`;
}

describe("conditionOf()", () => {
  test.each<[what: string, change: Partial<Container>, held: Held, expected: string]>([
    ["routed", {}, "active", "routed: healthy"],
    [
      "being asked for its models",
      {},
      "probing",
      "reading_models: the proxy is reading its model list",
    ],
    [
      "not healthy yet",
      { health: "starting" },
      "unknown",
      "starting: waiting for its health check to pass",
    ],
    [
      "routed, while Docker has forgotten its health",
      { health: "starting" },
      "active",
      "routed: healthy",
    ],
    [
      "unhealthy",
      { health: "unhealthy", hasFailedProbe: true, probeOutput: "connection refused" },
      "draining",
      "unhealthy: its health check fails: connection refused",
    ],
    [
      "unhealthy, with a probe that prints nothing",
      { health: "unhealthy", hasFailedProbe: true, probeOutput: "" },
      "unknown",
      "unhealthy: its health check fails: the check prints nothing",
    ],
    [
      "paused",
      { status: "paused", health: "unhealthy" },
      "draining",
      "paused: paused; after docker unpause the proxy routes it again",
    ],
    [
      "in Podman's own state `stopping`",
      { status: "stopping" },
      "active",
      "stopping: told to stop; requests in flight may finish",
    ],
    [
      "with an invalid label value",
      { labels: { "inference.enable": "yes" } },
      "unknown",
      'ignored: label inference.enable is "yes": write "true" to make the proxy route it',
    ],
    [
      "opted out",
      { labels: { "inference.enable": "false" } },
      "unknown",
      'disabled: label inference.enable is "false"',
    ],
    [
      "without a health check",
      { health: "none" },
      "unknown",
      "ignored: no HEALTHCHECK, so the proxy cannot know when it is ready; add one to its image or its Compose service (healthcheck:), see docs/servers.md",
    ],
    [
      "opted out and stopped",
      { labels: { "inference.enable": "false" }, status: "exited" },
      "unknown",
      'disabled: label inference.enable is "false"',
    ],
  ])("a container %s", (_what, change, held, expected) => {
    expect(told(change, held)).toBe(expected);
  });

  test("a crash loop is one gist while the container is down and while it starts again", () => {
    const { startedAtMs } = HEALTHY;
    const crash = (agoMs: number): readonly Fact[] => [
      { what: "start", timeMs: startedAtMs - agoMs },
      { what: "die", timeMs: startedAtMs - agoMs + 12_000, exitCode: 1 },
    ];
    const facts = [...crash(60_000), ...crash(40_000), ...crash(20_000)];
    const start = { what: "start", timeMs: startedAtMs } as const;
    const history = { nowMs: startedAtMs + 1_000, lapseMs: 60_000 };
    const looping =
      "last: exit code 1 after 12 s; it crashes again and again, so no request waits for it; look at docker logs d06";
    const restarting = { status: "restarting", name: "d06" };
    expect(told(restarting, "unknown", { history: { ...history, runs: runsIn(facts) } })).toBe(
      `restarting: ended 3 times in 10 min; ${looping}`,
    );
    const starting = { health: "starting", name: "d06", restartCount: 3 } as const;
    expect(
      told(starting, "unknown", { history: { ...history, runs: runsIn([...facts, start]) } }),
    ).toBe(`starting: waiting for its health check to pass; ended 3 times in 10 min; ${looping}`);
  });

  test("a container after a stop notice", () => {
    expect(told({}, "draining after notice", { isStopping: () => true })).toStartWith("stopping:");
  });

  test("models that can't be read, at first and later", () => {
    const failure = "401 Unauthorized";
    expect(told({}, "probing", { failure })).toBe("reading_models: 401 Unauthorized");
    expect(told({}, "active", { failure })).toBe(
      "routed: cannot read its model list: 401 Unauthorized; the proxy keeps the last one",
    );
  });

  test("a server that could not be reached", () => {
    const lost = "cannot be reached (connection timed out)";
    expect(told({}, "probing", { lost, failure: lost })).toBe(
      "reading_models: cannot be reached (connection timed out); it gets no new requests until the proxy can read its model list",
    );
    const change = { labels: { ...LABELS, "inference.models": "m" } };
    expect(told(change, "probing", { lost })).toEndWith(
      "; it gets no new requests until it accepts a connection",
    );
  });

  test("a routed server with a remark", () => {
    const remark = "its spec shows no health check";
    const present = sightingOf("routable", RUN);
    const condition = conditionOf({ ...present, remark } as Sighting, {
      ...{ held: "active", failure: undefined, served: ["m"] },
    });
    expect(condition).toMatchObject({ state: "routed", reason: `healthy; ${remark}` });
  });

  test("models that a label names", () => {
    const change = { labels: { ...LABELS, "inference.models": "m" } };
    expect(told(change, "active")).toBe(
      "routed: healthy; the label inference.models names its models",
    );
    expect(told(change, "probing")).toBe(
      "reading_models: the label inference.models names its models",
    );
  });

  test("a server with an empty model list has its own reason", () => {
    expect(told({}, "active", { served: [] })).toBe(
      "routed: healthy, but its model list is empty: it has no models yet",
    );
  });

  test("the reason names a missing shared network in each state", () => {
    const own = { name: "c", id: "id-c", ipv4: "10.0.0.1", ipv6: "", gateway: "" };
    const place = { kind: "container", networks: [own], hostAddress: undefined } as const;
    expect(told({}, "probing", { place, failure: "no answer" })).toMatch(
      /^reading_models: no shared network: the container is connected to .*; the proxy is on c; .*; no answer$/,
    );
    expect(told({ health: "starting" }, "unknown", { place })).toContain("no shared network");
    expect(told({}, "active", { place })).toContain("no shared network");
  });
});
