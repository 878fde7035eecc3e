/**
 * Planned changes by an operator. Each resolves when it is done, and restarts one of the proxies in the
 * middle.
 */
import { expect } from "bun:test";
import { until } from "../until.ts";
import type { Service } from "./service.ts";
import type { Result, Stage } from "./stage.ts";

/** Swarm shows its decision at least this long before SIGTERM, in ms: the minimum in 47 measured stops. */
const NOTICE_MS = 3_000;

/**
 * Checks that all requests were answered. It accepts one kind of failure: a server exited at once, and the
 * request had already waited for longer than Swarm's notice. This happens on a machine so busy that an answer
 * of 1 s takes 3 s.
 */
export function expectNoneFailed(result: Result, service: Service): void {
  const isInevitable = ({ headMs, endMs }: Result["all"][number]): boolean =>
    service.termMode === "exit" && headMs !== undefined && endMs > NOTICE_MS;
  expect(result.failed.filter((one) => !isInevitable(one))).toEqual([]);
  expect(service.lateRequests()).toEqual([]);
}

type Change = (stage: Stage, service: Service) => Promise<void>;

/** `docker service update --force`: replaces all tasks, one after the other. */
export function replaceAll(order: "start-first" | "stop-first"): Change {
  return async (stage, service) => {
    const old = (await service.running()).map(({ id }) => id);
    await service.update("--force", "--update-order", order);
    const isReplaced = async (): Promise<boolean> =>
      (await service.running()).some(({ id }) => !old.includes(id));
    await until("the first task is replaced", isReplaced, 60_000);
    await Promise.all([stage.restartProxy(), service.untilUpdate(["completed"])]);
    await service.untilRunning(3);
  };
}

/** From one task to three, and back to one. */
export const scaleUpAndDown: Change = async (stage, service) => {
  await service.scale(3);
  await service.untilRunning(3);
  const down = service.scale(1);
  await Promise.all([stage.restartProxy(), down]);
  await service.untilRunning(1);
};

/** An update whose tasks never become healthy. Swarm rolls it back. */
export const rollBack: Change = async (stage, service) => {
  const flags = ["--update-failure-action", "rollback", "--update-monitor", "5s"];
  await service.update(...flags, "--env-add", "HEALTHY=false");
  await service.untilUpdate(["rollback_started", "rollback_completed"]);
  await Promise.all([stage.restartProxy(), service.untilUpdate(["rollback_completed"])]);
  await service.untilRunning(3);
};

/** The task on a worker moves to another node. */
export const drainNode: Change = async (stage, service) => {
  const availability = (what: string): Promise<string> =>
    stage.swarm.dockerOn("m1")("node", "update", "--availability", what, "w2");
  const isGone = async (): Promise<boolean> =>
    (await service.running()).every(({ node }) => node !== "w2");
  try {
    await availability("drain");
    await Promise.all([stage.restartProxy(), until("no task runs on w2", isGone, 30_000)]);
    await service.untilRunning(3);
  } finally {
    await availability("active");
  }
};
