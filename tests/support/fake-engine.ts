/**
 * A Docker engine without Docker: a real HTTP server on a unix socket that answers what the engine
 * answers (recorded inspect replies, the event stream with its replay) and does as it is told.
 * On node:http, because an idle event stream must have sent its headers and Bun.serve holds them back.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

const FIXTURES = join(import.meta.dir, "engine-inspect");

type InspectReply = {
  Id: string;
  Name: string;
  State: {
    Status: string;
    StartedAt: string;
    Health?: { Status: string; Log?: { Output: string }[] } | undefined;
  };
  Config: { Labels: Record<string, string>; StopSignal?: string; StopTimeout?: number };
  NetworkSettings: { Networks: Record<string, { NetworkID: string; IPAddress: string }> };
};

export type FakeContainer = {
  readonly id: string;
  readonly name: string;
  readonly labels: Record<string, string>;
  status: string;
  /** Undefined: no HEALTHCHECK. */
  health: string | undefined;
  startedAtMs: number;
  ipAddress: string;
  stopSignal?: string;
  /** What the last health probe printed. */
  probeOutput?: string;
  stopTimeoutS?: number;
};

type Answer = { readonly status: number; readonly body: string };

let counter = 0;

export class FakeEngine {
  readonly directory = mkdtempSync(join(tmpdir(), "fake-engine-"));
  readonly socketPath = join(this.directory, "docker.sock");
  readonly containers = new Map<string, FakeContainer>();
  /** Paths of all requests, with their query. */
  readonly requests: string[] = [];
  apiVersion = "1.41";
  minApiVersion = "1.12";
  /** Answers before anything else does, if it returns something; may wait. */
  intercept: (path: string) => Answer | undefined | Promise<Answer | undefined> = () => undefined;
  readonly #streams = new Set<ServerResponse>();
  #history: { readonly timeMs: number; readonly line: string }[] = [];
  #server: Server | undefined;

