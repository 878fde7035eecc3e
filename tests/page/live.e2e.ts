/** The page of the compiled proxy with a stand-in engine: it shows every change within 3 s. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Locator, Page } from "playwright-core";
import { type Browser, NARROW, type OpenPage, startBrowser } from "../support/browser/browser.ts";
import { facts, row, text } from "../support/browser/reading.ts";
import { chat, untilModels } from "../support/client/requests.ts";
import { envOf, FakeEngine } from "../support/engine/fake.ts";
import { type CompiledProxy, startCompiled } from "../support/proxy/compiled.ts";
import { createHandler } from "../support/server/inference-server/handler.ts";
import { readSettings } from "../support/server/inference-server/settings.ts";
import { until } from "../support/until.ts";

const SHOWN_MS = 3_000;

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(async () => browser[Symbol.asyncDispose]());

function serve(models: string): Bun.Server<undefined> {
  return Bun.serve({
    port: 0,
    idleTimeout: 0,
    fetch: createHandler(readSettings({ MODELS: models })),
  });
}

type Stage = AsyncDisposable & {
  readonly engine: FakeEngine;
  readonly proxy: CompiledProxy;
  readonly opened: OpenPage;
  readonly page: Page;
};

async function start(): Promise<Stage> {
  await using stack = new AsyncDisposableStack();
  const engine = stack.use(await new FakeEngine().start());
  const proxy = stack.use(await startCompiled({ env: envOf(engine) }));
  const opened = await browser.open(`${proxy.origin}/`);
  const { page } = opened;
  await page.getByText("Live", { exact: true }).waitFor();
  const started = stack.move();
  return { engine, proxy, opened, page, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

/** Waits until the first element that the locator finds has this text. */
async function untilText(locator: Locator, wanted: RegExp): Promise<void> {
  let last = "";
  const says = async (): Promise<boolean> => {
    last = await text(locator);
    return wanted.test(last);
  };
  await until(`it says ${wanted}`, says, SHOWN_MS).catch((error: unknown) => {
    throw new Error(`It says ${JSON.stringify(last)}`, { cause: error });
  });
}

