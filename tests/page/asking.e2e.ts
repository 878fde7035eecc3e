/** When the page asks for `/status`, and what it shows if it gets no answer or an unreadable one. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Browser, startBrowser } from "../support/browser/browser.ts";
import { busyStatus } from "../support/browser/busy-host.ts";
import { container, quietStatus } from "../support/browser/made-up-status.ts";
import { ScriptedProxy } from "../support/browser/scripted-proxy.ts";
import { expectNever, until } from "../support/until.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(async () => browser[Symbol.asyncDispose]());

const ONE = quietStatus({ containers: [container({ name: "vllm-1" })] });
const TWO = quietStatus({ containers: [container({ name: "vllm-2" })] });

/** Lets the test set `document.hidden`: a headless browser never hides a page. */
const CAN_HIDE = `
  let hidden = false;
  Object.defineProperty(document, "hidden", { get: () => hidden });
  globalThis.hide = (isHidden) => {
    hidden = isHidden;
    document.dispatchEvent(new Event("visibilitychange"));
  };`;

test("the page asks every 2 s, and gets 304 while nothing has changed", async () => {
  using proxy = new ScriptedProxy(ONE);
  const { page, requests, complaints } = await browser.open(proxy.origin);
  await page.getByRole("heading", { name: "vllm-1" }).waitFor();
  await until("it has asked four times", () => proxy.asked.length >= 4, 10_000);
  const gaps = proxy.asked.slice(1).map(({ atMs }, n) => atMs - (proxy.asked[n]?.atMs ?? 0));
  for (const gap of gaps) expect(gap).toBeWithin(1_800, 3_000);
  const asked = requests.filter(({ path }) => path === "/status");
  expect(asked.slice(0, 3).map(({ status }) => status)).toEqual([200, 304, 304]);
  expect(asked[0]?.ifNoneMatch).toBeUndefined();
  expect(asked[1]?.ifNoneMatch).toStartWith('W/"');
  proxy.status = TWO;
  await page.getByRole("heading", { name: "vllm-2" }).waitFor({ timeout: 3_000 });
  await until(
    "its ETag is used",
    () => asked[1]?.ifNoneMatch !== proxy.asked.at(-1)?.ifNoneMatch,
    5_000,
  );
  expect([...new Set(requests.map(({ path }) => path))]).toEqual(["/", "/status"]);
  expect([complaints, proxy.others]).toEqual([[], []]);
}, 30_000);

test("the page does not ask while it is hidden, and asks at once when it is visible again", async () => {
  using proxy = new ScriptedProxy(ONE);
  const { page } = await browser.open(proxy.origin, {}, CAN_HIDE);
  await page.getByRole("heading", { name: "vllm-1" }).waitFor();
  await page.evaluate("hide(true)");
  proxy.status = TWO;
  const before = proxy.asked.length;
  await expectNever("it asks", () => proxy.asked.length > before, 5_000);
  await page.evaluate("hide(false)");
  await until("it asks", () => proxy.asked.length > before, 500);
  await page.getByRole("heading", { name: "vllm-2" }).waitFor({ timeout: 1_000 });
}, 30_000);

test("if the proxy is lost, the page says so and since when, keeps its last data, and recovers", async () => {
  using proxy = new ScriptedProxy(ONE);
  const { page } = await browser.open(proxy.origin);
  await page.getByRole("heading", { name: "vllm-1" }).waitFor();
  const link = page.locator("#link-text");
  expect(await link.textContent()).toBe("Live");
  await proxy.stop();
  await page
    .getByText(/Lost the proxy since \d+:\d\d:\d\d.* for \d+\ss\. It cannot be reached/)
    .waitFor({ timeout: 4_000 });
  expect(await link.textContent()).toBe("Lost the proxy");
  expect(await page.title()).toBe("⚠ lw-inference-proxy");
  expect(await page.locator("main").getAttribute("class")).toBe("stale");
  expect(await page.getByRole("heading", { name: "vllm-1" }).isVisible()).toBe(true);
  proxy.status = TWO;
  proxy.startAgain();
  await page.getByRole("heading", { name: "vllm-2" }).waitFor({ timeout: 5_000 });
  expect(await link.textContent()).toBe("Live");
  expect(await page.locator("#lost").isVisible()).toBe(false);
  expect([await page.title(), await page.locator("main").getAttribute("class")]).toEqual([
    "lw-inference-proxy",
    "",
  ]);
}, 30_000);

test("the page sends one request at a time, and gives up on an answer after 5 s", async () => {
  using proxy = new ScriptedProxy(ONE);
  const { page } = await browser.open(proxy.origin);
  await page.getByRole("heading", { name: "vllm-1" }).waitFor();
  const silence = Promise.withResolvers<void>();
  proxy.answer = () => silence.promise.then(() => new Response());
  await page.getByText("no answer within 5 s").waitFor({ timeout: 9_000 });
  expect(proxy.openMost).toBe(1);
  silence.resolve();
  proxy.answer = undefined;
  await page.getByText("Live", { exact: true }).waitFor({ timeout: 8_000 });
}, 30_000);

