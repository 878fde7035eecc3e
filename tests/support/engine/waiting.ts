/**
 * Shared by the tests of waiting: servers that take a while to load, and clients of one model that never
 * pause.
 */
import { expect } from "bun:test";
import { join } from "node:path";
import { type Load, startLoad } from "../client/load.ts";
import { untilModels } from "../client/requests.ts";
import { STREAMING } from "../client/streaming.ts";
import type { CompiledProxy } from "../proxy/compiled.ts";
import { waitsFor } from "../proxy/waiting-requests.ts";
import { dockerCli } from "../server/inference-server/image.ts";
import { until } from "../until.ts";
import { type Server, type ServerInit, startProxy } from "./real.ts";
import { startService } from "./replace.ts";

/** While the server loads, failed probes do not count. */
const PROBES = ["--health-interval", "250ms", "--health-start-period", "60s"];

/**
 * A server of the model `m` that finishes its answers when it is told to stop.
 *
 * @param name the server's name on its answers
 * @param more environment variables
 */
export function server(name: string, more: Readonly<Record<string, string>> = {}): ServerInit {
  return { env: { MODELS: "m", TERM_MODE: "drain", NAME: name, ...more }, flags: PROBES };
}

/** A proxy in which requests may wait for 5 minutes, and its servers. */
export class Patience implements AsyncDisposable {
  readonly proxy: CompiledProxy;
  readonly old: Server;

  private constructor(proxy: CompiledProxy, old: Server) {
    this.proxy = proxy;
    this.old = old;
  }

  /** Resolves when the server is routed. */
  static async start(init: ServerInit = server("old"), timeout = "5m"): Promise<Patience> {
    const proxy = await startProxy({ PROXY_WAIT_TIMEOUT: timeout });
    const old = await startService(init);
    await untilModels(proxy.origin, ["m"]);
    return new Patience(proxy, old);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
  }

  /** Starts clients that stream. Resolves when about as many answers as clients have come. */
  async load(clients: number, send = STREAMING.fetch): Promise<Clients> {
    const load = startLoad(this.proxy.origin, "m", clients, send);
    const all = new Clients(clients, load);
    await all.untilMore("200 by old");
    return all;
  }
}

/** Clients of the model `m`, and the outcomes of their requests. */
export class Clients implements AsyncDisposable {
  readonly #count: number;
  readonly #load: Load;

  constructor(count: number, load: Load) {
    this.#count = count;
    this.#load = load;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#load[Symbol.asyncDispose]();
  }

  get outcomes(): readonly string[] {
    return [...this.#load.outcomes.keys()].sort();
  }

  count(outcome: string): number {
    return this.#load.outcomes.get(outcome) ?? 0;
  }

  /** Waits for as many more answers with this outcome as there are clients. */
  untilMore(outcome: string, boundMs = 60_000): Promise<void> {
    const enough = this.count(outcome) + this.#count;
    return until(`${enough} answers are ${outcome}`, () => this.count(outcome) >= enough, boundMs);
  }
}

/** Makes a server exit with code 1 at each later start. */
export async function breakServer({ id }: Server): Promise<void> {
  const anyFile = join(import.meta.dir, "waiting.ts");
  await dockerCli("cp", anyFile, `${id}:/broken`);
}

/**
 * Checks that about this many requests waited for `m`, once, for this long.
 *
 * @param seconds the shortest time
 */
export function expectWaited(proxy: CompiledProxy, clients: number, seconds: number): void {
  const [wait, ...more] = waitsFor(proxy, "m");
  expect(more).toEqual([]);
  expect(wait?.requests).toBeWithin(clients, 3 * clients);
  expect(wait?.longestS).toBeWithin(seconds, 2 * seconds + 10);
}
