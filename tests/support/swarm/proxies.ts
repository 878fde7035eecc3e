/**
 * Two proxies in front of one swarm, as containers on its network. One is on the manager and has the
 * manager's socket. The other is on a worker behind a relay to that socket, which acts as a socket proxy.
 * Each publishes its port on its node.
 */
import { connect, createServer, type Server } from "node:net";
import { until } from "../until.ts";
import type { NodeName, Swarm } from "./swarm.ts";

const PORT = 8080;
/** How long a stopping proxy may finish its answers, in s. */
const GRACE_S = 30;

export class SwarmProxy {
  readonly node: NodeName;
  readonly origin: string;
  readonly #swarm: Swarm;
  /**
   * Whether clients may ask this proxy. Not shortly before a restart, as a load balancer in front would know.
   */
  isAsked = true;
  /** The clients' requests without a complete answer, and those of which no byte of the answer has come. */
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

  /** Restarts the proxy while no client asks it. Clients ask it again as soon as it is ready. */
  async restart(): Promise<void> {
    this.isAsked = false;
    // A stopping proxy's connections that it has not accepted yet are reset. No proxy can prevent that.
    await until(
      `${this.#name} has begun to answer all its requests`,
      () => this.unanswered === 0,
      30_000,
    );
    await this.#docker("restart", "--time", String(GRACE_S), this.#name);
    await this.#untilReady();
    this.isAsked = true;
  }

  /** Waits until the proxy has no requests. Clients must not ask it any more. */
  async untilIdle(): Promise<void> {
    await until(`${this.#name} has answered all its requests`, () => this.open === 0, 30_000);
  }

  /** Starts the proxy, also after its engine has stopped it, and lets clients ask it. */
  async start(): Promise<void> {
    const started = (): Promise<boolean> =>
      this.#docker("start", this.#name).then(
        () => true,
        () => false, // a manager that just came back has no network yet
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

  /** Empty if the proxy does not answer. */
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

/**
 * Relays a port of this machine, which the nodes reach, to the manager's socket. Without a socket it closes
 * connections.
 */
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
