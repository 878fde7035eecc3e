/**
 * Two proxies side by side in front of one swarm, as containers on its network: one on the manager with the manager's
 * socket, one on a worker behind a relay to that socket, as behind a socket proxy. Each publishes its port on its node.
 */
import { connect, createServer, type Server } from "node:net";
import { until } from "../until.ts";
import type { NodeName, Swarm } from "./swarm.ts";

const PORT = 8080;
/** What a proxy that stops has for its answers, s. */
const GRACE_S = 30;

export class SwarmProxy {
  readonly node: NodeName;
  readonly origin: string;
  readonly #swarm: Swarm;
  /** Whether clients are to ask it: not while somebody is about to restart it, as a load balancer in front would know. */
  isAsked = true;
  /** Requests of clients that have no whole answer yet, and those of them of whose answers nothing has come. */
  open = 0;
  unanswered = 0;

  constructor(swarm: Swarm, node: NodeName) {
    this.#swarm = swarm;
    this.node = node;
    this.origin = `http://${swarm.addressOf(node)}:${PORT}`;
  }

  get #name(): string {
    return `proxy-${this.node}`;
  }

  async create(image: string, engine: readonly string[]): Promise<void> {
    const flags = ["--publish", `${PORT}:${PORT}`, "--env", "LOG_LEVEL=debug", ...engine];
    await this.#docker("create", "--name", this.#name, ...flags, image);
    await this.start();
  }

  /** Restarts it when clients ask it no more. They ask it again once it is ready: no sooner, and no later. */
  async restart(): Promise<void> {
    this.isAsked = false;
    // A connection that the proxy has not taken from the kernel when it stops is reset: no proxy can help that.
    await until(`${this.#name} has begun to answer all`, () => this.unanswered === 0, 30_000);
    await this.#docker("restart", "--time", String(GRACE_S), this.#name);
    await this.#untilReady();
    this.isAsked = true;
  }

  /** Waits until it has nothing to do. Clients must not ask it any more. */
  async untilIdle(): Promise<void> {
    await until(`${this.#name} has answered all`, () => this.open === 0, 30_000);
  }

  /** Starts it, also after its engine has stopped it, and has clients ask it. */
  async start(): Promise<void> {
    const started = (): Promise<boolean> =>
      this.#docker("start", this.#name).then(
        () => true,
        () => false, // a manager that has just come back has not got its network yet
      );
    await until(`${this.#name} starts`, started, 60_000);
    await this.#untilReady();
    this.isAsked = true;
  }

  async untilServes(model: string, boundMs = 30_000): Promise<void> {
    await until(
      `${this.#name} serves ${model}`,
      async () => (await this.models()).includes(model),
      boundMs,
    );
  }

  /** None if it does not answer. */
  async models(): Promise<readonly string[]> {
    try {
      const signal = AbortSignal.timeout(2_000);
      const response = await fetch(`${this.origin}/v1/models`, { keepalive: false, signal });
      const { data } = (await response.json()) as { readonly data: { readonly id: string }[] };
      return data.map(({ id }) => id);
    } catch {
      return [];
    }
  }

  async #untilReady(): Promise<void> {
    await until(`${this.#name} is ready`, () => isReady(this.origin), 60_000);
  }

  log(): Promise<string> {
    return this.#docker("logs", this.#name);
  }

  async remove(): Promise<void> {
    await this.#docker("rm", "--force", this.#name);
  }

  #docker(...args: string[]): Promise<string> {
    return this.#swarm.dockerOn(this.node)(...args);
  }
}

export type Proxies = AsyncDisposable & { readonly all: readonly [SwarmProxy, SwarmProxy] };

/** Starts both. Resolves when they are ready. */
export async function startProxies(swarm: Swarm, image: string, network: string): Promise<Proxies> {
  const relay = await startRelay(swarm);
  const all: readonly [SwarmProxy, SwarmProxy] = [
    new SwarmProxy(swarm, "m1"),
    new SwarmProxy(swarm, "w1"),
  ];
  const [onManager, onWorker] = all;
  const socket = `${swarm.socketOf("m1")}:/var/run/docker.sock`;
  const shared = ["--network", network];
  await onManager.create(image, [...shared, "--volume", socket]);
  await onWorker.create(image, [
    ...shared,
    "--env",
    `DOCKER_HOST=tcp://${swarm.hostAddress}:${relay.port}`,
  ]);
  return {
    all,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(all.map((proxy) => proxy.remove()));
      relay.server.close();
    },
  };
}

function isReady(origin: string): Promise<boolean> {
  const signal = AbortSignal.timeout(2_000);
  return fetch(`${origin}/readyz`, { keepalive: false, signal }).then(
    ({ status }) => status === 200,
    () => false,
  );
}

/** From a port of this machine that the nodes reach to the manager's socket. Closes connections while there is none. */
async function startRelay(
  swarm: Swarm,
): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer((near) => {
    const far = connect(swarm.socketOf("m1"));
    near.pipe(far).pipe(near);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on("error", () => undefined);
      one.on("close", () => other.destroy());
    }
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, swarm.hostAddress, listening.resolve);
  await listening.promise;
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The relay has no port");
  return { server, port: address.port };
}
