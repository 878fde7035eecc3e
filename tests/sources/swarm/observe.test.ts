import { describe, expect, test } from "bun:test";
import type { Labels } from "../../../src/sources/labels.ts";
import { readServiceLabels } from "../../../src/sources/swarm/labels.ts";
import {
  type Beside,
  goneOf,
  nameOf,
  type OwnView,
  observe,
  type Surroundings,
} from "../../../src/sources/swarm/observe.ts";
import { aNetwork, aNode, aService, aTask, CREATED_MS } from "../../support/engine/swarm-parts.ts";

const NODES = new Map([["node1", aNode()]]);
const AROUND: Surroundings = {
  whereabouts: { networks: [{ id: "net1", name: "ai_inference" }], isOnHost: false },
  itself: {
    container: undefined,
    program: "proxy",
    addresses: ["10.0.1.5"],
    listening: { host: undefined, port: 8080 },
  },
  nodes: NODES,
  ownServiceId: undefined,
};
const OWN: OwnView = {
  hasHealthcheck: true,
  isStopping: false,
  isOver: false,
  trouble: undefined,
};

function see(
  init: {
    readonly task?: Parameters<typeof aTask>[0];
    readonly service?: Parameters<typeof aService>[0];
  } = {},
  around: Partial<Surroundings & Beside> = {},
) {
  const service = aService(init.service);
  return observe(aTask(init.task), service, readServiceLabels(service), { ...AROUND, ...around });
}

