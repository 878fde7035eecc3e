/**
 * Stands in for a Docker engine: a real HTTP server on a unix socket. It answers as the engine does (recorded
 * inspect replies, the event stream with its replay). The test controls its containers. No process runs in
 * them. It uses node:http because Bun.serve holds back the headers of an event stream until the first event.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FakeSwarm } from "./fake-swarm.ts";
import {
  type Answer,
  API_52,
  type FakeContainer,
  inspectReplyOf,
  json,
  minor,
  RELEASES,
  versionRefusal,
} from "./replies.ts";
import { refusalOf } from "./swarm-refusals.ts";

/** Only a manager of a swarm answers these paths. */
const OF_SWARMS: ReadonlySet<string> = new Set(["/services", "/tasks", "/nodes"]);

let counter = 0;

export class FakeEngine {
  readonly directory = mkdtempSync(join(tmpdir(), "fake-engine-"));
  readonly socketPath: string;
  readonly containers = new Map<string, FakeContainer>();
  /** The swarm that this engine is a node of. Undefined if it is in none. */
  swarm: FakeSwarm | undefined;
  /** The path and query of every request so far. */
  readonly requests: string[] = [];
  /**
   * How far its clock is ahead of ours, in ms. Applies to `Date`, and to events and starts without a given
   * time.
   */
  clockOffsetMs = 0;
  apiVersion = "1.41";
  minApiVersion = "1.12";
  /** Called first for every request. Its result, if any, is the answer. May wait. */
  intercept: (path: string) => Answer | undefined | Promise<Answer | undefined> = () => undefined;
  /** Awaited between making and sending an answer, so that a test can make the answer outdated. */
  holdBack: (path: string) => void | Promise<void> = () => undefined;
  readonly #streams = new Set<ServerResponse>();
  #history: { readonly timeMs: number; readonly line: string }[] = [];
  #server: Server | undefined;

  /** @param socketPath where it listens. It replaces an existing file, as the engine does */
  constructor(socketPath?: string) {
    this.socketPath = socketPath ?? join(this.directory, "docker.sock");
  }

  /** Becomes another release, as after an upgrade. Open connections stay open. */
  become(release: keyof typeof RELEASES): this {
    [this.apiVersion, this.minApiVersion] = RELEASES[release];
    return this;
  }

  /** The time on its own clock, in ms since 1970. */
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

  /** As when the daemon dies: cuts the event streams, removes the socket, and forgets all events. */
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

  /** @param rest sent before the cut: the beginning of an incomplete event */
  cutStreams(rest?: string): void {
    for (const stream of this.#streams) {
      if (rest === undefined) stream.destroy();
      else stream.write(rest, () => stream.destroy());
    }
    this.#streams.clear();
  }

  /** Adds a container without an event. By default it runs, is healthy, is at 127.0.0.1, and is labelled. */
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

  /** @param action in the wire format: `kill`, `health_status: healthy` … */
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

  /** Sends the event of `docker network connect` or `disconnect`: an event of the network, without labels. */
  emitNetwork(container: Pick<FakeContainer, "id">, action: "connect" | "disconnect"): void {
    const attributes = { container: container.id, name: "net", type: "bridge" };
    const event = { Type: "network", Action: action, Actor: { ID: "net", Attributes: attributes } };
    this.emitLine(JSON.stringify({ ...event, timeNano: this.nowMs() * 1e6 }));
  }

  emitLine(line: string, timeMs = this.nowMs()): void {
    this.#history.push({ timeMs, line });
    for (const stream of this.#streams) stream.write(`${line}\n`);
  }

  /** A health probe has a new result. */
  setHealth(container: FakeContainer, health: "healthy" | "unhealthy"): void {
    container.health = health;
    this.emit(container, `health_status: ${health}`);
  }

  /** A signal: `docker stop` and `docker kill` begin with it. The container still runs. */
  kill(container: FakeContainer, signal = 15): void {
    this.emit(container, "kill", { signal: String(signal) });
  }

  /** The container's process ends. */
  exit(container: FakeContainer, exitCode = 0, status: "exited" | "restarting" = "exited"): void {
    Object.assign(container, { status, exitCode, finishedAtMs: this.nowMs() });
    container.health = "unhealthy";
    container.restartCount = status === "restarting" ? (container.restartCount ?? 0) + 1 : 0;
    this.emit(container, "die", { exitCode: String(exitCode) });
  }

  /** `docker start`, or a restart by the engine after an exit: a new run, not healthy yet. */
  startAgain(container: FakeContainer): void {
    container.status = "running";
    container.health = "starting";
    container.startedAtMs = this.nowMs();
    container.exitCode = 0;
    this.emit(container, "start");
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? "";
    this.requests.push(url);
    const intercepted = await this.intercept(url);
    if (intercepted !== undefined) return this.#send(response, intercepted);
    const [, version, path = "", query = ""] = /^(?:\/v(1\.\d+))?(\/[^?]*)\??(.*)$/.exec(url) ?? [];
    const refused = version === undefined ? undefined : versionRefusal(version, this);
    if (refused !== undefined) return this.#send(response, refused);
    const asked = minor(version ?? this.apiVersion);
    const parameters = new URLSearchParams(query);
    if (path === "/events") return this.#stream(response, parameters, asked);
    const answer = this.#reply(path, parameters, asked);
    await this.holdBack(path);
    if (answer !== undefined) this.#send(response, answer);
  }

  /** @returns undefined if the engine never answers */
  #reply(path: string, query: URLSearchParams, asked: number): Answer | undefined {
    if (path === "/_ping") return { status: 200, body: "OK", contentType: "text/plain" };
    if (path === "/version") {
      return json({ ApiVersion: this.apiVersion, MinAPIVersion: this.minApiVersion });
    }
    if (path === "/containers/json") return json(this.#list(query, asked));
    if (OF_SWARMS.has(path)) {
      return this.swarm === undefined ? refusalOf("no swarm") : this.swarm.answer(path, query);
    }
    return this.#inspect(/^\/containers\/([^/]+)\/json$/.exec(path)?.[1] ?? "", asked);
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
    response.writeHead(200, { "content-type": contentType, ...this.#headers() });
    response.flushHeaders();
    const past = this.#history.filter(({ timeMs }) => timeMs >= sinceMs);
    for (const { line } of past) response.write(`${line}\n`);
    this.#streams.add(response);
    response.on("close", () => this.#streams.delete(response));
  }

  #send(response: ServerResponse, answer: Answer): void {
    const { status, body, contentType = "application/json" } = answer;
    response.writeHead(status, { "content-type": contentType, ...this.#headers() });
    response.end(body);
  }

  /** The headers of every answer, also of a refusal. */
  #headers(): Readonly<Record<string, string>> {
    return { "api-version": this.apiVersion, date: new Date(this.nowMs()).toUTCString() };
  }
}

/** The environment variables for a proxy that follows this engine. */
export function envOf(fake: FakeEngine): Record<string, string> {
  return { DOCKER_HOST: `unix://${fake.socketPath}` };
}
