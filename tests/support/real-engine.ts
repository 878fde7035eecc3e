/** Containers of our own image on a real engine. Nothing else on that engine is ever touched. */
import { type CompiledProxy, startCompiled } from "./compiled-proxy.ts";
import { buildInferenceImage, dockerCli, TEST_LABEL } from "./inference-server/image.ts";
import { until } from "./until.ts";

export type Server = {
  readonly name: string;
  readonly id: string;
  /** Where it is from this host. */
  readonly origin: () => Promise<string>;
};

export type ServerInit = {
  /** Environment of the stand-in server; see tests/support/inference-server/settings.ts. */
  readonly env?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** More of `docker run`, before the image. */
  readonly flags?: readonly string[];
};

let counter = 0;
const started = new Set<string>();

/** Starts a labelled container and does not wait for anything. */
export async function startServer({
  env = {},
  labels = {},
  flags = [],
}: ServerInit = {}): Promise<Server> {
  counter += 1;
  const name = `lw-inference-proxy-test-${process.pid}-${counter}`;
  const allLabels = { "inference.enable": "true", ...labels };
  const id = await dockerCli(
    ...["run", "--detach", "--name", name],
    ...Object.entries(allLabels).flatMap(([key, value]) => ["--label", `${key}=${value}`]),
    ...Object.entries({ NAME: name, ...env }).flatMap(([key, value]) => [
      "--env",
      `${key}=${value}`,
    ]),
    ...flags,
    await buildInferenceImage(),
  );
  started.add(name);
  const port = labels["inference.port"] ?? "8000";
  return { name, id: id.trim(), origin: async () => `http://${await addressOf(name)}:${port}` };
}

export async function startHealthy(init: ServerInit = {}): Promise<Server> {
  const server = await startServer(init);
  await untilHealth(server, "healthy");
  return server;
}

export async function untilHealth({ name }: Server, health: string): Promise<void> {
  const format = "{{.State.Health.Status}}";
  await until(
    `${name} is ${health}`,
    async () => (await dockerCli("inspect", "--format", format, name)).trim() === health,
    20_000,
  );
}

export async function addressOf(name: string): Promise<string> {
  const format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
  return (await dockerCli("inspect", "--format", format, name)).trim();
}

/** Asks a server directly, past the proxy. */
export async function admin(server: Server, path: string): Promise<Response> {
  return fetch(`${await server.origin()}/admin${path}`, { keepalive: false });
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

/** The compiled proxy in front of the engine that the containers are on. */
export function startProxy(env: Readonly<Record<string, string>> = {}): Promise<CompiledProxy> {
  const host = process.env["DOCKER_HOST"];
  return startCompiled({ env: { ...(host !== undefined && { DOCKER_HOST: host }), ...env } });
}

/** Removes all containers that this process has started. */
export async function removeServers(): Promise<void> {
  const names = [...started];
  started.clear();
  if (names.length > 0) await dockerCli("rm", "--force", "--volumes", ...names);
}

/** Removes what earlier runs left behind when they were killed. */
export async function removeLeftovers(): Promise<void> {
  const ids = await dockerCli("ps", "--all", "--quiet", "--filter", `label=${TEST_LABEL}`);
  const all = ids.split("\n").filter((id) => id !== "");
  if (all.length > 0) await dockerCli("rm", "--force", "--volumes", ...all);
}