test("the page follows a container that starts, is routed, streams, is stopped, and crashes", async () => {
  await using stage = await start();
  const { engine, proxy, page, opened } = stage;
  using server = serve("llama");
  const container = engine.add({ name: "llama-1", port: server.port ?? 0, health: "starting" });
  engine.emit(container, "start");
  const box = row(page, "boxes", "llama-1");
  await untilText(
    box,
    /starting for .* waiting for its health check to pass Wait\. If loading takes longer than start_period, raise that/,
  );

  engine.setHealth(container, "healthy");
  await untilText(box, /routed for \d+ s healthy/);
  const llama = row(page, "models", "llama");
  await untilText(llama, /llama-1 routed · all/);
  await untilText(page.locator("#timeline > li").first(), /llama-1 routed/);

  const answer = await chat(proxy.origin, "llama", {
    stream: true,
    tokens: 60,
    token_delay_ms: 100,
  });
  await untilText(llama, /In flight 1 /);
  await untilText(box, /In flight 1 /);
  expect((await facts(page.locator("#facts")))["In flight"]).toBe("1");
  expect(await answer.text()).toContain("[DONE]");
  await untilText(llama, /In flight 0 /);
  await until(
    "its request is counted",
    async () => (await facts(llama.locator("dl")))["Requests"] === "1",
    SHOWN_MS,
  );
  expect((await facts(llama.locator("dl")))["Last 5 minutes"]).toBe(
    "1 request in the last 5 minutes, at most 1 in 10 s",
  );
  expect((await facts(llama.locator("dl")))["First chunk p50 / p95"]).toMatch(/\d+ m?s \/ \d+ m?s/);
  expect((await facts(llama.locator("dl")))["Speed"]).toMatch(/^\d.* (?:tokens|pieces)\/s$/);
  await row(page, "models", "llama").locator(".open").click();
  const curl = await llama.locator("pre").first().textContent();
  const shell = Bun.spawn(["sh", "-c", (curl ?? "").replace("curl -N", "curl -sN")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  expect(await shell.stdout.text()).toContain("[DONE]");

  engine.kill(container);
  await untilText(box, /stopping for .* told to stop/);
  await untilText(llama, /llama-1 stopping · none/);
  engine.exit(container);
  await untilText(box, /stopped for .* last exit: /);
  await untilText(box, /See docker logs; then docker start or docker rm/);

  engine.startAgain(container);
  engine.setHealth(container, "healthy");
  await untilText(box, /routed for/);
  engine.exit(container, 137, "restarting");
  await untilText(box, /restarting for .*137/);
  const changes = page.locator("#timeline > li");
  await untilText(changes.first(), /llama-1 restarting/);
  expect(opened.complaints).toEqual([]);
  expect([...new Set(opened.requests.map(({ path }) => path))]).toEqual(["/", "/status"]);
}, 60_000);

test("the page shows two replicas, and counts requests for unknown models as errors", async () => {
  await using stage = await start();
  const { engine, proxy, page } = stage;
  using server = serve("shared");
  const port = server.port ?? 0;
  for (const name of ["gpu-0", "gpu-1"]) {
    const labels = {
      "inference.enable": "true",
      "inference.port": String(port),
      "inference.replica": "true",
    };
    engine.emit(engine.add({ name, labels }), "start");
  }
  const shared = row(page, "models", "shared");
  await untilText(shared, /gpu-1 routed · shares/);
  await untilText(shared, /gpu-0 routed · shares/);
  for (let n = 0; n < 3; n += 1) expect((await chat(proxy.origin, "unheard-of")).status).toBe(404);
  expect((await chat(proxy.origin, "shared")).status).toBe(200);
  await until(
    "the errors show",
    async () => (await facts(page.locator("#facts")))["Errors"] === "3",
    SHOWN_MS,
  );
}, 60_000);

test("the proxy answers 304 while nothing changes", async () => {
  await using stage = await start();
  const { engine, opened, page } = stage;
  using server = serve("llama");
  engine.emit(engine.add({ name: "llama-1", port: server.port ?? 0 }), "start");
  await row(page, "models", "llama").waitFor({ timeout: SHOWN_MS });
  const asked = opened.requests.length;
  await until(
    "it has asked three times",
    () => opened.requests.filter(({ status }) => status !== undefined).length > asked + 3,
    12_000,
  );
  const statuses = opened.requests.slice(asked + 1).map(({ status }) => status);
  expect(new Set(statuses.filter((status) => status !== undefined))).toEqual(new Set([304]));
}, 60_000);

test("the page shows a lost engine, and its return", async () => {
  await using stage = await start();
  const { engine, page } = stage;
  await untilText(page.locator("#facts"), /Docker engine connected/);
  engine.stop();
  await untilText(
    page.locator("#engine"),
    /The Docker engine cannot be reached since .*docker\.sock/,
  );
  await engine.start();
  await page.locator("#engine").waitFor({ state: "hidden", timeout: SHOWN_MS });
}, 60_000);

test("the page shows a lost proxy, and recovers with a new proxy", async () => {
  await using stage = await start();
  const { engine, page, proxy } = stage;
  using server = serve("llama");
  engine.emit(engine.add({ name: "llama-1", port: server.port ?? 0 }), "start");
  await row(page, "models", "llama").waitFor({ timeout: SHOWN_MS });
  proxy.kill("SIGKILL");
  await untilText(page.locator("#lost"), /^Lost the proxy since/);
  expect(await row(page, "models", "llama").isVisible()).toBe(true);
  await using next = await startCompiled({ env: envOf(engine), port: proxy.port });
  await untilModels(next.origin, ["llama"]);
  await untilText(page.locator("#link"), /^Live$/);
  await row(page, "models", "llama").waitFor({ timeout: SHOWN_MS });
}, 60_000);

const NASTY = [
  '<img src=x onerror="document.title=1">',
  "</script><script>document.title=1</script>",
  "x".repeat(200),
  "שלום/مرحبا",
  "a\u202Eb\u0007c",
];

test("hostile names of containers and models do no harm, and are shown correctly", async () => {
  await using stage = await start();
  const { engine, page, opened } = stage;
  await page.setViewportSize(NARROW);
  const servers = NASTY.map((name) => {
    const data = [{ id: name, object: "model" }];
    return Bun.serve({ port: 0, fetch: () => Response.json({ object: "list", data }) });
  });
  try {
    for (const [n, { port = 0 }] of servers.entries())
      engine.emit(engine.add({ name: NASTY[n] ?? "", port }), "start");
    await until(
      "all are there",
      async () => (await page.locator("#models > li").count()) === NASTY.length,
      SHOWN_MS,
    );
    await until(
      "all are routed",
      async () => (await text(page.locator("#boxes-sum"))) === `${NASTY.length} routed`,
      SHOWN_MS,
    );
    for (const button of await page.locator(".open").all()) await button.click();
    const names = await page.locator("#models h3").allTextContents();
    expect(names.toSorted()).toEqual(NASTY.with(4, String.raw`a\u202eb\u0007c`).toSorted());
    expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBe(NARROW.width);
    expect([await page.title(), opened.complaints]).toEqual(["lw-inference-proxy", []]);
  } finally {
    for (const server of servers) void server.stop(true);
  }
}, 60_000);
