/** The compiled proxy in front of two stand-in servers of a fake engine, and a real client that is pointed at it. */
import { expect } from "bun:test";
import { untilModels } from "../client/requests.ts";
import { envOf, FakeEngine } from "../engine/fake.ts";
import { startCompiled } from "../proxy/compiled.ts";
import { createHandler } from "../server/inference-server/handler.ts";
import { readSettings } from "../server/inference-server/settings.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { within } from "../until.ts";
import { type Exchange, type Relay, startRelay } from "./relay.ts";

/** Each on a server of its own, so that only a request that names one can be routed. */
const MODELS = ["coder", "claude-coder"] as const;
/** What the stand-in says to everything. */
export const ANSWER = "stand-in 1 2 3 4";
/** Whether the tests have a network of their own: see run-alone.ts. */
export const IS_ALONE = process.env["LOOPBACK_ONLY"] === "true";

const CLIENT_BOUND_MS = 60_000;
const START_BOUND_MS = 2_000;

export type Stage = AsyncDisposable & {
  readonly origin: string;
  readonly relay: Relay;
};

export async function startStage(): Promise<Stage> {
  await using stack = new AsyncDisposableStack();
  const engine = stack.use(await new FakeEngine().start());
  for (const model of MODELS) {
    const settings = readSettings({ MODELS: model, NAME: "stand-in", TOKEN_DELAY_MS: "1" });
    const server = stack.use(Bun.serve({ port: 0, fetch: createHandler(settings) }));
    engine.add({ port: server.port ?? 0 });
  }
  const proxy = stack.use(await startCompiled({ env: envOf(engine) }));
  await untilModels(proxy.origin, [...MODELS].sort());
  const relay = stack.use(await startRelay(proxy.port));
  const started = stack.move();
  return {
    origin: `http://127.0.0.1:${relay.port}`,
    relay,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

export type ClientRun = {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Files below its home, by path. */
  readonly files?: Readonly<Record<string, string>>;
};

/** Runs a client in a home of its own until it ends. It is killed if it takes too long. */
export async function runClient({ command, env, files = {} }: ClientRun): Promise<string> {
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
    expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
    return stdout.trim();
  } finally {
    child.kill("SIGKILL");
  }
}

/**
 * Checks that the first request for a model leaves soon, and that the client does not retry what the proxy answered before.
 *
 * @returns the opening: all that came before that request, and that itself, as `GET /v1/responses 426`
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
