/**
 * Unexpected faults of a task or a node. Each resolves when all is well again, and restarts a proxy in the
 * middle.
 */
import { expect } from "bun:test";
import { until } from "../until.ts";
import type { Service } from "./service.ts";
import type { Result, Stage } from "./stage.ts";
import type { NodeName } from "./swarm.ts";

export type Fault = {
  /** The node of the task whose answers may break off. */
  readonly node: NodeName;
  readonly act: (stage: Stage, service: Service) => Promise<void>;
};

/** The largest number of answers that one of three tasks may be streaming. There are fifty in all. */
const STREAMS = 40;
/** From a request to the head of its answer, in ms: 2 s for the dead address, and another replica's answer. */
const HEAD_MS = 3_000;

/** The process of a task ends by itself. */
export const crash: Fault = {
  node: "w2",
  act: async (stage, service) => {
    const task = await service.taskOn("w2");
    await service.crash(task);
    await Promise.all([stage.restartProxy(), untilReplaced(service, task.id)]);
  },
};

/** The health check of a task fails from now on. */
export const spoil: Fault = {
  node: "w2",
  act: async (stage, service) => {
    const task = await service.taskOn("w2");
    await service.spoil(task);
    await Promise.all([stage.restartProxy(), untilReplaced(service, task.id)]);
  },
};

/**
 * Stops or kills the daemon of a worker, or cuts its link. The worker comes back after its task was replaced.
 */
export function loseWorker(fault: "stop" | "kill" | "cut"): Fault {
  return {
    node: "w2",
    act: async (stage, service) => {
      const { id } = await service.taskOn("w2");
      try {
        await stage.swarm.fault(fault, "w2");
        await Promise.all([stage.restartProxy(), untilReplaced(service, id)]);
      } finally {
        await stage.swarm.fault(fault === "cut" ? "mend" : "start", "w2");
      }
      await stage.untilNodesReady();
      await untilEnded(service, id);
    },
  };
}

/**
 * Kills the daemon of the only manager, and starts it again. This ends all its containers, also one of the
 * proxies.
 */
export const loseManager: Fault = {
  node: "m1",
  act: async (stage, service) => {
    const [onManager] = stage.proxies;
    const { id } = await service.taskOn("m1");
    await stage.swarm.fault("kill", "m1");
    // The engine will end this proxy. The clients stop asking it, as if a load balancer knew.
    onManager.isAsked = false;
    await onManager.untilIdle();
    await stage.swarm.fault("start", "m1");
    await stage.untilNodesReady();
    await onManager.start();
    await untilReplaced(service, id);
  },
};

/** Checks that only answers of that node broke off, in mid-stream, and that no request waited for long. */
export function expectOnlyStreamsBroken({ all, failed, beganAt }: Result, { node }: Fault): void {
  const isStream = ({ kind, headMs, by }: Result["all"][number]): boolean =>
    kind === "stream" && headMs !== undefined && by?.startsWith(`${node} `) === true;
  expect(failed.filter((one) => !isStream(one))).toEqual([]);
  expect(failed.length).toBeLessThanOrEqual(STREAMS);
  const slow = all.filter(
    ({ startedAt, headMs }) => startedAt >= beganAt && (headMs ?? 0) > HEAD_MS,
  );
  expect(slow).toEqual([]);
}

async function untilReplaced(service: Service, id: string): Promise<void> {
  const isReplaced = async (): Promise<boolean> => {
    const running = await service.running();
    return running.filter((task) => task.id !== id).length === 3;
  };
  await until("three other tasks run", isReplaced, 90_000);
}

async function untilEnded(service: Service, id: string): Promise<void> {
  const hasEnded = async (): Promise<boolean> => {
    const task = (await service.tasks()).find((one) => one.id === id);
    return task === undefined || task.state !== "running";
  };
  await until("the old task has ended", hasEnded, 60_000);
}
