/**
 * The stage of the tests on a real swarm: its network, two proxies, and a service under the load of fifty
 * clients.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../until.ts";
import { Clients, type Sent } from "./clients.ts";
import { PROXY_IMAGE, SERVER_IMAGE } from "./images.ts";
import { type Proxies, type SwarmProxy, startProxies } from "./proxies.ts";
import { Service, type ServiceInit } from "./service.ts";
import { Swarm } from "./swarm.ts";

/** The folder for all requests and the proxies' logs, one file for each test. */
const RECORDS = join(import.meta.dir, "../../../dist/swarm");

/** How many answers must come before and after a change: two seconds of answers. */
const CALM = 200;

/** The outcomes of the requests. */
export type Result = {
  /** When the change began, in ms since the epoch. */
  readonly beganAt: number;
  readonly all: readonly Sent[];
  readonly failed: readonly Sent[];
  /**
   * The longest time from the start of a request to the end of its answer, in ms. Only complete answers
   * without streams.
   */
  readonly slowestMs: number;
};

let counter = 0;

export class Stage implements AsyncDisposable {
  readonly swarm: Swarm;
  /** The servers and the proxies share it. */
  readonly #network: string;
  readonly #proxies: Proxies;
  #restarts = 0;

  private constructor(swarm: Swarm, network: string, proxies: Proxies) {
    this.swarm = swarm;
    this.#network = network;
    this.#proxies = proxies;
  }

  static async start(): Promise<Stage> {
    const swarm = Swarm.given();
    const manager = swarm.dockerOn("m1");
    counter += 1;
    const network = `models-${counter}`;
    await manager("network", "create", "--driver", "overlay", "--attachable", network);
    return new Stage(swarm, network, await startProxies(swarm, PROXY_IMAGE, network));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#proxies[Symbol.asyncDispose]();
    await this.removeServices();
    const manager = this.swarm.dockerOn("m1");
    await until(
      "the network is removed",
      () => succeeds(manager("network", "rm", this.#network)),
      60_000,
    );
  }

  async removeServices(): Promise<void> {
    const manager = this.swarm.dockerOn("m1");
    const services = (await manager("service", "ls", "--quiet")).split("\n").filter(Boolean);
    if (services.length > 0) await manager("service", "rm", ...services);
  }

  get proxies(): readonly [SwarmProxy, SwarmProxy] {
    return this.#proxies.all;
  }

  /** Restarts one of the proxies, each time the other one. */
  async restartProxy(): Promise<void> {
    this.#restarts += 1;
    await this.proxies[this.#restarts % 2 === 1 ? 0 : 1].restart();
  }

  /** Waits until all nodes are ready: the tasks must spread over all of them. */
  async untilNodesReady(): Promise<void> {
    const states = async (): Promise<readonly string[]> => {
      const format = "{{.Status}} {{.Availability}}";
      const listed = await this.swarm.dockerOn("m1")("node", "ls", "--format", format);
      return listed.trim().split("\n");
    };
    const areReady = async (): Promise<boolean> =>
      (await states()).every((state) => state === "Ready Active");
    await until("all nodes are ready", areReady, 60_000);
  }

  /** Makes a service. Resolves when both proxies serve its model. */
  async service(init: Omit<ServiceInit, "name" | "image" | "network">): Promise<Service> {
    await this.untilNodesReady();
    counter += 1;
    const name = `s${process.pid}-${counter}`;
    const more = { name, image: SERVER_IMAGE, network: this.#network };
    const service = await Service.create(this.swarm, { ...init, ...more });
    for (const proxy of this.proxies) {
      await proxy.untilServes(service.model);
      proxy.isAsked = true; // an earlier test may have failed
    }
    return service;
  }

  /**
   * Makes a change while the clients ask, and returns the outcomes of their requests.
   *
   * @param act resolves when the change is done. The clients then continue for a while
   */
  async underLoad(
    name: string,
    service: Service,
    act: (clients: Clients) => Promise<void>,
  ): Promise<Result> {
    const clients = new Clients(this.proxies, service.model);
    let beganAt = 0;
    try {
      await clients.untilMore(CALM);
      beganAt = Date.now();
      await act(clients);
      await clients.untilMore(CALM);
    } finally {
      await clients[Symbol.asyncDispose]();
      await this.#record(name, clients.sent, beganAt);
    }
    const { sent: all, failed } = clients;
    const whole = all.filter(({ kind, outcome }) => kind === "whole" && outcome === "ok");
    const slowestMs = Math.max(...whole.map(({ endMs }) => endMs));
    const result = { beganAt, all, failed, slowestMs };
    say(name, result);
    return result;
  }

  async #record(name: string, sent: readonly Sent[], beganAt: number): Promise<void> {
    mkdirSync(RECORDS, { recursive: true });
    const file = (what: string): string =>
      join(RECORDS, `${name.replaceAll(/[^\w]+/g, "-")}.${what}`);
    writeFileSync(
      file("requests.ndjson"),
      [{ beganAt }, ...sent].map((one) => `${JSON.stringify(one)}\n`).join(""),
    );
    for (const proxy of this.proxies) {
      const log = await proxy.log().catch(String);
      writeFileSync(file(`proxy-${proxy.node}.log`), log);
    }
  }
}

function say(name: string, { all, failed, slowestMs }: Result): void {
  const streams = failed.filter(({ kind, headMs }) => kind === "stream" && headMs !== undefined);
  process.stdout.write(
    `${name}: ${failed.length} of ${all.length} failed (${streams.length} streams broke off), ` +
      `slowest other answer ${slowestMs} ms\n`,
  );
}

async function succeeds(action: Promise<unknown>): Promise<boolean> {
  return action.then(
    () => true,
    () => false,
  );
}
