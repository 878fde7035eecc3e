/** A foreign page in a real Chromium sends requests and opens WebSockets to models through the compiled binary. */
import { expect, test } from "bun:test";
import { untilModels } from "../support/client/requests.ts";
import { envOf, FakeEngine } from "../support/engine/fake.ts";
import { startCompiled } from "../support/proxy/compiled.ts";
import { browse } from "../support/real-clients/browse.ts";
import { createHandler, createService } from "../support/server/inference-server/handler.ts";
import type { SocketEntry } from "../support/server/inference-server/journal.ts";
import { readSettings } from "../support/server/inference-server/settings.ts";

const ALLOW_ORIGIN = "access-control-allow-origin";

type Server = Disposable & {
  readonly port: number;
  /** The number of preflights so far. */
  readonly preflights: () => number;
};

/** @param allows the headers of the answer to a preflight; undefined: the server refuses it */
function startServer(model: string, allows: Readonly<Record<string, string>> | undefined): Server {
  const handle = createHandler(readSettings({ MODELS: model, NAME: model, TOKEN_DELAY_MS: "1" }));
  let preflights = 0;
  const server = Bun.serve({
    port: 0,
    fetch: async (request) => {
      if (request.method === "OPTIONS") {
        preflights += 1;
        return allows === undefined
          ? new Response(null, { status: 403 })
          : new Response(null, { status: 204, headers: allows });
      }
      const response = await handle(request);
      response.headers.set(ALLOW_ORIGIN, "*");
      return response;
    },
  });
  return {
    port: server.port ?? 0,
    preflights: () => preflights,
    [Symbol.dispose]: () => void server.stop(true),
  };
}

/** What the page saw of one request: the start of the text, or why it could not read the answer. */
type Seen = { readonly status: number; readonly text: string };

const chatScript = (origin: string): string => `
  const ORIGIN = ${JSON.stringify(origin)};
  const headers = { authorization: "Bearer sk-test", "content-type": "application/json" };
  const chat = (model, more) => ({
    method: "POST", headers,
    body: JSON.stringify({ model, messages: [{ role: "user", content: "hello" }], ...more }),
  });
  const seen = async ([name, path, init]) => {
    try {
      const response = await fetch(ORIGIN + path, init);
      return [name, { status: response.status, text: await response.text() }];
    } catch (error) {
      return [name, { status: 0, text: String(error) }];
    }
  };
  const requests = [
    ["refusing", "/v1/chat/completions", chat("refusing")],
    ["streamed", "/v1/chat/completions", chat("refusing", { stream: true })],
    ["fine", "/v1/chat/completions", chat("fine")],
    ["unknown", "/v1/chat/completions", chat("unknown")],
    ["list", "/v1/models", { headers }],
  ];
  Promise.all(requests.map(seen)).then((all) => report(Object.fromEntries(all)));
`;

/**
 * One of the two servers refuses every preflight, as Ollama and text-embeddings-inference do. It lets pages
 * read its answer to the request itself.
 */
test("a page of another origin chats with each model, also when the server refuses preflights", async () => {
  using engine = await new FakeEngine().start();
  using fine = startServer("fine", {
    [ALLOW_ORIGIN]: "*",
    "access-control-allow-headers": "authorization, content-type",
  });
  using refusing = startServer("refusing", undefined);
  engine.add({ port: fine.port });
  await using proxy = await startCompiled({ env: envOf(engine) });
  await untilModels(proxy.origin, ["fine"]);
  const newest = engine.add({ port: refusing.port, health: "starting" });
  engine.setHealth(newest, "healthy");
  await untilModels(proxy.origin, ["fine", "refusing"]);

  const seen = await browse<Readonly<Record<string, Seen>>>(chatScript(proxy.origin));
  const statuses = Object.entries(seen).map(([name, { status }]) => [name, status]);
  expect(Object.fromEntries(statuses)).toEqual({
    refusing: 200,
    streamed: 200,
    fine: 200,
    unknown: 404,
    list: 200,
  });
  expect(seen["refusing"]?.text).toContain('"content":"refusing 1 2 3 4"');
  expect(seen["streamed"]?.text).toEndWith("data: [DONE]\n\n");
  expect(seen["unknown"]?.text).toContain("model_not_found");
  expect(seen["list"]?.text).toContain('"id":"refusing"');
  expect([fine.preflights(), refusing.preflights()]).toEqual([0, 0]);
}, 120_000);

