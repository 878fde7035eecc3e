/** HTTP to the Docker Engine: version, list, inspect, event stream. Only ever GET. */
import { z } from "zod/mini";
import { type Container, parseContainer } from "./container.ts";
import {
  type EngineAddress,
  EngineError,
  refused,
  showAddress,
  unreachable,
} from "./engine-error.ts";
import { type ContainerEvent, EVENT_ACTIONS, readEvents } from "./events.ts";
import { isLabelled } from "./labels.ts";

/** The newest API whose answers we have read about. Older engines are asked in their own version. */
const API_VERSION_NEWEST = "1.52";

/** Every call but the event stream is given up after this. */
export const CALL_TIMEOUT_MS = 5_000;

const WireVersion = z.object({ ApiVersion: z.string(), MinAPIVersion: z.optional(z.string()) });
const WireList = z.array(
  z.object({ Id: z.string(), Labels: z.nullish(z.record(z.string(), z.string())) }),
);

type Reply = { readonly request: string; readonly status: number; readonly text: string };

export class Engine {
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
   * Ids of all containers, running or not, that have any label of ours: a container that is not routed
   * is to be told of too. The engine can't filter by the beginning of a label, so that is done here.
   *
   * @throws {EngineError}
   */
  async list(): Promise<readonly string[]> {
    const { request, text } = await this.#call("/containers/json?all=1");
    return this.#parse(WireList.parse, request, text)
      .filter(({ Labels }) => isLabelled(Labels ?? {}))
      .map(({ Id }) => Id);
  }

  /**
   * @returns undefined if there is no such container
   * @throws {EngineError}
   */
  async inspect(id: string): Promise<Container | undefined> {
    const { request, status, text } = await this.#call(`/containers/${id}/json`, 404);
    return status === 404 ? undefined : this.#parse(parseContainer, request, text);
  }

  /**
   * Opens the event stream: resolves when the engine has answered. Asks for the engine's version
   * first: it may be another one since the last stream.
   *
   * @param sinceMs engine time from which on past events come too (it keeps the last 256 of all kinds)
   * @throws {EngineError}
   */
  async openEvents(sinceMs: number, signal: AbortSignal): Promise<AsyncGenerator<ContainerEvent>> {
    this.#version = undefined;
    const filters = { type: ["container", "network"], event: EVENT_ACTIONS };
    const since = (sinceMs / 1000).toFixed(9);
    const path = `/events?since=${since}&filters=${encodeURIComponent(JSON.stringify(filters))}`;
    const opening = new AbortController();
    const timer = setTimeout(() => opening.abort(timeout()), this.#callTimeoutMs);
    try {
      const both = AbortSignal.any([signal, opening.signal]);
      const response = await this.#ask(path, both);
      if (!response.ok) throw refused("GET /events", response.status, await this.#read(response));
      if (response.body === null) throw refused("GET /events", response.status, "no body");
      return readEvents(response.body);
    } finally {
      clearTimeout(timer);
    }
  }

  /** @param absent a status that is as good an answer as 200 */
  async #call(path: string, absent?: number): Promise<Reply> {
    const request = `GET ${path.split("?", 1)[0]}`;
    const response = await this.#ask(path, AbortSignal.timeout(this.#callTimeoutMs));
    const { ok, status } = response;
    const text = await this.#read(response);
    if (!ok && status !== absent) throw refused(request, status, text);
    return { request, status, text };
  }

  /** In the version agreed on. A 400 may mean that another engine is there by now: agrees anew, once. */
  async #ask(path: string, signal: AbortSignal): Promise<Response> {
    const version = await this.#negotiated();
    const response = await this.#get(`/v${version}${path}`, signal);
    if (response.status !== 400) return response;
    this.#version = undefined;
    const renewed = await this.#negotiated();
    if (renewed === version) return response;
    await response.body?.cancel();
    return this.#get(`/v${renewed}${path}`, signal);
  }

  /** Whoever answers what no engine answers is none: a wrong address, more likely than not. */
  #parse<T>(parse: (reply: unknown) => T, request: string, text: string): T {
    try {
      return parse(JSON.parse(text));
    } catch (error) {
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
    const text = await this.#read(response);
    if (!response.ok) throw refused("GET /version", response.status, text);
    const { ApiVersion, MinAPIVersion = "1.24" } = this.#parse(
      WireVersion.parse,
      "GET /version",
      text,
    );
    this.#apiVersion = newer(MinAPIVersion, older(ApiVersion, API_VERSION_NEWEST));
    return this.#apiVersion;
  }

  /** Over a connection of its own: one that has been idle may be dead, and would be so for the whole call. */
  async #get(path: string, signal: AbortSignal): Promise<Response> {
    const address = this.#address;
    const origin =
      address.kind === "unix" ? "http://docker" : `http://${address.host}:${address.port}`;
    const unix = address.kind === "unix" ? { unix: address.path } : {};
    try {
      return await fetch(`${origin}${path}`, {
        ...unix,
        signal,
        timeout: false,
        proxy: false,
        keepalive: false,
      });
    } catch (error) {
      throw unreachable(address, signal.aborted ? signal.reason : error);
    }
  }

  async #read(response: Response): Promise<string> {
    try {
      return await response.text();
    } catch (error) {
      throw unreachable(this.#address, error);
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
