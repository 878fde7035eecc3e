/**
 * Replicas of the model `m` on the real engine, as `docker compose up --scale` starts them, behind the
 * compiled proxy.
 */

import { post } from "../client/requests.ts";
import type { CompiledProxy } from "../proxy/compiled.ts";
import { untilShown } from "../proxy/shown-status.ts";
import { dockerCli } from "../server/inference-server/image.ts";
import { until } from "../until.ts";
import {
  admin,
  type JournalEntry,
  journal,
  type Server,
  type ServerInit,
  startHealthy,
  startProxy,
} from "./real.ts";

/** Two probes a second. Each probe costs a process. */
const PROBES = ["--health-interval", "500ms"];

let counter = 0;

/** Starts one more container of the service. Resolves when the engine reports it as healthy. */
function startReplica({ env, labels, flags = [] }: ServerInit = {}): Promise<Server> {
  counter += 1;
  const project = `lw-inference-proxy-test-${process.pid}`;
  return startHealthy({
    name: `${project}-llm-${counter}`,
    env: { MODELS: "m", TERM_MODE: "drain", ...env },
    labels: {
      "com.docker.compose.project": project,
      "com.docker.compose.service": "llm",
      "com.docker.compose.container-number": String(counter),
      "com.docker.compose.oneoff": "False",
      "inference.replica": "true",
      ...labels,
    },
    flags: [...PROBES, ...flags],
  });
}

/** The proxy, and the running replicas. */
export class Replicas implements AsyncDisposable {
  readonly proxy: CompiledProxy;
  readonly #running: Server[];

  private constructor(proxy: CompiledProxy, running: readonly Server[]) {
    this.proxy = proxy;
    this.#running = [...running];
  }

  /** Resolves when all replicas are routed. */
  static async start(count: number, init: ServerInit = {}): Promise<Replicas> {
    const proxy = await startProxy();
    const started = await Promise.all(Array.from({ length: count }, () => startReplica(init)));
    const replicas = new Replicas(proxy, started);
    for (const server of started) await replicas.untilState(server, "routed");
    return replicas;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
  }

  get origin(): string {
    return this.proxy.origin;
  }

  get running(): readonly Server[] {
    return this.#running;
  }

  get names(): readonly string[] {
    return this.#running.map(({ name }) => name);
  }

  named(name: string | null): Server {
    return this.#running.find((server) => server.name === name)!;
  }

  except(server: Server): readonly Server[] {
    return this.#running.filter((one) => one !== server);
  }

  /** Starts one more replica. Resolves when it is healthy. The proxy may not know that yet. */
  async add(init: ServerInit = {}): Promise<Server> {
    const server = await startReplica(init);
    this.#running.push(server);
    return server;
  }

  async stop(server: Server): Promise<void> {
    this.#forget(server);
    await dockerCli("stop", "--time", "30", server.name);
  }

  async kill(server: Server): Promise<void> {
    this.#forget(server);
    await dockerCli("kill", server.name);
  }

  /** Replaces a replica as a rolling update does: the old one stops when the new one is routed. */
  async replace(server: Server): Promise<void> {
    await this.untilState(await this.add(), "routed");
    await this.stop(server);
  }

  untilState({ name }: Server, state: string): Promise<number> {
    return untilShown(this.origin, name, { state });
  }

  /** Makes all later requests wait at the servers, before the first byte of their answers. */
  async shutGates(): Promise<void> {
    await Promise.all(this.#running.map((server) => admin(server, "/gate?state=shut")));
  }

  async openGates(): Promise<void> {
    await Promise.all(this.#running.map((server) => admin(server, "/gate?state=open")));
  }

  /**
   * Sends requests. Resolves when each has reached a server, where it waits if the gates are shut.
   *
   * @param query identifies these requests. It reaches the servers unchanged
   */
  async sendWaiting(
    count: number,
    query: string,
    fields: object = {},
  ): Promise<readonly Promise<Response>[]> {
    const body = { model: "m", messages: [{ role: "user", content: "hello" }], ...fields };
    const path = `/v1/chat/completions?${query}`;
    const answers = Array.from({ length: count }, () => post(this.origin, path, body));
    await this.untilArrived(query, count);
    return answers;
  }

  /** Waits until this many requests with this query have reached the servers that run now. */
  async untilArrived(query: string, count: number): Promise<void> {
    const arrived = async (): Promise<boolean> => {
      const each = await Promise.all(this.#running.map((one) => arrivalsAt(one, query)));
      return each.flat().length >= count;
    };
    await until(`${count} requests have arrived`, arrived, 10_000);
  }

  #forget(server: Server): void {
    this.#running.splice(this.#running.indexOf(server), 1);
  }
}

/** The outcomes of answers from these servers, as `outcomeOf` writes them. */
export function answersOf(...servers: readonly Server[]): string[] {
  return servers.map(({ name }) => `200 by ${name}`);
}

/** The requests with this query that have reached the server. */
export async function arrivalsAt(server: Server, query: string): Promise<readonly JournalEntry[]> {
  return (await journal(server)).filter(
    ({ path, model }) => path.endsWith(`?${query}`) && model !== null,
  );
}
