/** Details: how the page shows names, numbers and requests to copy, and its messages. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Browser, NARROW, startBrowser } from "../support/browser/browser.ts";
import { busyStatus } from "../support/browser/busy-host.ts";
import {
  change,
  container,
  model,
  quietStatus,
  recent,
  waves,
} from "../support/browser/made-up-status.ts";
import { facts, openStatus, row, text } from "../support/browser/reading.ts";
import { ScriptedProxy } from "../support/browser/scripted-proxy.ts";
import { until } from "../support/until.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(async () => browser[Symbol.asyncDispose]());

test.each([
  { failed: 7, p50: 620, tokens: 50, shows: ["50 tokens/s", "620 ms / 6.2 s"] },
  { failed: 1_234, p50: 1_900, tokens: 99.9, shows: ["100 tokens/s", "1.9 s / 19 s"] },
  { failed: 12_000, p50: 61_000, tokens: 234.5, shows: ["235 tokens/s", "1 min / 10 min"] },
  { failed: 99_999, p50: 4_000_000, tokens: 1_234.5, shows: ["1,235 tokens/s", "1 h / 11 h"] },
])(
  "no number wraps or overflows: $failed errors, $p50 ms to the first chunk, $tokens tokens a second",
  async ({ failed, p50, tokens, shows: [speed, first] }) => {
    const numbers = recent(waves(1, 9_000), {
      failed,
      errors: { backend_unreachable: failed },
      first_chunk_ms: { p50, p95: p50 * 10 },
      tokens_per_second: tokens,
    });
    using shown = await openStatus(
      browser,
      quietStatus({
        in_flight: 99_999,
        recent: numbers,
        models: [model({ id: "m", in_flight: 99_999, waiting: 9_999, recent: numbers })],
        containers: [container({ name: "c", in_flight: 999, max_in_flight: 1_000, load: 1_234.5 })],
      }),
    );
    const { page } = shown;
    expect(await facts(row(page, "models", "m").locator("dl"))).toMatchObject({
      Speed: speed,
      "First chunk p50 / p95": first,
    });
    await page.locator("#models .open").click();
    for (const width of [NARROW.width, 768, 1_150, 1_499, 1_600]) {
      await page.setViewportSize({ width, height: 800 });
      const broken = await page.evaluate<readonly string[]>(`
        [...document.querySelectorAll("#models dd, #models td, #boxes .numbers dd, #facts > :not(.engine) dd")].filter((value) => {
          const range = document.createRange();
          range.selectNodeContents(value);
          const [box, inner] = [value.getBoundingClientRect(), range.getBoundingClientRect()];
          return value.checkVisibility() && (inner.height > 30 || inner.width > box.width + 1);
        }).map((value) => value.textContent)`);
      expect([width, broken]).toEqual([width, []]);
    }
  },
);

test("a speed below 10 has one decimal", async () => {
  const slow = model({ id: "m", recent: recent([1], { pieces_per_second: 9.44 }) });
  using shown = await openStatus(browser, quietStatus({ models: [slow] }));
  const list = row(shown.page, "models", "m").locator("dl");
  expect((await facts(list))["Speed"]).toBe("9.4 pieces/s");
});

test("a last exit without a known time does not end in a comma", async () => {
  const last_exit = { reason: "exited with code 1", at: null };
  using shown = await openStatus(
    browser,
    quietStatus({ containers: [container({ name: "c", last_exit })] }),
  );
  const end = shown.page.locator("#boxes .why > p").last();
  expect(await text(end)).toBe("last exit: it exited with code 1");
});

const EMBEDDING = ["BAAI/bge-m3", "nomic-embed-text:latest", "intfloat/multilingual-e5-large"];
const CHATTING = ["BAAI/bge-reranker-v2-m3", "google/gemma-3", "e5m2-model", "agte"];

test("the sample request for an embedding model asks for embeddings; all others, also rerankers, for a chat", async () => {
  const ids = [...EMBEDDING, "thenlper/gte-base", ...CHATTING];
  using shown = await openStatus(browser, quietStatus({ models: ids.map((id) => model({ id })) }));
  for (const id of ids) {
    const opened = row(shown.page, "models", id);
    await opened.locator(".open").click();
    const [curl = "", python = ""] = await opened.locator("pre").allTextContents();
    const embeds = !CHATTING.includes(id);
    expect(curl.includes("/v1/embeddings'")).toBe(embeds);
    expect(curl.includes("/v1/chat/completions'")).toBe(!embeds);
    expect(curl).toContain(embeds ? `-d '{"model": "${id}", "input": "Hello"}'` : '"messages"');
    expect(python).toContain(embeds ? "client.embeddings.create(" : "client.chat.completions");
  }
});

test("the quoted body of the curl command contains no quote and no pair of backslashes", async () => {
  const id = "it's a \\ and a '\\''";
  using shown = await openStatus(browser, quietStatus({ models: [model({ id })] }));
  await shown.page.locator("#models .open").click();
  const curl = await shown.page.locator("#models pre").first().textContent();
  const [, body = ""] = / -d '(.*)'$/.exec(curl ?? "") ?? [];
  expect(body).not.toMatch(/'|\\\\/);
  expect(JSON.parse(body)).toMatchObject({ model: id });
});

test("the page shows invisible characters in names, and names of blanks only", async () => {
  const ids = ["gpt", "gpt\u200b", "g\u00adpt", "\u200b\u2060", "", "  ", "\u00a0", "gpt\u{e0041}"];
  const seen = ["gpt", "gpt\\u200b", "g\\u00adpt", "\\u200b\\u2060", '""'];
  const more = ["\\u0020\\u0020", "\\u00a0", "gpt\\udb40\\udc41"];
  using shown = await openStatus(
    browser,
    quietStatus({
      models: ids.map((id) => model({ id, servers: [{ container: id, gets: "all" }] })),
      containers: ids.map((name) => container({ name, reason: "" })),
      changes: ids.map((name) => change({ name, state: "routed" })),
    }),
  );
  for (const list of ["#models h3", "#models .servers bdi", "#boxes h3", "#timeline strong"]) {
    const names = await shown.page.locator(list).allTextContents();
    expect(names).toEqual([...seen, ...more]);
  }
});

test("screen readers hear a repeated message again", async () => {
  using shown = await openStatus(browser, quietStatus({ models: [model({ id: "m" })] }));
  const { page } = shown;
  await page.locator("#models .open").click();
  await page.evaluate(
    "globalThis.told = 0; new MutationObserver(() => { globalThis.told += 1; }).observe(document.getElementById('said'), { childList: true, characterData: true, subtree: true })",
  );
  for (const times of [1, 2, 3]) {
    await page.locator("#models .sample button").first().click();
    await until("it is announced", async () => (await page.evaluate<number>("told")) === times);
    expect(await text(page.locator("#said"))).toBe("Copied");
  }
});

test("without JavaScript the page says that it needs it, names the command, and does not say Asking", async () => {
  using proxy = new ScriptedProxy(busyStatus());
  const { page } = await browser.open(proxy.origin, { javaScriptEnabled: false });
  const note = page.locator("noscript p");
  expect(await text(note)).toStartWith(
    "This page needs JavaScript. lw-inference-proxy status shows",
  );
  expect((await note.boundingBox())?.y).toBeLessThan(150);
  expect(await page.getByText("Asking the proxy").count()).toBe(0);
});

test("huge numbers draw a graph without an error", async () => {
  using proxy = new ScriptedProxy(
    quietStatus({ models: [model({ id: "m", recent: recent([1e308, 1, 1e308]) })] }),
  );
  const { page, complaints } = await browser.open(proxy.origin);
  await row(page, "models", "m").waitFor();
  expect(complaints).toEqual([]);
});

test.each<[body: string, words: string]>([
  ["[]", "Field status is missing or wrong. If the proxy was updated, reload this page."],
  ["{}", "Field status.version is missing or wrong."],
  [JSON.stringify({ ...busyStatus(), engine: 5 }), "Field engine is missing or wrong."],
  ["<h1>", "It is not JSON."],
])("the page explains an answer that it cannot read: %#", async (body, words) => {
  using proxy = new ScriptedProxy(null);
  proxy.answer = () => new Response(body);
  const { page } = await browser.open(proxy.origin);
  await page.locator("#lost").getByText(words).waitFor();
});
