/**
 * A Docker engine without Docker: a real HTTP server on a unix socket that answers what the engine
 * answers (recorded inspect replies, the event stream with its replay) and does as it is told.
 * On node:http, because an idle event stream must have sent its headers and Bun.serve holds them back.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { API_24, API_52, type FakeContainer, inspectReplyOf, minor, RELEASES } from "./replies.ts";

type Answer = { readonly status: number; readonly body: string; readonly contentType?: string };

let counter = 0;

export class FakeEngine {
  readonly directory = mkdtempSync(join(tmpdir(), "fake-engine-"));
  readonly socketPath: string;
  readonly containers = new Map<string, FakeContainer>();
  /** Paths of all requests, with their query. */
  readonly requests: string[] = [];
  /** Its clock less ours: applies to `Date`, and to the events and starts that are given no time. */
  clockOffsetMs = 0;
  apiVersion = "1.41";
  minApiVersion = "1.12";
  /** Answers before anything else does, if it returns something; may wait. */
  intercept: (path: string) => Answer | undefined | Promise<Answer | undefined> = () => undefined;
  /** Awaited when an answer has been made and before it is sent: what it says may be old by then. */
  holdBack: (path: string) => void | Promise<void> = () => undefined;
  readonly #streams = new Set<ServerResponse>();
  #history: { readonly timeMs: number; readonly line: string }[] = [];
  #server: Server | undefined;

  /** @param socketPath where it listens; what is there is replaced, as the engine does */
  constructor(socketPath?: string) {
    this.socketPath = socketPath ?? join(this.directory, "docker.sock");
  }

  /** From now on it is this release, as after an upgrade; those who are connected stay so. */
  become(release: keyof typeof RELEASES): this {
    [this.apiVersion, this.minApiVersion] = RELEASES[release];
    return this;
  }

  /** By its own clock. */
  nowMs(): number {
    return Date.now() + this.clockOffsetMs;
  }

  async start(): Promise<this> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server = createServer((request, response) => void this.#answer(request, response));
    rmSync(this.socketPath, { force: true });
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

  /** @param rest the beginning of an event, of which no more comes */
  cutStreams(rest?: string): void {
    for (const stream of this.#streams) {
      if (rest === undefined) stream.destroy();
      else stream.write(rest, () => stream.destroy());
    }
    this.#streams.clear();
  }

  /** A running, healthy container at 127.0.0.1 with the labels that have it routed, unless said otherwise. */
  add(init: Partial<FakeContainer> & { readonly port?: number } = {}): FakeContainer {
    counter += 1;
    const id = init.id ?? counter.toString(16).padStart(64, "0");
    const container: FakeContainer = {
      id,
      name: `fake-${counter}`,
      labels: { "inference.enable": "true", "inference.port": String(init.port ?? 8000) },
      status: "running",
      health: "healthy",
      startedAtMs: this.nowMs() - 1_000,
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
    timeMs = this.nowMs(),
  ): void {
    const timeNano = BigInt(Math.round(timeMs * 1000)) * 1000n;
    const actor = {
      ID: container.id,
      Attributes: { name: container.name, ...container.labels, ...attributes },
    };
    const old = { status: action, id: container.id, from: "image" };
    const event = {
      ...(minor(this.apiVersion) < API_52 && old),
      Type: "container",
      Action: action,
      Actor: actor,
      scope: "local",
      time: Math.floor(timeMs / 1000),
    };
    this.emitLine(`${JSON.stringify(event).slice(0, -1)},"timeNano":${timeNano}}`, timeMs);
  }

  /** As when `docker network connect` or `disconnect` is used: an event of the network, without labels. */
  emitNetwork(container: Pick<FakeContainer, "id">, action: "connect" | "disconnect"): void {
    const attributes = { container: container.id, name: "net", type: "bridge" };
    const event = { Type: "network", Action: action, Actor: { ID: "net", Attributes: attributes } };
    this.emitLine(JSON.stringify({ ...event, timeNano: this.nowMs() * 1e6 }));
  }

  emitLine(line: string, timeMs = this.nowMs()): void {
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
    container.startedAtMs = this.nowMs();
    this.emit(container, "start");
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? "";
    this.requests.push(url);
    const intercepted = await this.intercept(url);
    if (intercepted !== undefined) return this.#send(response, intercepted);
    const [, version, path = "", query = ""] = /^(?:\/v(1\.\d+))?(\/[^?]*)\??(.*)$/.exec(url) ?? [];
    const refused = version === undefined ? undefined : this.#refuse(version);
    if (refused !== undefined) return this.#send(response, refused);
    const asked = minor(version ?? this.apiVersion);
    const parameters = new URLSearchParams(query);
    if (path === "/events") return this.#stream(response, parameters, asked);
    const answer = this.#reply(path, parameters, asked);
    await this.holdBack(path);
    return this.#send(response, answer);
  }

  #reply(path: string, query: URLSearchParams, asked: number): Answer {
    if (path === "/version") {
      return json({ ApiVersion: this.apiVersion, MinAPIVersion: this.minApiVersion });
    }
    if (path === "/containers/json") return json(this.#list(query, asked));
    return this.#inspect(/^\/containers\/([^/]+)\/json$/.exec(path)?.[1] ?? "", asked);
  }

  /** The exact words of Docker 20.10 to 29. */
  #refuse(version: string): Answer | undefined {
    const { apiVersion, minApiVersion } = this;
    if (minor(version) > minor(apiVersion)) {
      const message = `client version ${version} is too new. Maximum supported API version is ${apiVersion}`;
      return json({ message }, 400);
    }
    if (minor(version) >= minor(minApiVersion)) return undefined;
    const message = `client version ${version} is too old. Minimum supported API version is ${minApiVersion}, please upgrade your client to a newer version`;
    return minor(version) < API_24
      ? { status: 400, body: message, contentType: "text/plain" }
      : json({ message }, 400);
  }

  #list(query: URLSearchParams, asked: number): readonly object[] {
    const all = query.get("all") === "1";
    return [...this.containers.values()]
      .filter(({ status }) => all || (status !== "exited" && status !== "created"))
      .map(({ id, labels, health }) => ({
        Id: id,
        Labels: labels,
        ...(asked >= API_52 && { Health: { Status: health ?? "none", FailingStreak: 0 } }),
      }));
  }

  #inspect(id: string, asked: number): Answer {
    const container = this.containers.get(id);
    if (container !== undefined) return json(inspectReplyOf(container, asked));
    return json({ message: `No such container: ${id}` }, 404);
  }

  #stream(response: ServerResponse, query: URLSearchParams, asked: number): void {
    const sinceMs = Number(query.get("since") ?? Number.POSITIVE_INFINITY) * 1000;
    const contentType = asked >= API_52 ? "application/jsonl" : "application/json";
    response.writeHead(200, { "content-type": contentType, date: this.#date() });
    response.flushHeaders();
    const past = this.#history.filter(({ timeMs }) => timeMs >= sinceMs);
    for (const { line } of past) response.write(`${line}\n`);
    this.#streams.add(response);
    response.on("close", () => this.#streams.delete(response));
  }

  #send(response: ServerResponse, answer: Answer): void {
    const { status, body, contentType = "application/json" } = answer;
    response.writeHead(status, { "content-type": contentType, date: this.#date() });
    response.end(body);
  }

  #date(): string {
    return new Date(this.nowMs()).toUTCString();
  }
}

function json(body: unknown, status = 200): Answer {
  return { status, body: JSON.stringify(body) };
}

/** Has a proxy follow it. */
export function envOf(fake: FakeEngine): Record<string, string> {
  return { DOCKER_HOST: `unix://${fake.socketPath}` };
}
