/** The compiled proxy in front of stand-in servers on a fake engine, and a real client that uses the proxy. */
import { expect } from "bun:test";
import { untilModels } from "../client/requests.ts";
import { envOf, FakeEngine } from "../engine/fake.ts";
import { startCompiled } from "../proxy/compiled.ts";
import { createService } from "../server/inference-server/handler.ts";
import type { JournalEntry } from "../server/inference-server/journal.ts";
import { readSettings } from "../server/inference-server/settings.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { within } from "../until.ts";
import { type Exchange, type Relay, startRelay } from "./relay.ts";

/** Each is on its own server, so the proxy can only route a request that names one. */
const MODELS = ["coder", "claude-coder"];
/** The stand-in's answer to every request. */
export const ANSWER = "stand-in 1 2 3 4";
/** Whether the tests run in their own network namespace: see run-alone.ts. */
export const IS_ALONE = process.env["LOOPBACK_ONLY"] === "true";

const CLIENT_BOUND_MS = 60_000;
const START_BOUND_MS = 2_000;

export type Stage = AsyncDisposable & {
  readonly origin: string;
  readonly relay: Relay;
  /** All requests to the servers, except those for their models. */
  readonly journal: () => Promise<readonly JournalEntry[]>;
};

/**
 * @param models each on its own server
 * @param env environment variables of the servers
 */
export async function startStage(
  models: readonly string[] = MODELS,
  env: Readonly<Record<string, string>> = {},
): Promise<Stage> {
  await using stack = new AsyncDisposableStack();
  const engine = stack.use(await new FakeEngine().start());
  const origins: URL[] = [];
  for (const model of models) {
    const pace = { NAME: "stand-in", TOKEN_DELAY_MS: "1" };
    const settings = readSettings({ ...pace, MODELS: model, ...env });
    const server = stack.use(Bun.serve({ port: 0, ...createService(settings) }));
    engine.add({ port: server.port ?? 0 });
    origins.push(server.url);
  }
  const proxy = stack.use(await startCompiled({ env: envOf(engine) }));
  await untilModels(proxy.origin, [...models].sort());
  const relay = stack.use(await startRelay(proxy.port));
  const started = stack.move();
  return {
    origin: `http://127.0.0.1:${relay.port}`,
    relay,
    journal: async () => {
      const journals = await Promise.all(
        origins.map(async (url) => (await fetch(new URL("/admin/requests", url))).json()),
      );
      return (journals.flat() as JournalEntry[]).filter(({ path }) => path !== "/v1/models");
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

export type ClientRun = {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Files below the client's home, by path. */
  readonly files?: Readonly<Record<string, string>>;
  /** The expected exit code. */
  readonly code?: number;
};

/**
 * Runs a client with a new home folder until it ends. Kills it if it takes too long.
 *
 * @returns its standard output, or its standard error if it is to fail
 */
export async function runClient(run: ClientRun): Promise<string> {
  const { command, env, files = {}, code: expected = 0 } = run;
  using home = temporaryDirectory();
  using work = temporaryDirectory();
  for (const [path, text] of Object.entries(files)) await Bun.write(`${home.path}/${path}`, text);
  const child = Bun.spawn([...command], {
    cwd: work.path,
    env: { PATH: process.env["PATH"] ?? "", HOME: home.path, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const all = Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  try {
    const [stdout, stderr, code] = await within("the client's end", all, CLIENT_BOUND_MS);
    expect({ code, stderr: code === expected ? "" : stderr }).toEqual({
      code: expected,
      stderr: "",
    });
    return (expected === 0 ? stdout : stderr).trim();
  } finally {
    child.kill("SIGKILL");
  }
}

/**
 * Checks that the client sends the first request for a model soon, and does not retry after the proxy's
 * earlier answers.
 *
 * @returns the requests up to and including that one, for example `GET /v1/responses 426`
 */
export function expectQuickStart(
  exchanges: readonly Exchange[],
  modelPath: string,
): readonly string[] {
  const at = exchanges.findIndex(({ request }) => request.startsWith(`POST ${modelPath}`));
  const opening = exchanges.slice(0, at + 1);
  const failed = opening.filter(({ status = 0 }) => status >= 400);
  expect(failed.filter(({ status = 0 }) => status >= 500 || status === 429)).toEqual([]);
  const requests = failed.map(({ request }) => request);
  expect(requests).toEqual([...new Set(requests)]);
  const spentMs = (opening.at(-1)?.atMs ?? Number.NaN) - (opening[0]?.atMs ?? 0);
  expect(spentMs).toBeLessThan(START_BOUND_MS);
  return opening.map(({ request, status }) => `${request} ${status}`);
}
