/** HTTP to the Docker Engine: version, list, inspect, event stream. Only ever GET. */
import { z } from "zod/mini";
import { ownRequest } from "../ground/own-request.ts";
import { letGo, openBody, readReply } from "./answer.ts";
import { EngineClock } from "./clock.ts";
import { type Container, parseContainer } from "./container.ts";
import { type EngineAddress, EngineError, showAddress, unreachable } from "./error.ts";
import { type ContainerEvent, EVENT_ACTIONS, readEvents } from "./events.ts";

/** The newest API whose answers we have read about. Older engines are asked in their own version. */
const API_VERSION_NEWEST = "1.52";

/** Every call but the event stream is given up after this. */
export const CALL_TIMEOUT_MS = 5_000;

const MIB = 1024 * 1024;
/** A list shows all containers with all their labels. */
const LIST_BYTES_MAX = 64 * MIB;
const REPLY_BYTES_MAX = 4 * MIB;

const WireVersion = z.object({ ApiVersion: z.string(), MinAPIVersion: z.optional(z.string()) });
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
  /** The engine's time now → from when on past events come too (it keeps the last 256 of all kinds), ms. */
  readonly since: (engineNowMs: number) => number;
  /** Ends the stream. */
  readonly signal: AbortSignal;
  /** A line was too long to be read: an event is lost. */
  readonly onLongLine?: () => void;
};

export class Engine {
  /** The engine's own clock, by which its events and starts are timed. */
  readonly clock = new EngineClock();
  readonly #address: EngineAddress;
  readonly #callTimeoutMs: number;
  #version: Promise<string> | undefined;
  #apiVersion: string | undefined;

  constructor(address: EngineAddress, callTimeoutMs = CALL_TIMEOUT_MS) {
    this.#address = address;
    this.#callTimeoutMs = callTimeoutMs;
  }

  /** The version of the API that was last agreed on, like `1.41`; undefined before the first answer. */
  get apiVersion(): string | undefined {
    return this.#apiVersion;
  }

  /**
   * Ids of all containers, running or not, that are wanted. The engine can't filter by the beginning of a
   * label, so that is done here.
   *
   * @param isWanted by its labels
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
   * Addresses of all containers that run, in whatever form the engine writes them.
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
   * Opens the event stream: resolves when the engine has answered. Asks for the engine's version
   * first: it may be another one since the last stream. The stream ends when the engine closes it,
   * however it does: what it throws is a bug.
   *
   * @throws {EngineError}
   */
  async openEvents(init: EventsInit): Promise<AsyncGenerator<ContainerEvent>> {
    this.#version = undefined;
    await this.#negotiated(); // its answer tells the time as well
    const filters = { type: ["container", "network"], event: EVENT_ACTIONS };
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

  async *#timed(events: AsyncGenerator<ContainerEvent>): AsyncGenerator<ContainerEvent> {
    for await (const event of events) {
      this.clock.hasPassed(event.timeMs);
      yield event;
    }
  }

  async #call(path: string, bytesMax: number): Promise<Reply>;
  /** @param absent a status that is an answer without anything in it */
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

  /** In the version agreed on. A 400 may mean that another engine is there by now: agrees anew, once. */
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

  /** Whoever answers what no engine answers is none: a wrong address, more likely than not. */
  #parse<T>(parse: (reply: unknown) => T, request: string, text: string): T {
    try {
      return parse(JSON.parse(text));
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof z.core.$ZodError)) throw error;
      const message = `The answer to ${request} from ${showAddress(this.#address)} is not that of a Docker engine`;
      throw new EngineError(message, { kind: "refused", cause: error });
    }
  }

  #negotiated(): Promise<string> {
    if (this.#version !== undefined) return this.#version;
    const version = this.#negotiate();
    this.#version = version;
    // Another one may have been asked for since: only what failed is given up.
    version.catch(() => {
      if (this.#version === version) this.#version = undefined;
    });
    return version;
  }

  /** 20.10 knows nothing above 1.41, 29.0 refuses everything below 1.44: no one number fits both. */
  async #negotiate(): Promise<string> {
    const response = await this.#get("/version", AbortSignal.timeout(this.#callTimeoutMs));
    const request = "GET /version";
    const text = await readReply({ address: this.#address, request, response }, REPLY_BYTES_MAX);
    const { ApiVersion, MinAPIVersion = "1.24" } = this.#parse(WireVersion.parse, request, text);
    this.#apiVersion = newer(MinAPIVersion, older(ApiVersion, API_VERSION_NEWEST));
    return this.#apiVersion;
  }

  /** Over a connection of its own: one that has been idle may be dead, and would be so for the whole call. */
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

function older(a: string, b: string): string {
  return minor(a) < minor(b) ? a : b;
}

function newer(a: string, b: string): string {
  return minor(a) > minor(b) ? a : b;
}

/** The number after `1.`: there has been no other major version in ten years. */
function minor(version: string): number {
  return Number(version.split(".")[1] ?? 0);
}
