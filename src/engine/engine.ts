/**
 * Speaks HTTP with a Docker engine: version, list, inspect and the event stream. It only sends GET,
 * so it changes nothing in the engine. It does not know which containers matter or when to ask.
 */
import { z } from "zod/mini";
import { ownRequest } from "../ground/own-request.ts";
import { letGo, openBody, readReply } from "./answer.ts";
import { agreeOnVersion } from "./api-version.ts";
import { EngineClock } from "./clock.ts";
import { type Container, parseContainer } from "./container.ts";
import { type EngineAddress, notAnEngine, unreachable } from "./error.ts";
import { type EngineEvent, EVENT_ACTIONS, EVENT_TYPES, readEvents } from "./events.ts";
import type { Service, SwarmNode, SwarmTask } from "./swarm.ts";
import { parseNodes, parseServices, parseTasks } from "./swarm-wire.ts";

/** We give up every call after this time, except the event stream. */
export const CALL_TIMEOUT_MS = 5_000;

const MIB = 1024 * 1024;
/** A list contains all containers with all their labels, or all tasks with their whole specs. */
const LIST_BYTES_MAX = 64 * MIB;
const REPLY_BYTES_MAX = 4 * MIB;

const WireList = z.array(
  z.object({ Id: z.string(), Labels: z.nullish(z.record(z.string(), z.string())) }),
);
const WireNetwork = z.object({
  IPAddress: z.nullish(z.string()),
  GlobalIPv6Address: z.nullish(z.string()),
});
const WireAddresses = z.array(
  z.object({
    NetworkSettings: z.nullish(
      z.object({ Networks: z.nullish(z.record(z.string(), WireNetwork)) }),
    ),
  }),
);

type Reply = { readonly request: string; readonly text: string };

export type EventsInit = {
  /**
   * Gets the engine's current time, and returns the time from which on the engine must send past
   * events too (it keeps the last 256 of all kinds). Both are ms since the epoch.
   */
  readonly since: (engineNowMs: number) => number;
  /** Aborting it ends the stream. */
  readonly signal: AbortSignal;
  /** Called when a line is too long for us to read. That event is lost. */
  readonly onLongLine?: () => void;
};

export class Engine {
  /** The engine's own clock. It gives the times of events and of container starts. */
  readonly clock = new EngineClock();
  readonly #address: EngineAddress;
  readonly #callTimeoutMs: number;
  #version: Promise<string> | undefined;
  /** The last lists of the swarm, by path. We read them twice a second, and they seldom change. */
  readonly #lists = new Map<string, { readonly text: string; readonly list: unknown }>();
  #apiVersion: string | undefined;

  constructor(address: EngineAddress, callTimeoutMs = CALL_TIMEOUT_MS) {
    this.#address = address;
    this.#callTimeoutMs = callTimeoutMs;
  }

  /**
   * The API version that we last agreed on with the engine, like `1.41`; undefined before its first
   * answer.
   */
  get apiVersion(): string | undefined {
    return this.#apiVersion;
  }

  /**
   * Returns the ids of all wanted containers, running or not. We filter here because the engine
   * can't filter by a label prefix.
   *
   * @param isWanted decides by the labels of a container
   * @throws {EngineError}
   */
  async list(
    isWanted: (labels: Readonly<Record<string, string>>) => boolean,
  ): Promise<readonly string[]> {
    const { request, text } = await this.#call("/containers/json?all=1", LIST_BYTES_MAX);
    return this.#parse(WireList.parse, request, text)
      .filter(({ Labels }) => isWanted(Labels ?? {}))
      .map(({ Id }) => Id);
  }

  /**
   * Returns the addresses of all running containers, as the engine writes them.
   *
   * @throws {EngineError}
   */
  async containerAddresses(): Promise<readonly string[]> {
    const { request, text } = await this.#call("/containers/json", LIST_BYTES_MAX);
    return this.#parse(WireAddresses.parse, request, text)
      .flatMap(({ NetworkSettings }) => Object.values(NetworkSettings?.Networks ?? {}))
      .flatMap(({ IPAddress, GlobalIPv6Address }) => [IPAddress ?? "", GlobalIPv6Address ?? ""])
      .filter((address) => address !== "");
  }

  /**
   * @returns undefined if there is no such container
   * @throws {EngineError}
   */
  async inspect(id: string): Promise<Container | undefined> {
    const path = `/containers/${encodeURIComponent(id)}/json`;
    const reply = await this.#call(path, REPLY_BYTES_MAX, 404);
    return reply && this.#parse(parseContainer, reply.request, reply.text);
  }

  /**
   * Returns all services of the swarm that the engine manages. While the answer stays the same, this
   * returns the same array object. `tasks`, `attachments` and `nodes` do the same.
   *
   * @throws {EngineError} of the kind `not a manager` if the engine is a worker or is in no swarm
   */
  services(): Promise<readonly Service[]> {
    return this.#listOf("/services", parseServices);
  }

  /**
   * Returns all tasks of that swarm, including ended ones.
   *
   * @throws {EngineError}
   */
  tasks(): Promise<readonly SwarmTask[]> {
    return this.#listOf("/tasks", parseTasks);
  }