test("the page also gives up on an answer whose body never ends", async () => {
  using proxy = new ScriptedProxy(ONE);
  const { page } = await browser.open(proxy.origin);
  await page.getByRole("heading", { name: "vllm-1" }).waitFor();
  proxy.answer = () => new Response(new ReadableStream({ start: (c) => c.enqueue("{") }));
  await page.getByText("no answer within 5 s").waitFor({ timeout: 9_000 });
  proxy.answer = undefined;
  await page.getByText("Live", { exact: true }).waitFor({ timeout: 8_000 });
}, 30_000);

const FULL = busyStatus();

test.each<[what: string, body: unknown]>([
  ["no JSON", "<h1>hello</h1>"],
  ["nothing", ""],
  ["null", null],
  ["a list", []],
  ["another object", {}],
  ["no engine", { ...FULL, engine: undefined }],
  ["an engine of another type", { ...FULL, engine: [] }],
  ["containers that are not a list", { ...FULL, containers: {} }],
  ["a container that is null", { ...FULL, containers: [null] }],
  ["a container without a name", { ...FULL, containers: [{ ...FULL.containers[0], name: 7 }] }],
  [
    "a container whose models are numbers",
    { ...FULL, containers: [{ ...FULL.containers[0], models: [1] }] },
  ],
  ["a model without servers", { ...FULL, models: [{ id: "x" }] }],
  ["a server that is a text", { ...FULL, models: [{ id: "x", servers: ["y"] }] }],
  ["changes without a time", { ...FULL, changes: [{ ...FULL.changes[0], at: null }] }],
  ["too much", `${" ".repeat(5 * 1024 * 1024)}{}`],
  ["something very deep", `${"[".repeat(100_000)}${"]".repeat(100_000)}`],
])(
  "%s instead of a status: the page says so, keeps its last data, and keeps asking",
  async (_what, body) => {
    using proxy = new ScriptedProxy(ONE);
    const { page, complaints } = await browser.open(proxy.origin);
    await page.getByRole("heading", { name: "vllm-1" }).waitFor();
    const text = typeof body === "string" ? body : JSON.stringify(body);
    proxy.answer = () => new Response(text, { headers: { etag: '"x"' } });
    await page
      .locator("#lost")
      .getByText(/Cannot read the proxy's answer|Lost the proxy/)
      .waitFor({ timeout: 4_000 });
    expect(await page.getByRole("heading", { name: "vllm-1" }).isVisible()).toBe(true);
    proxy.answer = undefined;
    await page.getByText("Live", { exact: true }).waitFor({ timeout: 5_000 });
    expect(proxy.asked.at(-1)?.ifNoneMatch).toBeNull(); // it does not use the ETag of an unreadable answer
    expect(complaints).toEqual([]);
  },
  20_000,
);

test("the page shows the status of a refusal", async () => {
  using proxy = new ScriptedProxy(ONE);
  proxy.answer = () => Response.json({ error: {} }, { status: 404 });
  const { page } = await browser.open(proxy.origin);
  await page.getByText("Refused by the proxy").first().waitFor();
  await page.getByText("It answers 404 to /status").waitFor();
});

/** Values that a newer proxy may send, and invalid ones. The page must still show everything else. */
const ODD = {
  ...FULL,
  uptime_seconds: "long",
  ready: 1,
  in_flight: 1e308,
  started_at: "yesterday",
  recent: { last_5_minutes: 5, last_hour: null, requests_per_10_seconds: "many" },
  left_out: null,
  containers: [
    {
      ...container({ name: "odd" }),
      state: "__proto__",
      in_flight: -1,
      max_in_flight: "x",
      load: {},
      last_exit: {},
      recent: [],
    },
    {
      ...container({ name: "odder" }),
      since: "?",
      state: "melting",
      in_flight: 1e9,
      requests_last_minute: 7,
    },
  ],
  models: [
    {
      id: "__proto__",
      servers: [{ container: "constructor", gets: "toString" }],
      waiting: 1e9,
      in_flight: null,
    },
    {
      id: "constructor",
      servers: [],
      recent: {
        last_5_minutes: {
          requests: 1e9,
          statuses: { __proto__: 4, "2xx": "x" },
          errors: [1, 2],
          first_chunk_ms: 5,
        },
        requests_per_10_seconds: [1e9, -5, null, "x", 1e308, ...new Array(500).fill(3)],
      },
    },
  ],
  changes: [{ at: "never", name: "", state: "", reason: "", times: "x" }],
};

test("odd values in single fields are shown as empty, and break nothing", async () => {
  using proxy = new ScriptedProxy(ODD);
  const { page, complaints } = await browser.open(proxy.origin);
  await page.getByRole("heading", { name: "odder" }).waitFor();
  await page.getByText("Live", { exact: true }).waitFor();
  for (const open of await page.locator(".open").all()) await open.click();
  await page.getByText("1B", { exact: true }).first().waitFor();
  expect(await page.locator("#models > li").count()).toBe(2);
  const width = await page.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
  expect(width).toBe(0);
  expect(complaints).toEqual([]);
});
