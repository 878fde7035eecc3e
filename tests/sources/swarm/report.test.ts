import { describe, expect, test } from "bun:test";
import type { Sighting } from "../../../src/sources/sighting.ts";
import { servicesOf, type Watching } from "../../../src/sources/swarm/report.ts";
import type { ServiceStatus } from "../../../src/status.ts";
import { aNode, aService, aTask, CREATED_MS } from "../../support/engine/swarm-parts.ts";

const NODES = new Map([["node1", aNode()]]);

function shown(watching: Partial<Watching>): ServiceStatus {
  const all = { services: [aService()], tasks: [], told: () => undefined, ...watching };
  const [first] = servicesOf({ takesRequests: () => true, ...all }, NODES);
  if (first === undefined) throw new Error("There is no service");
  return first;
}

function told(sighting: object): Watching["told"] {
  return () => sighting as Sighting;
}

describe("servicesOf()", () => {
  test("reports a service whose tasks take requests", () => {
    const tasks = [aTask({ id: "b", slot: 2 }), aTask({ id: "a" }), aTask({ serviceId: "other" })];
    expect(shown({ tasks })).toEqual({
      ...{ id: "svc1", name: "llm", replicas: 3, routed: 2, update: null, reason: "" },
      tasks: [
        {
          ...{ id: "a", name: "llm.1", node: "gpu-1", reason: "" },
          ...{ state: "running", desired_state: "running" },
        },
        {
          ...{ id: "b", name: "llm.2", node: "gpu-1", reason: "" },
          ...{ state: "running", desired_state: "running" },
        },
      ],
    });
  });

  test("sorts services by name; a global service has no number of replicas", () => {
    const services = [
      aService({ id: "2", name: "z", replicas: undefined }),
      aService({ name: "a" }),
    ];
    const watching = { services, tasks: [], told: () => undefined, takesRequests: () => false };
    expect(servicesOf(watching, NODES).map(({ name, replicas }) => [name, replicas])).toEqual([
      ["a", 3],
      ["z", null],
    ]);
  });

  test("says once why tasks are missing, with their number and what to do", () => {
    const error = "no suitable node (insufficient resources on 3 nodes)";
    const pending = { state: "pending", nodeId: "", error };
    const tasks = [
      aTask(),
      aTask({ ...pending, id: "b", slot: 2 }),
      aTask({ ...pending, id: "c", slot: 3 }),
    ];
    const status = shown({ tasks, takesRequests: (id) => id === "task1" });
    expect(status.routed).toBe(1);
    expect(status.reason).toBe(
      `2 tasks missing: ${error}: free some (a GPU, memory), lower the service's reservations, or reduce its replicas`,
    );
    expect(status.tasks[1]).toMatchObject({ node: null, reason: expect.stringContaining(error) });
  });

  test.each([
    ["No such image: nosuch/image:1", "--with-registry-auth"],
    ["no suitable node (scheduling constraints not satisfied on 3 nodes)", "placement.constraints"],
    ["no suitable node (host-mode port already in use on 1 node)", "only one such task"],
    ["no suitable node", "docker node ls"],
    ["task: non-zero exit (137)", "memory ran out"],
    ["task: non-zero exit (3)", "docker service logs"],
    ["task: non-zero exit (1): dockerexec: unhealthy container", "health check failed"],
  ])("%s: says what to do", (error, advice) => {
    const tasks = [aTask({ state: "failed", error })];
    const { reason } = shown({ tasks, takesRequests: () => false });
    expect(reason).toStartWith(`1 task missing: ${error}: `);
    expect(reason).toContain(advice);
  });

  test("a crash loop: the new task and the service show how the previous task ended", () => {
    const before = aTask({ id: "old", state: "failed", error: "task: non-zero exit (1)" });
    const next = aTask({ id: "new", state: "starting", createdAtMs: CREATED_MS + 1 });
    const status = shown({ tasks: [before, next], takesRequests: () => false });
    const why = "task: non-zero exit (1): look at docker service logs";
    expect(status.reason).toBe(`1 task missing: ${why}`);
    expect(status.tasks).toMatchObject([
      {
        id: "new",
        reason: `waiting for its health check to pass; the task before it: ${why}`,
      },
    ]);
    const well = shown({ tasks: [before, next], takesRequests: (id) => id === "new" });
    expect([well.reason, well.tasks[0]?.reason]).toEqual(["", ""]);
  });

  test("a waiting task says why, without repeating its state", () => {
    const task = aTask({ state: "preparing", error: "", message: "preparing the image" });
    const status = shown({ tasks: [task], takesRequests: () => false });
    expect(status.tasks[0]).toMatchObject({ state: "preparing", reason: "preparing the image" });
  });

  test("shows the last ended task of a place only if the place has no other task", () => {
    const failed = aTask({ id: "old", state: "failed", error: "task: non-zero exit (3)" });
    const again = aTask({ id: "new", createdAtMs: CREATED_MS + 1 });
    expect(shown({ tasks: [failed, again] }).tasks.map(({ id }) => id)).toEqual(["new"]);
    const later = { ...failed, id: "later", createdAtMs: CREATED_MS + 2 };
    expect(shown({ tasks: [later, failed] }).tasks.map(({ id }) => id)).toEqual(["later"]);
    const scaledDown = aTask({ state: "shutdown", desiredState: "shutdown" });
    expect(shown({ tasks: [scaledDown] }).tasks).toEqual([]);
  });

  test("says why a running task takes no requests", () => {
    const reasonOf = (sighting: object | undefined, task = aTask()): string | undefined => {
      const watching = sighting === undefined ? {} : { told: told(sighting) };
      return shown({ tasks: [task], takesRequests: () => false, ...watching }).tasks[0]?.reason;
    };
    expect(reasonOf({ kind: "ignored", reason: "no shared network" })).toBe("no shared network");
    const trouble = { state: "unhealthy", reason: "its health check fails" };
    expect(reasonOf({ kind: "present", trouble })).toBe("its health check fails");
    expect(reasonOf({ kind: "present" })).toBe("the proxy is reading its model list");
    expect(reasonOf(undefined, aTask({ state: "starting" }))).toBe(
      "waiting for its health check to pass",
    );
    expect(reasonOf(undefined, aTask({ desiredState: "shutdown" }))).toBe("told to stop");
  });

  test("the service also shows why running tasks are not routed; wrong labels come first", () => {
    const tasks = [aTask(), aTask({ id: "b", slot: 2 })];
    const ignored = told({ kind: "ignored", reason: "no shared network" });
    expect(shown({ tasks, told: ignored }).reason).toBe("2 tasks not routed: no shared network");
    const services = [aService({ labels: { "inference.enable": "yes" } })];
    expect(shown({ services, tasks, told: ignored }).reason).toBe(
      'label inference.enable is "yes": write "true" to make the proxy route it',
    );
  });

  test.each([
    ["updating", "update in progress", "updating 2 of 3"],
    ["paused", "update paused due to failure", "paused: update paused due to failure"],
    ["rollback_started", "", "rollback"],
    ["rollback_paused", "x", "rollback paused: x"],
    ["rollback_completed", "rollback completed", "rolled back"],
    ["completed", "update completed", null],
    ["new_word", "", "new_word"],
  ])("an update that is %s", (state, message, expected) => {
    const update = { state, message, startedAtMs: CREATED_MS };
    const tasks = [
      aTask(),
      aTask({ id: "b", slot: 2 }),
      aTask({ id: "before", slot: 3, createdAtMs: CREATED_MS - 1 }),
      aTask({ id: "ahead", slot: 3, desiredState: "ready", state: "preparing" }),
    ];
    expect(shown({ services: [aService({ update })], tasks }).update).toBe(expected);
  });
});
