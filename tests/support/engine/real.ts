/**
 * Inference servers (by default stand-ins) as containers of a real engine, and the compiled proxy in front of
 * them. It never touches a container that it did not start.
 */
import { type CompiledProxy, startCompiled } from "../proxy/compiled.ts";
import {
  buildInferenceImage,
  type Docker,
  dockerCli,
  TEST_LABEL,
} from "../server/inference-server/image.ts";
import { until } from "../until.ts";

export type Server = {
  readonly name: string;
  readonly id: string;
  /** Its address, as this host sees it. */
  readonly origin: () => Promise<string>;
};

export type ServerInit = {
  /** Environment of the stand-in server; see tests/support/server/inference-server/settings.ts. */
  readonly env?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** More flags of `docker run`. */
  readonly flags?: readonly string[];
  /** This image instead of the stand-in server's. It must have TEST_LABEL. */
  readonly image?: string;
  /** The container's command, after the image. */
  readonly args?: readonly string[];
  /** The name of a removed container, to use it again. */
  readonly name?: string;
};

let counter = 0;

/** The containers on one engine, and the proxy in front of that engine. */
export class RealEngine {
  readonly #docker: Docker;
  readonly #host: string | undefined;
  /** The ids of the containers that this object started. */
  readonly #started = new Set<string>();

  /** @param host the engine that `docker` talks to, in the form of DOCKER_HOST */
  constructor(docker: Docker, host: string | undefined) {
    this.#docker = docker;
    this.#host = host;
  }

  /** Starts a labelled container. Does not wait until it is healthy. */
  startServer(init: ServerInit = {}): Promise<Server> {
    return this.#make(["run", "--detach"], init);
  }

  /** Makes a labelled container, but does not start it. */
  createServer(init: ServerInit = {}): Promise<Server> {
    return this.#make(["create"], init);
  }

  async #make(verb: readonly string[], init: ServerInit): Promise<Server> {
    const { env = {}, labels = {}, flags = [], args = [] } = init;
    counter += 1;
    const name = init.name ?? `lw-inference-proxy-test-${process.pid}-${counter}`;
    const image = init.image ?? (await buildInferenceImage(this.#docker));
    const allLabels = { "inference.enable": "true", ...labels };
    const output = await this.#docker(
      ...[...verb, "--name", name],
      ...repeated("--label", allLabels),
      ...repeated("--env", { NAME: name, ...env }),
      ...flags,
      image,
      ...args,
    );
    const id = output.trim();
    this.#started.add(id);
    const port = labels["inference.port"] ?? "8000";
    const origin = async (): Promise<string> => `http://${await this.addressOf(id)}:${port}`;
    return { name, id, origin };
  }

  async startHealthy(init: ServerInit = {}): Promise<Server> {
    const server = await this.startServer(init);
    await this.untilHealth(server, "healthy");
    return server;
  }

  async untilHealth({ name, id }: Server, health: string): Promise<void> {
    await until(`${name} is ${health}`, async () => (await this.healthOf(id)) === health, 20_000);
  }

  /** @param name or id */
  async healthOf(name: string): Promise<string> {
    return (await this.#docker("inspect", "--format", "{{.State.Health.Status}}", name)).trim();
  }

  /** @param name or id */
  async addressOf(name: string): Promise<string> {
    const format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    return (await this.#docker("inspect", "--format", format, name)).trim();
  }

  /** Starts the compiled proxy in front of this engine. */
  startProxy(env: Readonly<Record<string, string>> = {}): Promise<CompiledProxy> {
    const host = this.#host;
    return startCompiled({ env: { ...(host !== undefined && { DOCKER_HOST: host }), ...env } });
  }

  /** Removes all containers that this object made. */
  async removeServers(): Promise<void> {
    const ids = [...this.#started];
    this.#started.clear();
    if (ids.length > 0) await this.#docker("rm", "--force", "--volumes", ...ids);
  }

  /** Removes the containers of earlier runs that were killed. */
  async removeLeftovers(): Promise<void> {
    const ids = await this.#docker("ps", "--all", "--quiet", "--filter", `label=${TEST_LABEL}`);
    const all = ids.split("\n").filter((id) => id !== "");
    if (all.length > 0) await this.#docker("rm", "--force", "--volumes", ...all);
  }
}

function repeated(flag: string, values: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(values).flatMap(([key, value]) => [flag, `${key}=${value}`]);
}

const shared = new RealEngine(dockerCli, process.env["DOCKER_HOST"]);

/** On the engine of DOCKER_HOST, which all test files share. */
export const startServer = shared.startServer.bind(shared);
export const createServer = shared.createServer.bind(shared);
export const startHealthy = shared.startHealthy.bind(shared);
export const untilHealth = shared.untilHealth.bind(shared);
export const addressOf = shared.addressOf.bind(shared);
export const startProxy = shared.startProxy.bind(shared);
export const removeServers = shared.removeServers.bind(shared);
export const removeLeftovers = shared.removeLeftovers.bind(shared);

/** Sends a command to a server directly, not through the proxy. */
export async function admin(server: Server, path: string): Promise<Response> {
  return fetch(`${await server.origin()}/admin${path}`, { keepalive: false });
}

/**
 * Makes the server end its own process. By POST: Bun repeats a GET after a reset, which could reach the next
 * run.
 */
export async function crash(server: Server): Promise<void> {
  const answer = fetch(`${await server.origin()}/admin/crash`, {
    method: "POST",
    keepalive: false,
  });
  await answer.catch(() => undefined);
}

export type JournalEntry = {
  readonly path: string;
  readonly model: string | null;
  readonly at: number;
  readonly aborted: boolean;
  readonly done: boolean;
};

export async function journal(server: Server): Promise<readonly JournalEntry[]> {
  return (await admin(server, "/requests")).json() as Promise<readonly JournalEntry[]>;
}
