/** The parts of the page that stay unchanged during updates; copying; many models. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Browser, NARROW, startBrowser } from "../support/browser/browser.ts";
import {
  change,
  container,
  model,
  quietStatus,
  recent,
} from "../support/browser/made-up-status.ts";
import { row, text } from "../support/browser/reading.ts";
import { ScriptedProxy } from "../support/browser/scripted-proxy.ts";
import { until } from "../support/until.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(async () => browser[Symbol.asyncDispose]());

const NAMES = Array.from({ length: 40 }, (_, n) => `model-${String(n).padStart(2, "0")}`);

/** @param round a new round changes every number */
function statusOf(round: number, names: readonly string[] = NAMES): unknown {
  return quietStatus({
    in_flight: round,
    models: names.map((id) => model({ id, in_flight: round, recent: recent([round, 2 * round]) })),
    containers: names.map((name) =>
      container({ name, in_flight: round, reason: `round ${round}` }),
    ),
    changes: [change({ name: `change-${round}`, state: "routed" })],
  });
}

test("focus, open details, scroll position and selection survive updates and changing rows", async () => {
  using proxy = new ScriptedProxy(statusOf(1));
  const { page } = await browser.open(proxy.origin, { viewport: NARROW });
  const opened = row(page, "models", "model-05");
  const button = opened.getByRole("button", { name: "Details of model-05" });
  await button.press("Enter");
  const copy = opened.getByRole("button", { name: "Copy the request for curl" });
  await copy.focus();
  await page.evaluate(
    "getSelection().selectAllChildren(document.querySelectorAll('#models h3')[4])",
  );
  const nodes = await opened.elementHandle();
  for (const [round, names] of [
    [2, NAMES],
    [3, ["model-00-b", ...NAMES, "z"]],
    [4, NAMES.slice(2)],
  ] as const) {
    const topBefore = await copy.evaluate((node) => node.getBoundingClientRect().top);
    proxy.status = statusOf(round, names);
    await until(
      "it is shown",
      async () => (await text(opened)).includes(`In flight ${round}`),
      5_000,
    );
    expect(await copy.evaluate((node) => node === node.ownerDocument.activeElement)).toBe(true);
    expect(await button.getAttribute("aria-expanded")).toBe("true");
    expect(await opened.locator(".panel").isVisible()).toBe(true);
    expect(await page.evaluate<string>("getSelection().toString()")).toBe("model-04");
    expect(await opened.evaluate((node, before) => node === before, nodes)).toBe(true);
    const topAfter = await copy.evaluate((node) => node.getBoundingClientRect().top);
    expect(Math.abs(topAfter - topBefore)).toBeLessThan(2); // the text in view does not move
    expect(await text(opened.locator("table"))).toContain(`All ${3 * round}`); // the details update too
  }
}, 30_000);

test("the focus moves to the main part if its row disappears", async () => {
  using proxy = new ScriptedProxy(statusOf(1));
  const { page } = await browser.open(proxy.origin);
  await row(page, "models", "model-05").locator(".open").focus();
  proxy.status = statusOf(2, ["other"]);
  await row(page, "models", "other").waitFor();
  expect(await page.evaluate<string>("document.activeElement.id")).toBe("main");
});

/** The text of the clipboard, read by pasting it. */
async function pasted(page: import("playwright-core").Page): Promise<string> {
  await page.evaluate(
    "document.body.append(Object.assign(document.createElement('textarea'), { id: 'paste' }))",
  );
  await page.locator("#paste").focus();
  await page.keyboard.press("Control+V");
  return page.locator("#paste").inputValue();
}

test("a request can be copied; the page confirms it, and the clipboard has the shown text", async () => {
  using proxy = new ScriptedProxy(statusOf(1));
  const { page } = await browser.open(proxy.origin, {
    permissions: ["clipboard-read", "clipboard-write"],
  });
  const opened = row(page, "models", "model-05");
  await opened.locator(".open").click();
  const copy = opened.getByRole("button", { name: "Copy the request for curl" });
  await copy.click();
  await page.getByText("Copied").first().waitFor();
  expect(await page.locator("#said").textContent()).toBe("Copied");
  const shown = await opened.locator("pre").first().textContent();
  expect(await pasted(page)).toBe(shown ?? "");
  expect(shown).toContain(`${proxy.origin}/v1/chat/completions`);
});

test.each<[what: string, script: string, can: boolean]>([
  ["there is no clipboard API, as over plain HTTP", "", true],
  ["the browser cannot copy at all", "document.execCommand = () => false;", false],
])("a request can be copied if %s", async (_what, script, can) => {
  using proxy = new ScriptedProxy(statusOf(1));
  const noClipboard = 'Object.defineProperty(navigator, "clipboard", { value: undefined });';
  const { page, complaints } = await browser.open(proxy.origin, {}, noClipboard + script);
  const opened = row(page, "models", "model-05");
  await opened.locator(".open").click();
  await opened.getByRole("button", { name: "Copy the request for OpenAI SDK for Python" }).click();
  const said = can ? "Copied" : "The request is selected: press Ctrl+C to copy it";
  await until("it is said", async () => (await page.locator("#said").textContent()) === said);
  if (!can) await page.keyboard.press("Control+C");
  expect(await pasted(page)).toBe((await opened.locator("pre").last().textContent()) ?? "");
  expect(complaints).toEqual([]);
});

test("of 1,000 models the page shows the 100 busiest, and all on request; it stays responsive", async () => {
  const ids = Array.from({ length: 1_000 }, (_, n) => `m-${String(n).padStart(4, "0")}`);
  const models = ids.map((id, n) => model({ id, in_flight: n % 10, recent: recent([n]) }));
  using proxy = new ScriptedProxy(quietStatus({ models }));
  const { page } = await browser.open(proxy.origin);
  const rows = page.locator("#models > li");
  await page.getByText("100 of 1,000 models, the busiest.").waitFor();
  expect(await rows.count()).toBe(100);
  expect(await rows.first().locator("h3").textContent()).toBe("m-0900");
  expect(await rows.last().locator("h3").textContent()).toBe("m-0999");
  await rows.first().locator(".open").click();
  proxy.status = quietStatus({
    models: models.map((one, n) => ({ ...one, recent: recent([1_000 - n]) })),
  });
  await row(page, "models", "m-0008").waitFor({ timeout: 5_000 });
  expect(await row(page, "models", "m-0900").isVisible()).toBe(true); // it is open
  await page.getByRole("button", { name: "Show all" }).click();
  expect(await rows.count()).toBe(1_000);
  // The longest time in which the page did not react to keys, during three updates of all rows.
  await page.evaluate(
    "globalThis.longest = 0; new PerformanceObserver((list) => { for (const { duration } of list.getEntries()) longest = Math.max(longest, duration); }).observe({ type: 'longtask' })",
  );
  for (const round of [1, 2, 3]) {
    const asked = proxy.asked.length;
    proxy.status = quietStatus({ models: models.map((one) => ({ ...one, in_flight: round })) });
    await until("it has asked twice", () => proxy.asked.length > asked + 1, 10_000);
  }
  expect(await page.evaluate<number>("longest")).toBeLessThan(1_000);
}, 60_000);
