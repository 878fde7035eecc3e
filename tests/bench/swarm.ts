/**
 * The cost of following a swarm: CPU time of the manager's engine, and our own. Each engine is real, and the
 * only node of its swarm. Its tasks find no node and stay pending, so no containers run. A manager lists them
 * all the same.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Status } from "../../src/status.ts";
import { LoneManager, whyNoLoneManager } from "../support/engine/lone-manager.ts";
import { until } from "../support/until.ts";
import { launchOfOurs } from "./launches.ts";
import { cpuSeconds } from "./processes.ts";
import type { Sample } from "./samples.ts";
import { type Started, start } from "./targets.ts";

/** The number of tasks of each swarm. 0: the engine is in no swarm. */
const SIZES = [0, 30, 500] as const;
const SERVICES = 10;
const WINDOW_MS = 20_000;
/** Until the JIT compiler of a new proxy has done most of its work. */
const WARM_MS = 5_000;
const LISTED_MS = 60_000;

type Swarm = { readonly tasks: number; readonly manager: LoneManager };

type Binary = { readonly name: string; readonly path: string };

/** @returns undefined if the benchmark can run here, otherwise the reason */
export const whyNoSwarm = whyNoLoneManager;

/** The engines, for all rounds. */
export class Swarms implements AsyncDisposable {
  readonly #swarms: Swarm[] = [];

  async start(): Promise<this> {
    for (const tasks of SIZES) {
      const manager = new LoneManager();
      this.#swarms.push({ tasks, manager }); // first, so that it is stopped even if its start fails
      await manager.start();
      if (tasks > 0) await fill({ tasks, manager });
    }
    return this;
  }

  /**
   * Measures all engines at the same time, first without the proxy, then each with its own proxy. The figures
   * are percent of a core: `engine30` is what the proxy adds to an engine with 30 tasks, `own30` is the proxy's
   * own cost.
   */
  async measure(binary: Binary, directory: string): Promise<Sample> {
    const without = await window(this.#swarms.map(({ manager }) => [manager.pid]));
    const proxies = await this.#proxies(binary, directory);
    try {
      await Bun.sleep(WARM_MS);
      const engines = this.#swarms.map(({ manager }) => [manager.pid]);
      const used = await window([...engines, ...proxies.map(({ pids }) => pids)]);
      const sample: Record<string, number> = { failed: await this.#notFollowing(proxies) };
      for (const [index, { tasks }] of this.#swarms.entries()) {
        sample[`engine${tasks}`] = (used[index] ?? Number.NaN) - (without[index] ?? Number.NaN);
        sample[`own${tasks}`] = used[this.#swarms.length + index] ?? Number.NaN;
      }
      return sample;
    } finally {
      for (const proxy of proxies) await proxy.stop();
    }
  }

  async #proxies(binary: Binary, directory: string): Promise<readonly Started[]> {
    const started: Started[] = [];
    for (const { tasks, manager } of this.#swarms) {
      const own = join(directory, `swarm-${tasks}`);
      mkdirSync(own, { recursive: true });
      started.push(await start(launchOfOurs(binary, manager.socketPath, own)));
    }
    return started;
  }

  /** The number of proxies that do not know of their swarm. Their figures mean nothing. */
  async #notFollowing(proxies: readonly Started[]): Promise<number> {
    const wrong = await Promise.all(
      this.#swarms.map(async ({ tasks }, index) => {
        const reply = await fetch(`http://127.0.0.1:${proxies[index]?.port}/status`);
        const { swarm } = (await reply.json()) as Pick<Status, "swarm">;
        return swarm?.state !== (tasks > 0 ? "followed" : undefined);
      }),
    );
    return wrong.filter(Boolean).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#swarms.map(({ manager }) => manager[Symbol.asyncDispose]()));
  }
}

/** CPU time of each group of processes over the same period, percent of a core. */
async function window(groups: readonly (readonly number[])[]): Promise<readonly number[]> {
  const before = groups.map(cpuSeconds);
  const startedMs = performance.now();
  await Bun.sleep(WINDOW_MS);
  const seconds = (performance.now() - startedMs) / 1000;
  return groups.map((pids, index) => {
    return ((cpuSeconds(pids) - (before[index] ?? Number.NaN)) / seconds) * 100;
  });
}

/** Services like those in deploy/stack.yaml: labels, health check, an overlay network. */
async function fill({ tasks, manager }: Swarm): Promise<void> {
  await manager.initSwarm();
  await manager.docker("network", "create", "--driver", "overlay", "--attachable", "inference");
  for (let n = 0; n < SERVICES; n += 1) {
    await manager.docker(
      ...["service", "create", "--detach", "--no-resolve-image", "--name", `ai_model-${n}`],
      ...["--replicas", String(tasks / SERVICES), "--constraint", "node.labels.gpu == none-has-it"],
      ...["--network", "inference", "--endpoint-mode", "dnsrr", "--label", "inference.enable=true"],
      ...["--stop-grace-period", "75s", "--health-cmd", "curl -fsS http://localhost:8000/health"],
      ...["--env", "HF_HOME=/models", "vllm/vllm-openai:latest", `my-org/model-${n}`],
    );
  }
  const listed = async (): Promise<boolean> => {
    const reply = await fetch("http://docker/tasks", { unix: manager.socketPath });
    return ((await reply.json()) as readonly unknown[]).length === tasks;
  };
  await until(`the list has ${tasks} tasks`, listed, LISTED_MS);
}