  async start(): Promise<this> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.listen(this.socketPath, resolve);
    await promise;
    return this;
  }

  /** As when the daemon dies: the streams are cut off, the socket is gone; what it knew of events too. */
  stop(): void {
    this.cutStreams();
    this.#server?.closeAllConnections();
    this.#server?.close();
    this.#history = [];
    rmSync(this.socketPath, { force: true });
  }

  [Symbol.dispose](): void {
    this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  cutStreams(): void {
    for (const stream of this.#streams) stream.destroy();
    this.#streams.clear();
  }

  /** A running, healthy container at 127.0.0.1 with the labels that have it routed, unless said otherwise. */
  add(init: Partial<FakeContainer> & { readonly port?: number } = {}): FakeContainer {
    counter += 1;
    const id = init.id ?? counter.toString(16).padStart(64, "c");
    const container: FakeContainer = {
      id,
      name: `fake-${counter}`,
      labels: { "inference.enable": "true", "inference.port": String(init.port ?? 8000) },
      status: "running",
      health: "healthy",
      startedAtMs: Date.now() - 1_000,
      ipAddress: "127.0.0.1",
      ...init,
    };
    this.containers.set(id, container);
    return container;
  }

  /** @param action as on the wire: `kill`, `health_status: healthy` … */
  emit(
    container: FakeContainer,
    action: string,
    attributes: Readonly<Record<string, string>> = {},
    timeMs = Date.now(),
  ): void {
    const timeNano = BigInt(Math.round(timeMs * 1000)) * 1000n;
    const actor = {
      ID: container.id,
      Attributes: { name: container.name, ...container.labels, ...attributes },
    };
    const event = {
      Type: "container",
      Action: action,
      Actor: actor,
      scope: "local",
      time: Math.floor(timeMs / 1000),
    };
    this.emitLine(`${JSON.stringify(event).slice(0, -1)},"timeNano":${timeNano}}`, timeMs);
  }

  /** As when `docker network connect` or `disconnect` is used: an event of the network, without labels. */
  emitNetwork(container: FakeContainer, action: "connect" | "disconnect"): void {
    const attributes = { container: container.id, name: "net", type: "bridge" };
    const event = { Type: "network", Action: action, Actor: { ID: "net", Attributes: attributes } };
    this.emitLine(JSON.stringify({ ...event, timeNano: Date.now() * 1e6 }));
  }

  emitLine(line: string, timeMs = Date.now()): void {
    this.#history.push({ timeMs, line });
    for (const stream of this.#streams) stream.write(`${line}\n`);
  }

  /** What `docker stop`, `docker kill` and the like do to the state, and the events that come of it. */
  setHealth(container: FakeContainer, health: "healthy" | "unhealthy"): void {
    container.health = health;
    this.emit(container, `health_status: ${health}`);
  }

  kill(container: FakeContainer, signal = 15): void {
    this.emit(container, "kill", { signal: String(signal) });
  }

  exit(container: FakeContainer): void {
    container.status = "exited";
    container.health = "unhealthy";
    this.emit(container, "die", { exitCode: "0" });
  }

  startAgain(container: FakeContainer): void {
    container.status = "running";
    container.health = "starting";
    container.startedAtMs = Date.now();
    this.emit(container, "start");
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? "";
    this.requests.push(url);
    const intercepted = await this.intercept(url);
    if (intercepted !== undefined) return send(response, intercepted.status, intercepted.body);
    const [, version, path = "", query = ""] = /^(?:\/v(1\.\d+))?(\/[^?]*)\??(.*)$/.exec(url) ?? [];
    const refusal = version === undefined ? undefined : this.#refuse(version);
    if (refusal !== undefined) return send(response, 400, JSON.stringify({ message: refusal }));
    if (path === "/version") {
      return json(response, { ApiVersion: this.apiVersion, MinAPIVersion: this.minApiVersion });
    }
    if (path === "/events") return this.#stream(response, new URLSearchParams(query));
    if (path === "/containers/json") return json(response, this.#list(new URLSearchParams(query)));
    return this.#inspect(response, /^\/containers\/([^/]+)\/json$/.exec(path)?.[1] ?? "");
  }

  /** The exact words of Docker 20.10 to 29. */
  #refuse(version: string): string | undefined {
    const minor = (text: string): number => Number(text.split(".")[1]);
    if (minor(version) > minor(this.apiVersion)) {
      return `client version ${version} is too new. Maximum supported API version is ${this.apiVersion}`;
    }
    if (minor(version) < minor(this.minApiVersion)) {
      return `client version ${version} is too old. Minimum supported API version is ${this.minApiVersion}, please upgrade your client to a newer version`;
    }
    return undefined;
  }

  #list(query: URLSearchParams): readonly { Id: string; Labels: Record<string, string> }[] {
    const all = query.get("all") === "1";
    return [...this.containers.values()]
      .filter(({ status }) => all || (status !== "exited" && status !== "created"))
      .map(({ id, labels }) => ({ Id: id, Labels: labels }));
  }

  #inspect(response: ServerResponse, id: string): void {
    const container = this.containers.get(id);
    if (container !== undefined) json(response, inspectReplyOf(container));
    else send(response, 404, JSON.stringify({ message: `No such container: ${id}` }));
  }

  #stream(response: ServerResponse, query: URLSearchParams): void {
    const sinceMs = Number(query.get("since") ?? Number.POSITIVE_INFINITY) * 1000;
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    for (const { timeMs, line } of this.#history)
      if (timeMs >= sinceMs) response.write(`${line}\n`);
    this.#streams.add(response);
    response.on("close", () => this.#streams.delete(response));
  }
}

export function inspectReplyOf(container: FakeContainer): InspectReply {
  const reply = readFixture("docker-20.10.24-user-bridge.json");
  reply.Id = container.id;
  reply.Name = `/${container.name}`;
  reply.State.Status = container.status;
  reply.State.StartedAt = new Date(container.startedAtMs).toISOString();
  reply.State.Health =
    container.health === undefined
      ? undefined
      : { Status: container.health, Log: [{ Output: container.probeOutput ?? "" }] };
  reply.Config.Labels = container.labels;
  if (container.stopSignal !== undefined) reply.Config.StopSignal = container.stopSignal;
  if (container.stopTimeoutS !== undefined) reply.Config.StopTimeout = container.stopTimeoutS;
  for (const network of Object.values(reply.NetworkSettings.Networks)) {
    network.IPAddress =
      container.status === "running" || container.status === "paused" ? container.ipAddress : "";
  }
  return reply;
}

export function readFixture(name: string): InspectReply {
  return JSON.parse(readFixtureText(name)) as InspectReply;
}

export function readFixtureText(name: string): string {
  return readFileSync(join(FIXTURES, name), "utf8");
}

function json(response: ServerResponse, body: unknown): void {
  send(response, 200, JSON.stringify(body));
}

function send(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(body);
}

/** Has a proxy follow it. */
export function envOf(fake: FakeEngine): Record<string, string> {
  return { DOCKER_HOST: `unix://${fake.socketPath}` };
}
