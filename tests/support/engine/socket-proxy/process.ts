/**
 * Stands in for a socket proxy as people run it: HAProxy over TCP in front of an engine's socket. process.cfg
 * has the rules of Tecnativa's image, linuxserver.cfg the rules of linuxserver's.
 */
import { join } from "node:path";
import { freePort } from "../../proxy/compiled.ts";
import { until } from "../../until.ts";

const CONFIGS = { Tecnativa: "process.cfg", linuxserver: "linuxserver.cfg" } as const;

type Path = "CONTAINERS" | "EVENTS" | "PING" | "VERSION" | "SERVICES" | "TASKS" | "NODES";

/**
 * The allowed kinds of requests. Both images allow EVENTS, PING and VERSION by default. docs/security.md
 * tells users to allow CONTAINERS too, and docs/swarm.md the last three for a swarm.
 */
export type Allowed = Partial<Record<Path, "0" | "1">>;

export type SocketProxy = AsyncDisposable & {
  /** Same form as DOCKER_HOST. */
  readonly host: string;
  readonly origin: string;
};

export async function startSocketProxy(
  socketPath: string,
  allowed: Allowed = {},
  maker: keyof typeof CONFIGS = "Tecnativa",
): Promise<SocketProxy> {
  const port = freePort();
  const child = Bun.spawn(["haproxy", "-db", "-f", join(import.meta.dir, CONFIGS[maker])], {
    env: {
      PATH: process.env["PATH"] ?? "",
      SOCKET_PATH: socketPath,
      PORT: String(port),
      ...{ CONTAINERS: "1", EVENTS: "1", PING: "1", VERSION: "1", ...allowed },
    },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const origin = `http://127.0.0.1:${port}`;
  await until("HAProxy listens", async () => {
    if (child.exitCode !== null) throw new Error(`HAProxy has ended with ${child.exitCode}`);
    return fetch(`${origin}/info`, { keepalive: false }).then(
      ({ status }) => status === 403,
      () => false,
    );
  });
  return {
    host: `tcp://127.0.0.1:${port}`,
    origin,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