  /**
   * Returns the attachment tasks of that swarm. Each stands for a container that `docker run` has
   * connected to an attachable network.
   *
   * @throws {EngineError}
   */
  attachments(): Promise<readonly SwarmTask[]> {
    const filters = encodeURIComponent(JSON.stringify({ runtime: ["attachment"] }));
    return this.#listOf(`/tasks?filters=${filters}`, parseTasks);
  }

  /**
   * Returns the nodes of that swarm.
   *
   * @throws {EngineError}
   */
  nodes(): Promise<readonly SwarmNode[]> {
    return this.#listOf("/nodes", parseNodes);
  }

  async #listOf<T>(path: string, parse: (reply: unknown) => T): Promise<T> {
    const { request, text } = await this.#call(path, LIST_BYTES_MAX);
    const known = this.#lists.get(path);
    if (known?.text === text) return known.list as T;
    const list = this.#parse(parse, request, text);
    this.#lists.set(path, { text, list });
    return list;
  }

  /**
   * Opens the event stream, and resolves when the engine has answered. It first asks for the
   * engine's version, because a different engine may run there now. The stream ends without an error
   * when the connection closes, for any reason. If the stream throws, that is a bug in the proxy.
   *
   * @throws {EngineError}
   */
  async openEvents(init: EventsInit): Promise<AsyncGenerator<EngineEvent>> {
    this.#version = undefined;
    await this.#negotiated(); // the `Date` of its answer also corrects `clock`
    const filters = { type: EVENT_TYPES, event: EVENT_ACTIONS };
    const since = (init.since(this.clock.nowMs()) / 1000).toFixed(9);
    const path = `/events?since=${since}&filters=${encodeURIComponent(JSON.stringify(filters))}`;
    const opening = new AbortController();
    const timer = setTimeout(() => opening.abort(timeout()), this.#callTimeoutMs);
    try {
      const both = AbortSignal.any([init.signal, opening.signal]);
      const response = await this.#ask(path, both);
      const body = await openBody({ address: this.#address, request: "GET /events", response });
      return this.#timed(readEvents(body, init.onLongLine));
    } finally {
      clearTimeout(timer);
    }
  }

  async *#timed(events: AsyncGenerator<EngineEvent>): AsyncGenerator<EngineEvent> {
    for await (const event of events) {
      this.clock.hasPassed(event.timeMs);
      yield event;
    }
  }

  async #call(path: string, bytesMax: number): Promise<Reply>;
  /** @param absent a status that means "not found": the result is then undefined */
  async #call(path: string, bytesMax: number, absent: number): Promise<Reply | undefined>;
  async #call(path: string, bytesMax: number, absent?: number): Promise<Reply | undefined> {
    const request = `GET ${path.split("?", 1)[0]}`;
    const response = await this.#ask(path, AbortSignal.timeout(this.#callTimeoutMs));
    if (response.status === absent) {
      letGo(response);
      return undefined;
    }
    const text = await readReply({ address: this.#address, request, response }, bytesMax);
    return { request, text };
  }

  /**
   * Sends a request in the agreed API version. A 400 may mean that a different engine runs there
   * now. Then this asks for the version again, and repeats the request once if the version has
   * changed.
   */
  async #ask(path: string, signal: AbortSignal): Promise<Response> {
    const version = await this.#negotiated();
    const response = await this.#get(`/v${version}${path}`, signal);
    if (response.status !== 400) return response;
    this.#version = undefined;
    const renewed = await this.#negotiated();
    if (renewed === version) return response;
    letGo(response);
    return this.#get(`/v${renewed}${path}`, signal);
  }

  /** Parses an answer. If an engine would never answer this way, the address is most likely wrong. */
  #parse<T>(parse: (reply: unknown) => T, request: string, text: string): T {
    try {
      return parse(JSON.parse(text));
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof z.core.$ZodError)) throw error;
      throw notAnEngine(this.#address, request, error);
    }
  }

  #negotiated(): Promise<string> {
    if (this.#version !== undefined) return this.#version;
    const version = this.#negotiate();
    this.#version = version;
    // We drop only this failed negotiation: a newer one may have begun in the meantime.
    version.catch(() => {
      if (this.#version === version) this.#version = undefined;
    });
    return version;
  }

  async #negotiate(): Promise<string> {
    const signal = AbortSignal.timeout(this.#callTimeoutMs);
    this.#apiVersion = await agreeOnVersion(this.#address, (path) => this.#get(path, signal));
    return this.#apiVersion;
  }

  /**
   * Sends a GET over a new connection. An idle connection may be dead, and then the call would wait
   * for it until the timeout.
   */
  async #get(path: string, signal: AbortSignal): Promise<Response> {
    const address = this.#address;
    const origin =
      address.kind === "unix" ? "http://docker" : `http://${address.host}:${address.port}`;
    const unix = address.kind === "unix" ? { unix: address.path } : {};
    const sentMs = this.clock.ownMs();
    try {
      const response = await ownRequest(`${origin}${path}`, { ...unix, signal });
      this.clock.answered(response.headers.get("date"), sentMs);
      return response;
    } catch (error) {
      throw unreachable(address, signal.aborted ? signal.reason : error);
    }
  }
}

function timeout(): DOMException {
  return new DOMException("The engine did not answer in time", "TimeoutError");
}
