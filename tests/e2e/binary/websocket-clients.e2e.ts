/**
 * The WebSocket clients of the `openai` package through the compiled binary, in front of a fake engine. The
 * test compares what they see through the proxy with what they see of the server itself. The Realtime clients
 * support only `wss:`, so the test puts TLS in front.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { untilModels } from "../../support/client/requests.ts";
import {
  buildForNode,
  type Conversation,
  converse,
  type Runtime,
  type SdkClient,
  type Task,
} from "../../support/client/sdk-conversation.ts";
import { startTlsRelay } from "../../support/client/tls-relay.ts";
import { envOf, FakeEngine } from "../../support/engine/fake.ts";
import type { FakeContainer } from "../../support/engine/replies.ts";
import { startCompiled } from "../../support/proxy/compiled.ts";
import { createService } from "../../support/server/inference-server/handler.ts";
import type { SocketEntry } from "../../support/server/inference-server/journal.ts";
import { readSettings } from "../../support/server/inference-server/settings.ts";
import { until } from "../../support/until.ts";

type Environment = Readonly<Record<string, string>>;

const KEY = "sk-of-the-server";
const TAKES = {
  ...{ REALTIME_UPGRADE: "take", RESPONSES_UPGRADE: "take" },
  ...{ SUBPROTOCOL: "realtime", TOKEN_DELAY_MS: "2" },
};
/** The clients that reconnect by themselves, in the most common runtime. */
const RECONNECTING = ["realtime/ws", "responses/ws"] as const;

const STARTED_AT_MS = Date.now() - 60_000;

let forNode: Awaited<ReturnType<typeof buildForNode>>;
beforeAll(async () => {
  forNode = await buildForNode();
});
afterAll(() => forNode[Symbol.dispose]());

/** The address for a client: the proxy or a server. */
type Place = { readonly port: number; readonly tlsPort: number };

type StandIn = Place & {
  readonly container: FakeContainer;
  readonly journal: () => Promise<readonly SocketEntry[]>;
  readonly closeSockets: (code: number) => Promise<unknown>;
};

type Stage<Name extends string> = AsyncDisposable & {
  readonly engine: FakeEngine;
  readonly proxy: Place;
  readonly servers: Readonly<Record<Name, StandIn>>;
};

