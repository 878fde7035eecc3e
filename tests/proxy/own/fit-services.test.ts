/** How `GET /status` shows a swarm that is too large for its limit. */
import { describe, expect, test } from "bun:test";
import { statusText } from "../../../src/proxy/own/status-fit.ts";
import type { ContainerStatus, ServiceStatus, Status, TaskStatus } from "../../../src/status.ts";
import { containerStatus, plainStatus } from "../../support/proxy/status-reply.ts";
import { service, swarm, task } from "../../support/proxy/swarm-status.ts";

const LIMIT = 256 * 1024;
/** Takes 6 bytes in JSON. */
const CONTROL = "\u0001";

function fit(more: Partial<Status>, bytesMax = LIMIT): Status {
  const text = statusText(plainStatus(more), bytesMax);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(bytesMax);
  return JSON.parse(text) as Status;
}

function many<Made>(count: number, make: (n: number) => Made): readonly Made[] {
  return Array.from({ length: count }, (_, n) => make(n));
}

function tasksOf(
  name: string,
  count: number,
  more: Partial<TaskStatus> = {},
): readonly TaskStatus[] {
  return many(count, (n) => task({ name: `${name}.${n + 1}`, ...more }));
}

function servicesIn({ swarm: seen }: Status): readonly ServiceStatus[] {
  return seen?.services ?? [];
}

/** All tasks run, and each has a container. */
function large(): {
  readonly services: readonly ServiceStatus[];
  readonly containers: readonly ContainerStatus[];
} {
  const services = many(500, (n) => {
    const name = `ai_inference-${n}`;
    return service({ name, tasks: tasksOf(name, 10) });
  });
  const containers = services.flatMap(({ tasks }) =>
    tasks.map(({ id, name }) => containerStatus({ id, name }) as unknown as ContainerStatus),
  );
  return { services, containers };
}

describe("statusText() of a swarm", () => {
  test("leaves nothing out if the status fits exactly, and one task if it is one byte too long", () => {
    const status = plainStatus({
      swarm: swarm([service({ name: "a", tasks: tasksOf("a", 400) })]),
    });
    const bytes = Buffer.byteLength(JSON.stringify(status));
    expect(fit(status, Math.max(bytes, 65_536))).toEqual(status);
    const longer = plainStatus({
      swarm: swarm(many(20, (n) => service({ name: `${n}`, tasks: tasksOf(`${n}`, 50) }))),
    });
    const longerBytes = Buffer.byteLength(JSON.stringify(longer));
    expect(fit(longer, longerBytes)).toEqual(longer);
    const shown = fit(longer, longerBytes - 1);
    expect(shown.left_out).toMatchObject({ services: 0, details: true });
    expect(servicesIn(shown).reduce((sum, { tasks }) => sum + tasks.length, 0)).toBe(999);
  });

  test("shows 500 services, and as many of 5,000 tasks and their containers as fit", () => {
    const { services, containers } = large();
    const shown = fit({ containers, swarm: swarm(services) });
    expect(servicesIn(shown)).toHaveLength(500);
    expect(servicesIn(shown).map(({ name }) => name)).toEqual(services.map(({ name }) => name));
    expect(shown.containers.length).toBeGreaterThan(200);
    expect(shown.left_out).toMatchObject({
      containers: 5_000 - shown.containers.length,
      services: 0,
      details: true,
    });
  });

  test("keeps tasks that do not run rather than running ones, and keeps their order", () => {
    const tasks = many(5_000, (n) =>
      task({
        name: `a.${n}`,
        ...(n % 100 === 99 && { state: "pending", node: null, reason: "no suitable node" }),
      }),
    );
    const [shown] = servicesIn(fit({ swarm: swarm([service({ name: "a", tasks })]) }));
    const names = shown?.tasks.map(({ name }) => name) ?? [];
    expect(names.length).toBeWithin(1_000, 4_000);
    expect(shown?.tasks.filter(({ reason }) => reason !== "")).toHaveLength(50);
    expect(names).toEqual(names.toSorted((a, b) => Number(a.slice(2)) - Number(b.slice(2))));
  });

  test("keeps services with a problem first, then those with an update, then the others", () => {
    const services = many(3_000, (n) =>
      service({
        name: `s${`${n}`.padStart(4, "0")}`,
        ...(n % 100 === 50 && { reason: "no suitable node (insufficient resources on 3 nodes)" }),
        ...(n % 100 === 51 && { update: "updating 2 of 3" }),
      }),
    );
    const shown = fit({ swarm: swarm(services) });
    const kept = servicesIn(shown);
    expect(kept.filter(({ reason }) => reason !== "")).toHaveLength(30);
    expect(kept.filter(({ update }) => update !== null)).toHaveLength(30);
    expect(shown.left_out.services).toBe(3_000 - kept.length);
    expect(kept.map(({ name }) => name)).toEqual(kept.map(({ name }) => name).toSorted());
  });

  test("many services leave room for containers and models", () => {
    const { services } = large();
    const containers = many(
      5_000,
      (n) => containerStatus({ name: `c${n}` }) as unknown as ContainerStatus,
    );
    const models = many(5_000, (n) => ({
      ...{ id: `m${n}`, waiting: 0, in_flight: 0, servers: [], recent: null },
    }));
    const twice = [...services, ...large().services];
    const shown = fit({ swarm: swarm(twice), containers, models });
    expect(shown.containers.length).toBeGreaterThan(150);
    expect(shown.models.length).toBeGreaterThan(400);
    expect(servicesIn(shown).length).toBeGreaterThan(400);
  });

  const LONG = "x".repeat(LIMIT);

  test.each<[what: string, seen: Status["swarm"]]>([
    ["the reason of the swarm", swarm([], { state: "lost", reason: LONG })],
    ["the reason of a service", swarm([service({ name: "a", reason: LONG })])],
    ["the text of an update", swarm([service({ name: "a", update: LONG })])],
    ["tasks", swarm([service({ name: "a", tasks: tasksOf("a", 5_000) })])],
    [
      "the reason of a task",
      swarm([service({ name: "a", tasks: tasksOf("a", 1, { reason: LONG }) })]),
    ],
  ])("reports that it leaves out details: %s", (_what, seen) => {
    const { left_out, swarm: shown } = fit({ swarm: seen });
    expect(left_out).toMatchObject({ services: 0, details: true });
    expect(shown?.services).toHaveLength(seen?.services.length ?? -1);
  });

  test("the worst texts fit, and take less than 500 ms", () => {
    const worst = (n: number): string => `${n}${CONTROL.repeat(1_000)}`;
    const services = many(500, (n) => {
      const tasks = many(10, (slot) =>
        task({
          name: worst(slot),
          id: worst(slot),
          node: worst(n),
          state: worst(n),
          reason: worst(n),
        }),
      );
      return service({ name: worst(n), id: worst(n), reason: worst(n), update: worst(n), tasks });
    });
    fit({ swarm: swarm(services) });
    const beganMs = performance.now();
    const shown = fit({ swarm: swarm(services) });
    expect(performance.now() - beganMs).toBeLessThan(500); // 10 ms on an idle machine
    expect(servicesIn(shown).length).toBeGreaterThan(40);
    expect(shown.left_out.services).toBe(500 - servicesIn(shown).length);
  });
});