/** The characters that RFC 9110 allows in a token, and so in a subprotocol. */
const KEY = "sk-aZ09!#$%&'*+.^_`|~-";
const KEYS = ["realtime", `openai-insecure-api-key.${KEY}`];

/** What the page saw of one WebSocket. */
type Talk = {
  /** Undefined if the WebSocket never opened. */
  readonly protocol?: string;
  readonly types: readonly string[];
  readonly text: string;
  readonly end: { readonly code: number; readonly reason: string; readonly wasClean: boolean };
};

/** One turn with each server. */
const talkScript = (urls: Readonly<Record<string, string>>): string => `
  const talk = ([name, url]) => new Promise((resolve) => {
    const socket = new WebSocket(url, ${JSON.stringify(KEYS)});
    const seen = { types: [], text: "" };
    socket.onopen = () => {
      seen.protocol = socket.protocol;
      socket.send(JSON.stringify({ type: "response.create" }));
    };
    socket.onmessage = ({ data }) => {
      const { type, delta = "" } = JSON.parse(data);
      seen.types.push(type);
      seen.text += delta;
      if (type === "response.done") socket.close(4000, "seen enough");
    };
    socket.onclose = ({ code, reason, wasClean }) =>
      resolve([name, { ...seen, end: { code, reason, wasClean } }]);
  });
  Promise.all(Object.entries(${JSON.stringify(urls)}).map(talk))
    .then((all) => report(Object.fromEntries(all)));
`;

test("a page passes its key as a subprotocol of a WebSocket, and talks if the server selects a subprotocol", async () => {
  using engine = await new FakeEngine().start();
  const start = (model: string, env: Readonly<Record<string, string>>): Bun.Server<unknown> => {
    const settings = { MODELS: model, NAME: model, REALTIME_UPGRADE: "take", ...env };
    const server = Bun.serve({ port: 0, ...createService(readSettings(settings)) });
    engine.add({ port: server.port ?? 0 });
    return server;
  };
  using choosing = start("choosing", { SUBPROTOCOL: "realtime" });
  using silent = start("silent", {});
  await using proxy = await startCompiled({ env: envOf(engine) });
  await untilModels(proxy.origin, ["choosing", "silent"]);

  const url = (port: number | undefined, model: string): string =>
    `ws://127.0.0.1:${port}/v1/realtime?model=${model}`;
  const seen = await browse<Readonly<Record<string, Talk>>>(
    talkScript({
      "choosing, direct": url(choosing.port, "choosing"),
      "silent, direct": url(silent.port, "silent"),
      choosing: url(proxy.port, "choosing"),
      silent: url(proxy.port, "silent"),
    }),
  );
  expect(seen["choosing"]).toMatchObject({
    protocol: "realtime",
    text: "choosing 1 2 3 4",
    end: { code: 4000, reason: "seen enough", wasClean: true },
  });
  expect(seen["choosing"]).toEqual(seen["choosing, direct"] as Talk);
  expect(seen["silent"]).toEqual({
    types: [],
    text: "",
    end: { code: 1006, reason: "", wasClean: false },
  });
  expect(seen["silent"]).toEqual(seen["silent, direct"] as Talk);

  for (const server of [choosing, silent]) {
    const journal = (await (
      await fetch(new URL("/admin/requests", server.url))
    ).json()) as SocketEntry[];
    const offered = journal.flatMap(
      ({ socket }) => socket?.headers["sec-websocket-protocol"] ?? [],
    );
    expect(offered).toEqual([KEYS.join(", "), KEYS.join(", ")]);
  }
}, 120_000);