/** One model for each server. Of servers with the same model, the last one gets the requests. */
async function startStage<Name extends string>(
  envs: Readonly<Record<Name, Environment>>,
  env: Environment = {},
): Promise<Stage<Name>> {
  await using stack = new AsyncDisposableStack();
  const engine = stack.use(await new FakeEngine().start());
  const place = async (port: number): Promise<Place> => ({
    port,
    tlsPort: stack.use(await startTlsRelay(port)).port,
  });
  const servers: Partial<Record<Name, StandIn>> = {};
  const models = new Set<string>();
  for (const [index, name] of (Object.keys(envs) as Name[]).entries()) {
    const settings = readSettings({ ...TAKES, NAME: name, ...envs[name] });
    const server = Bun.serve({ port: 0, ...createService(settings) });
    stack.defer(() => server.stop(true));
    const { port = 0, url } = server;
    const admin = async (path: string): Promise<unknown> =>
      (await fetch(new URL(path, url))).json();
    servers[name] = {
      ...(await place(port)),
      container: engine.add({ name, port, startedAtMs: STARTED_AT_MS + index }),
      journal: async () => await sockets(admin),
      closeSockets: (code) => admin(`/admin/close?code=${code}`),
    };
    for (const model of settings.models) models.add(model);
  }
  const compiled = stack.use(await startCompiled({ env: { ...envOf(engine), ...env } }));
  await untilModels(compiled.origin, [...models].toSorted());
  const proxy = await place(compiled.port);
  const started = stack.move();
  return {
    engine,
    proxy,
    servers: servers as Record<Name, StandIn>,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

async function sockets(admin: (path: string) => Promise<unknown>): Promise<readonly SocketEntry[]> {
  const all = (await admin("/admin/requests")) as readonly SocketEntry[];
  return all.filter(({ socket }) => socket !== undefined);
}

function start(
  runtime: Runtime,
  client: SdkClient,
  to: Place,
  more: Partial<Task> = {},
): Conversation {
  const { port, tlsPort } = to;
  const baseUrl =
    client === "responses/ws" ? `http://127.0.0.1:${port}/v1` : `https://127.0.0.1:${tlsPort}/v1`;
  return converse(runtime, forNode.path, {
    ...{ client, baseUrl, key: KEY, model: "m", reconnect: false, turns: 1, ...more },
  });
}

/** Holds the same conversation with the server itself and through the proxy. */
async function both(
  runtime: Runtime,
  client: SdkClient,
  { proxy, servers }: Stage<"only">,
  more: Partial<Task> = {},
): Promise<readonly string[]> {
  await using direct = start(runtime, client, servers.only, more);
  await using through = start(runtime, client, proxy, more);
  const [seen, expected] = await Promise.all([through.end(), direct.end()]);
  expect(seen).toEqual(expected);
  return seen;
}

test.each<[runtime: Runtime, client: SdkClient]>([
  ["Node", "realtime/ws"],
  ["Node", "responses/ws"],
  ["Bun", "realtime/ws"],
  ["Bun", "realtime/websocket"],
  ["Bun", "responses/ws"],
])("%s, openai/%s: one turn, and the server sees the key", async (runtime, client) => {
  await using stage = await startStage({ only: { MODELS: "m" } });
  const answer = ["answer: only 1 2 3 4", "closed 1000 OK"];
  const expected = client === "responses/ws" ? answer : ["session m", ...answer];
  expect(await both(runtime, client, stage)).toEqual(expected);
  const { journal } = stage.servers.only;
  await until("both ends are closed", async () => (await journal()).every(({ done }) => done));
  const keys = (await journal()).map(({ socket: { headers } }) =>
    client === "realtime/websocket" ? headers["sec-websocket-protocol"] : headers["authorization"],
  );
  const key =
    client === "realtime/websocket" ? `realtime, openai-insecure-api-key.${KEY}` : `Bearer ${KEY}`;
  expect(keys).toEqual([key, key]);
  const ends = (await journal()).map(({ socket }) => socket.end);
  const end = { code: 1000, reason: "OK", by: "client" } as const;
  expect(ends).toEqual([end, end]);
});

const CAUSES: readonly [
  what: string,
  code: number,
  drainTimeout: string,
  act: (stage: Stage<"older" | "newest">) => unknown,
][] = [
  [
    "its server is stopped, and says so",
    1012,
    "60s",
    async ({ engine, servers: { newest } }) => {
      engine.kill(newest.container);
      await newest.closeSockets(1012);
    },
  ],
  [
    "its server's drain timeout expires",
    1012,
    "300ms",
    ({ engine, servers: { newest } }) => engine.kill(newest.container),
  ],
  [
    "its server's container dies",
    1011,
    "60s",
    async ({ engine, servers: { newest } }) => {
      await newest.closeSockets(1006);
      engine.exit(newest.container, 137);
    },
  ],
];

test.each(CAUSES)(
  "reconnects to another server when %s: code %d",
  async (_what, code, drainTimeout, act) => {
    const MODELS = "m";
    await using stage = await startStage(
      { older: { MODELS }, newest: { MODELS } },
      { PROXY_DRAIN_TIMEOUT: drainTimeout },
    );
    const talks = RECONNECTING.map((client) =>
      start("Node", client, stage.proxy, { reconnect: true, turns: 2 }),
    );
    const firsts = (): boolean =>
      talks.every((talk) => talk.lines().includes("answer: newest 1 2 3 4"));
    await until("the first answers have arrived", firsts);
    await act(stage);
    const rest = [
      "answer: newest 1 2 3 4",
      `reconnecting after ${code}`,
      "answer: older 1 2 3 4",
      "closed 1000 OK",
    ];
    expect(await Promise.all(talks.map((talk) => talk.end()))).toEqual([
      ["session m", ...rest],
      rest,
    ]);
  },
);

test.each<[what: string, refusal: string, model: string, status: number]>([
  ["its server requires another key", "401", "m", 401],
  ["its server is at its limit", "429", "m", 429],
  ["no server has its model", "take", "unknown", 404],
])("a refusal arrives as an HTTP error: %s", async (_what, refusal, model, status) => {
  await using stage = await startStage({ only: { MODELS: "m", REALTIME_UPGRADE: refusal } });
  const seen = await both("Node", "realtime/ws", stage, { model });
  expect(seen).toEqual([`error: Unexpected server response: ${status}`, "closed 1006 "]);
});
