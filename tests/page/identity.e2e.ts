/** The identity of rows when containers are renamed, recreated or reordered: names, open details and the focus. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import type { ModelServer, Status } from "../../src/status.ts";
import { type Browser, startBrowser } from "../support/browser/browser.ts";
import {
  change,
  container,
  model,
  quietStatus,
  recent,
} from "../support/browser/made-up-status.ts";
import { openStatus, row, text } from "../support/browser/reading.ts";
import { until } from "../support/until.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(async () => browser[Symbol.asyncDispose]());

const SHOWN_MS = 4_000;

function focused(page: Page): Promise<string> {
  return page.evaluate<string>("document.activeElement.textContent");
}

test("a renamed container has its new name everywhere (Compose renames when it recreates a container)", async () => {
  const id = "b".repeat(64);
  const servers = (name: string): Status =>
    quietStatus({
      containers: [container({ name, id, models: ["m"] })],
      models: [model({ id: "m", servers: [{ container: name, gets: "all" }] })],
    });
  using shown = await openStatus(browser, servers("0123456789ab_app-vllm-1"));
  const { page, proxy } = shown;
  proxy.status = servers("app-vllm-1");
  await row(page, "boxes", "app-vllm-1").waitFor({ timeout: SHOWN_MS });
  expect(await page.locator("#boxes h3").allTextContents()).toEqual(["app-vllm-1"]);
  const button = page.locator("#boxes .open");
  expect(await button.getAttribute("aria-label")).toBe("Details of app-vllm-1");
  await page.locator("#models").getByRole("link", { name: "app-vllm-1" }).click();
  expect(await text(page.locator("#boxes > li:target h3"))).toBe("app-vllm-1");
});

test("open details and the focus stay when a container is recreated under the same name", async () => {
  const old = container({ name: "whisper" });
  using shown = await openStatus(browser, quietStatus({ containers: [old] }));
  const { page, proxy } = shown;
  const button = page.getByRole("button", { name: "Details of whisper" });
  await button.press("Enter");
  const id = "e".repeat(64);
  proxy.status = quietStatus({ containers: [{ ...old, id, reason: "made anew" }] });
  await page.getByText("made anew").first().waitFor({ timeout: SHOWN_MS });
  expect(await button.getAttribute("aria-expanded")).toBe("true");
  expect(await text(page.locator("#boxes .panel"))).toContain(id);
  expect(await button.evaluate((node) => node === node.ownerDocument.activeElement)).toBe(true);
});

test("the page shows both of two containers with one name", async () => {
  const twins = ["c", "d"].map((letter) => container({ name: "twin", id: letter.repeat(64) }));
  using shown = await openStatus(browser, quietStatus({ containers: twins }));
  expect(await shown.page.locator("#boxes h3").allTextContents()).toEqual(["twin", "twin"]);
});

test("the focus stays on its element when the servers of a model, or the rows, are reordered", async () => {
  const statusOf = (names: readonly string[]): Status => {
    const servers = names.map((name): ModelServer => ({ container: name, gets: "shares" }));
    return quietStatus({
      containers: names.map((name) => container({ name })),
      models: [model({ id: `m`, servers })],
      changes: [change({ name: names.join(), state: "routed" })],
    });
  };
  using shown = await openStatus(browser, statusOf(["a", "b", "c", "d"]));
  const { page, proxy } = shown;
  await page.evaluate(
    "globalThis.blurs = 0; addEventListener('blur', () => { globalThis.blurs += 1; }, true)",
  );
  const link = page.locator("#models").getByRole("link", { name: "c", exact: true });
  const button = page.getByRole("button", { name: "Details of b" });
  for (const [target, letter] of [
    [link, "c"],
    [button, ""],
  ] as const) {
    await target.focus();
    await page.evaluate("globalThis.blurs = 0");
    for (const order of ["dcba", "cabd", "abdc", "bxca", "abcd"]) {
      proxy.status = statusOf([...order]);
      await page
        .locator("#timeline")
        .getByText([...order].join())
        .waitFor({ timeout: SHOWN_MS });
      expect(await page.locator("#boxes h3").allTextContents()).toEqual([...order]);
      expect(await page.locator("#models .servers a:visible").allTextContents()).toEqual([
        ...order,
      ]);
      expect(await focused(page)).toBe(letter);
    }
    expect(await page.evaluate<number>("blurs")).toBe(0); // after a blur a screen reader would announce the element again
  }
}, 60_000);

test("the page keeps showing the same 100 of many models while requests come and go", async () => {
  const ids = Array.from({ length: 300 }, (_, n) => `m-${n}`);
  const statusOf = (round: number): Status =>
    quietStatus({
      in_flight: round,
      models: ids.map((id, n) =>
        model({
          id,
          in_flight: (n * 7 + round) % 10,
          waiting: (n + round) % 3,
          recent: recent([100 + ((n * 13 + round * 29) % 17)]),
        }),
      ),
    });
  using shown = await openStatus(browser, statusOf(0));
  const { page, proxy } = shown;
  const names = page.locator("#models h3");
  const first = await names.allTextContents();
  expect(first).toHaveLength(100);
  for (const round of [1, 2, 3]) {
    proxy.status = statusOf(round);
    await until(
      "it is shown",
      async () => (await text(page.locator("#facts dd").nth(2))) === String(round),
      SHOWN_MS,
    );
    expect(await names.allTextContents()).toEqual(first);
  }
}, 30_000);