describe("observe()", () => {
  test("a running task is routable, and the task is its run", () => {
    expect(see()).toMatchObject({
      ...{ kind: "present", seen: "routable", name: "llm.1", slots: ["swarm svc1/1"] },
      run: { source: "swarm", id: "task1", startedAtMs: CREATED_MS },
      ...{ origin: "http://10.0.1.5:8000", origins: ["http://10.0.1.5:8000"], mayVanish: true },
      settings: { basePath: "/v1", shares: "service svc1" },
    });
  });

  test("DesiredState drains it, whatever Status.State says", () => {
    for (const desiredState of ["shutdown", "remove", "complete"]) {
      expect(see({ task: { desiredState } })).toMatchObject({ seen: "stopping" });
    }
  });

  test("is starting until it runs and its desired state is running", () => {
    expect(see({ task: { state: "starting" } })).toMatchObject({ seen: "starting" });
    expect(see({ task: { desiredState: "ready" } })).toMatchObject({ seen: "starting" });
  });

  test("a task without a container says why it waits, and will start", () => {
    const error = "no suitable node (insufficient resources on 3 nodes)";
    expect(see({ task: { state: "pending", nodeId: "", error } })).toMatchObject({
      ...{ kind: "absent", state: "stopped", outlook: "starts again", reason: `pending: ${error}` },
    });
    const plain = see({ task: { state: "preparing", error: "", message: "" } });
    expect(plain).toMatchObject({ reason: "preparing: it has no node yet" });
    const gone = see({ task: { state: "ready", desiredState: "shutdown" } });
    expect(gone).toMatchObject({ kind: "absent", outlook: "gone" });
  });

  test("an ended task says how it ended", () => {
    expect(see({ task: { state: "shutdown" } })).toMatchObject({
      ...{ kind: "absent", outlook: "was stopped", end: { kind: "stopped" } },
    });
    expect(see({ task: { state: "failed", exitCode: 3 } })).toMatchObject({
      ...{ kind: "absent", outlook: "gone", reason: "exited with code 3" },
    });
  });

  test("a task that must stop on a node that is down is gone, because its end is never reported", () => {
    const nodes = new Map([["node1", aNode({ state: "down" })]]);
    expect(see({ task: { desiredState: "shutdown" } }, { nodes })).toMatchObject({
      ...{ kind: "absent", reason: "is no longer reachable: its node is down" },
    });
    expect(see({}, { nodes })).toMatchObject({ seen: "routable" }); // Swarm decides that, not the proxy
    const unknown = new Map([["node1", aNode({ state: "unknown" })]]); // after a change of leader
    expect(see({ task: { desiredState: "shutdown" } }, { nodes: unknown })).toMatchObject({
      seen: "stopping",
    });
  });

  test("uses health, pauses, stops and ends from our own node's engine", () => {
    const trouble = { state: "paused", reason: "paused" } as const;
    expect(see({}, { own: { ...OWN, trouble } })).toMatchObject({ seen: "not healthy", trouble });
    expect(see({}, { own: { ...OWN, isStopping: true } })).toMatchObject({ seen: "stopping" });
    const over = { ...OWN, isOver: true };
    expect(see({}, { own: over })).toMatchObject({ kind: "absent", outlook: "gone" });
    expect(see({}, { own: { ...over, isStopping: true } })).toMatchObject({
      outlook: "was stopped",
    });
  });

  test("a task that Swarm's DNS no longer lists is not healthy, unless it must stop", () => {
    expect(see({}, { isOutOfDns: true })).toMatchObject({ seen: "not healthy" });
    const stopping = see({ task: { desiredState: "shutdown" } }, { isOutOfDns: true });
    expect(stopping).toMatchObject({ seen: "stopping" });
  });

  test("a task on another node without a health check in its service is routed, with a remark", () => {
    const service = { healthcheck: "not given" } as const;
    expect(see({ service })).toMatchObject({
      ...{ seen: "routable", remark: expect.stringContaining("cannot see from here") },
    });
    expect(see()).not.toHaveProperty("remark");
    expect(see({ service }, { own: OWN })).not.toHaveProperty("remark");
    expect(see({ service }, { own: { ...OWN, hasHealthcheck: undefined } })).toMatchObject({
      seen: "starting", // until we have inspected its container
    });
    expect(see({ service }, { own: { ...OWN, hasHealthcheck: false } })).toMatchObject({
      ...{ kind: "ignored", reason: expect.stringContaining("no HEALTHCHECK") },
    });
  });

  test("ignores a service that turns the health check off", () => {
    expect(see({ service: { healthcheck: "none" } })).toMatchObject({
      ...{ kind: "ignored", reason: expect.stringContaining("(NONE)") },
    });
  });

  test("ignores the proxy's own service, and addresses that lead back to the proxy", () => {
    expect(see({}, { ownServiceId: "svc1" })).toMatchObject({
      ...{ kind: "ignored", reason: expect.stringContaining("the proxy itself") },
    });
    const labels = { "inference.enable": "true", "inference.port": "8080" };
    expect(see({ service: { labels } })).toMatchObject({
      ...{ kind: "ignored", reason: expect.stringContaining("the proxy itself listens at") },
    });
  });

  test("uses the port in the service if a new leader has forgotten the task's port (20.10)", () => {
    const hostPorts = [{ protocol: "tcp", targetPort: 8000, publishedPort: 8101 }];
    const task = { networks: [] };
    expect(see({ task, service: { hostPorts } })).toMatchObject({
      origin: "http://192.168.1.21:8101",
    });
    const own = [{ ...hostPorts[0]!, publishedPort: 32_768 }];
    expect(see({ task: { ...task, hostPorts: own }, service: { hostPorts } })).toMatchObject({
      origin: "http://192.168.1.21:32768",
    });
  });

  test("a task whose node chooses the port will start, because the port is unknown before it runs", () => {
    const hostPorts = [{ protocol: "tcp", targetPort: 8000, publishedPort: 0 }];
    const starting = { networks: [], state: "starting" };
    expect(see({ task: starting, service: { hostPorts } })).toMatchObject({
      ...{ kind: "absent", outlook: "starts again" },
    });
    expect(see({ task: { networks: [] }, service: { hostPorts } })).toMatchObject({
      ...{ kind: "ignored", reason: expect.stringContaining("which port of its node") },
    });
  });

  test("reports wrong labels and an unreachable task", () => {
    const wrong = see({ service: { labels: { "inference.enable": "yes" } } });
    expect(wrong).toMatchObject({ kind: "ignored", reason: expect.stringContaining('"yes"') });
    const lost = see({ task: { networks: [aNetwork({ id: "other" })] } });
    expect(lost).toMatchObject({ kind: "ignored", reason: expect.stringContaining("no shared") });
    const off = see({ service: { labels: { "inference.enable": "false" } } });
    expect(off).toMatchObject({ kind: "absent", state: "disabled", comesBack: true });
  });
});

test("names the tasks of a global service by their hosts", () => {
  const task = aTask({ slot: 0 });
  expect(nameOf(task, aService(), NODES)).toBe("llm.gpu-1");
  expect(nameOf(task, aService(), new Map())).toBe("llm.node1");
  expect(nameOf(aTask({ slot: 0, nodeId: "" }), aService(), NODES)).toBe("llm.?");
  const labels: Labels = readServiceLabels(aService());
  expect(observe(task, aService(), labels, AROUND).slots).toEqual(["swarm svc1/node1"]);
});

test("a task that the manager no longer knows has ended in an unknown way", () => {
  expect(goneOf(see())).toMatchObject({
    ...{ kind: "absent", name: "llm.1", outlook: "gone", end: { kind: "unknown" } },
  });
});
