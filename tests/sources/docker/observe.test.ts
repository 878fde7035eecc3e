import { describe, expect, test } from "bun:test";
import { type Container, parseContainer } from "../../../src/engine/container.ts";
import { absent, observe, type Surroundings } from "../../../src/sources/docker/observe.ts";
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
    ["paused, whatever its health", { status: "paused" }, false, "not healthy"],
    ["starting", { health: "starting" }, false, "starting"],
    ["label off", { labels: { "inference.enable": "false" } }, false, "absent"],
    ["label wrong", { labels: { "inference.enable": "yes" } }, false, "ignored"],
    ["no HEALTHCHECK", { health: "none" }, false, "ignored"],
    ["no network", { networks: [] }, false, "ignored"],
    ["labelled, but not enabled", { labels: { "inference.port": "1" } }, false, "ignored"],
    ["being stopped, as Podman shows it", { status: "stopping" }, false, "stopping"],
  ])("%s", (_what, change, stopping, expected) => {
    expect(seen(change, stopping)).toBe(expected);
  });

  test("no such container is absent", () => {
    expect(absent("a", "vllm").kind).toBe("absent");
  });

  test("the run has what labels and networks say", () => {
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
