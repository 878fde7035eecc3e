/**
 * A page of a stranger's in a real Chromium asks for models through the compiled binary. One of the two servers refuses
 * every preflight, as Ollama and text-embeddings-inference do; what it answers to the request itself may be read by pages.
 */
import { expect, test } from "bun:test";
import { untilModels } from "../support/client/requests.ts";
import { envOf, FakeEngine } from "../support/engine/fake.ts";
import { startCompiled } from "../support/proxy/compiled.ts";
import { findChromium } from "../support/real-clients/programs.ts";
import { createHandler } from "../support/server/inference-server/handler.ts";
import { readSettings } from "../support/server/inference-server/settings.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { within } from "../support/until.ts";

const BROWSER_BOUND_MS = 60_000;
const ALLOW_ORIGIN = "access-control-allow-origin";

type Server = Disposable & {
  readonly port: number;
  /** How many preflights have come. */
  readonly preflights: () => number;
};

/** @param allows what it answers to a preflight; undefined: it refuses */
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

/** What the page saw of one request: the start of the text, or why it could not read any. */
type Seen = { readonly status: number; readonly text: string };

/** Runs in the page. */
const SCRIPT = `
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
  Promise.all(requests.map(seen)).then((all) =>
    fetch("/seen", { method: "POST", body: JSON.stringify(Object.fromEntries(all)) }));
`;

/** Opens the page in a browser of its own, and returns what its script reports. */
async function browse(origin: string): Promise<Readonly<Record<string, Seen>>> {
  const browser = findChromium();
  if (browser === undefined)
    throw new Error("Cannot find Chromium: npm run test:clients brings it");
  const reported = Promise.withResolvers<Readonly<Record<string, Seen>>>();
  using page = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      if (new URL(request.url).pathname === "/seen") {
        reported.resolve((await request.json()) as Readonly<Record<string, Seen>>);
        return new Response();
      }
      const html = `<script>const ORIGIN = ${JSON.stringify(origin)};${SCRIPT}</script>`;
      return new Response(html, { headers: { "content-type": "text/html" } });
    },
  });
  using home = temporaryDirectory();
  const child = Bun.spawn(
    [
      browser.path,
      "--headless",
      "--no-sandbox", // which root can't have, and which this page does not need
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--disable-background-networking",
      "--disable-component-update",
      "--no-first-run",
      `--user-data-dir=${home.path}`,
      page.url.href,
    ],
    {
      env: { PATH: process.env["PATH"] ?? "", HOME: home.path, ...browser.env },
      stdio: ["ignore", "ignore", "ignore"],
    },
  );
  try {
    return await within("what the page sees", reported.promise, BROWSER_BOUND_MS);
  } finally {
    child.kill("SIGTERM"); // on which it ends its own processes
    await child.exited;
  }
}

test("a page of another origin chats with each model, whatever its server says to preflights", async () => {
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

  const seen = await browse(proxy.origin);
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
