/**
 * Shared by the tests with official clients: the proxy and servers on a real engine, and a fetch that
 * records.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout } from "bun:test";
import {
  admin,
  journal,
  removeLeftovers,
  removeServers,
  type Server,
  type ServerInit,
  startServer,
} from "../engine/real.ts";
import { startCompiled } from "../proxy/compiled.ts";
import { buildInferenceImage } from "../server/inference-server/image.ts";
import { until } from "../until.ts";
import { chat, untilModels } from "./requests.ts";

type Stage<Name extends string> = AsyncDisposable & {
  readonly origin: string;
  readonly servers: Readonly<Record<Name, Server>>;
};

/** Probes four times a second, so that a change of health takes less time than the proxy's Retry-After. */
const PROBED_OFTEN = ["--health-interval=250ms"];

/**
 * Starts the stage before the first test of the file, and ends it after the last one. Call this at the top of
 * the file. Use the result only inside of tests.
 */
export function useStage<Name extends string>(
  inits: Readonly<Record<Name, ServerInit>>,
): Pick<Stage<Name>, "origin" | "servers"> {
  let stage: Stage<Name> | undefined;
  setDefaultTimeout(60_000);
  beforeAll(async () => {
    stage = await startStage(inits);
  }, 120_000);
  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]();
  });
  const started = (): Stage<Name> => {
    if (stage === undefined) throw new Error("Cannot use the stage outside of a test");
    return stage;
  };
  return {
    get origin() {
      return started().origin;
    },
    get servers() {
      return started().servers;
    },
  };
}

/** Starts the proxy, and a container for each model. Resolves when the proxy lists all models. */
async function startStage<Name extends string>(
  inits: Readonly<Record<Name, ServerInit>>,
): Promise<Stage<Name>> {
  await removeLeftovers();
  await buildInferenceImage();
  await using stack = new AsyncDisposableStack();
  stack.defer(removeServers);
  const servers = await Promise.all(
    Object.entries<ServerInit>(inits).map(async ([model, { env, ...init }]) => [
      model,
      await startServer({ ...init, env: { ...env, MODELS: model }, flags: PROBED_OFTEN }),
    ]),
  );
  const host = process.env["DOCKER_HOST"];
  const { origin } = stack.use(
    await startCompiled({ env: host === undefined ? {} : { DOCKER_HOST: host } }),
  );
  await untilModels(origin, Object.keys(inits).sort());
  const started = stack.move();
  return {
    origin,
    servers: Object.fromEntries(servers) as Record<Name, Server>,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

/** Makes the server fail its health checks, and waits until the proxy answers 503 for the model. */
export async function turnUnhealthy<Name extends string>(
  { origin, servers }: Pick<Stage<Name>, "origin" | "servers">,
  model: NoInfer<Name>,
): Promise<void> {
  await admin(servers[model], "/health?state=bad");
  const isRefused = async (): Promise<boolean> => (await chat(origin, model)).status === 503;
  await until(`${model} gets 503`, isRefused, 10_000);
}

export type WatchedFetch = {
  readonly fetch: typeof fetch;
  /** The status of every answer, in order. Each retry has its own entry. */
  readonly statuses: readonly number[];
  /** The time from each answer to the next request. */
  readonly pausesMs: readonly number[];
  /** The body size of the last request. */
  readonly sentBytes: () => number;
};

/**
 * A `fetch` for a client. It records, and changes nothing. It calls `onStatus` before the client sees the
 * answer.
 */
export function watchFetch(onStatus: (status: number) => unknown = () => undefined): WatchedFetch {
  const statuses: number[] = [];
  const pausesMs: number[] = [];
  let sentBytes = 0;
  let answeredAt: number | undefined;
  const watched = async (...[input, init]: Parameters<typeof fetch>): Promise<Response> => {
    if (answeredAt !== undefined) pausesMs.push(performance.now() - answeredAt);
    if (typeof init?.body === "string") sentBytes = Buffer.byteLength(init.body);
    const response = await fetch(input, init);
    statuses.push(response.status);
    await onStatus(response.status);
    answeredAt = performance.now();
    return response;
  };
  const { preconnect } = fetch;
  return {
    fetch: Object.assign(watched, { preconnect }),
    statuses,
    pausesMs,
    sentBytes: () => sentBytes,
  };
}

/** Makes the server healthy again after the first 503. The client must then retry by itself. */
export function recoverAfter503(server: Server): WatchedFetch {
  return watchFetch((status) => status === 503 && admin(server, "/health?state=good"));
}

/** Checks that the client got a 503, waited for the time of Retry-After, and then got its answer. */
export function expectRetried({ statuses, pausesMs }: WatchedFetch): void {
  expect(statuses.join(" ")).toMatch(/^(503 )+200$/);
  expect(pausesMs[0]).toBeWithin(950, 1_900); // without Retry-After the clients wait 0.5 s or 2 s
}

/** The error with which the promise fails. */
export async function failureOf(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("The promise should fail, but it resolved");
}

/** The last request for the model, as the server received it. */
export async function lastSeen(
  server: Server,
  model: string,
): Promise<"open" | "aborted" | "done" | "nothing"> {
  const entry = (await journal(server)).findLast((one) => one.model === model);
  if (entry === undefined) return "nothing";
  if (entry.aborted) return "aborted";
  return entry.done ? "done" : "open";
}

export async function untilAborted(server: Server, model: string): Promise<void> {
  const isAborted = async (): Promise<boolean> => (await lastSeen(server, model)) === "aborted";
  await until(`the server sees that the request for ${model} is aborted`, isAborted, 2_000);
}

/** The text of a stand-in's answer: its name, then a number for each token. */
export function textOf({ name }: Server, tokens: number): string {
  return [name, ...Array.from({ length: tokens - 1 }, (_, index) => index + 1)].join(" ");
}

/** Eight tokens, with 700 ms from the first to the last. */
export const PACE = { tokens: 8, token_delay_ms: 100 };
const SPREAD_MIN_MS = 100;

/** Collects the tokens of a stream of `PACE`, with their times. */
export class Arrivals {
  readonly texts: string[] = [];
  readonly #times: number[] = [];

  add(text: string): void {
    this.texts.push(text);
    this.#times.push(performance.now());
  }

  /**
   * Checks that the tokens arrived one by one. A stream that was held back would arrive within a few ms. A
   * busy host can stall this client for most of the time, so the bound is loose.
   */
  expectOneByOne(server: Server): void {
    expect(this.texts).toHaveLength(PACE.tokens);
    expect(this.texts.join("")).toBe(textOf(server, PACE.tokens));
    expect((this.#times.at(-1) ?? 0) - (this.#times[0] ?? 0)).toBeGreaterThan(SPREAD_MIN_MS);
  }
}
