/**
 * How the page looks: it breaks no rule of axe-core, in light and dark, narrow and wide, and never scrolls sideways.
 * If SCREENSHOTS names a folder, each case saves a screenshot there. Look at them after you change the page.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { violations } from "../support/browser/axe.ts";
import { type Browser, NARROW, startBrowser, WIDE } from "../support/browser/browser.ts";
import { busyStatus } from "../support/browser/busy-host.ts";
import { quietStatus, timeAgo } from "../support/browser/made-up-status.ts";
import { ScriptedProxy } from "../support/browser/scripted-proxy.ts";
import { smallPng } from "../support/browser/small-png.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(async () => browser[Symbol.asyncDispose]());

const SCREENSHOTS = process.env["SCREENSHOTS"];

/** Includes the widths at which rows become columns, and at which the timeline moves beside them. */
const WIDTHS = [NARROW.width, 768, 1_150, 1_499, WIDE.width, 2_560];

async function openAll(page: Page): Promise<void> {
  await page.getByText("Live", { exact: true }).waitFor();
  for (const button of await page.locator(".open").all()) await button.click();
}

async function keep(page: Page, name: string): Promise<void> {
  if (SCREENSHOTS === undefined) return;
  const png = smallPng(await page.screenshot({ fullPage: true }));
  await Bun.write(join(SCREENSHOTS, `${name}.png`), png);
}

describe.each(["light", "dark"] as const)("%s", (colorScheme) => {
  test.each([NARROW, WIDE])("breaks no rule at $width px", async (viewport) => {
    using proxy = new ScriptedProxy(busyStatus());
    const { page, complaints } = await browser.open(proxy.origin, { viewport, colorScheme });
    await page.getByText("Live", { exact: true }).waitFor();
    await keep(page, `${colorScheme}-${viewport.width}`);
    expect(await violations(page)).toEqual([]);
    await openAll(page);
    await keep(page, `${colorScheme}-${viewport.width}-open`);
    expect(await violations(page)).toEqual([]);
    expect(complaints).toEqual([]);
  });

  test.each([NARROW, WIDE])(
    "breaks no rule at $width px when engine and proxy are lost",
    async (viewport) => {
      const engine = { ...quietStatus().engine, state: "lost" as const, since: timeAgo(65_000) };
      using proxy = new ScriptedProxy(
        busyStatus({ engine: { ...engine, reason: "connect ENOENT" } }),
      );
      const { page } = await browser.open(proxy.origin, { viewport, colorScheme });
      await page.getByText("Live", { exact: true }).waitFor();
      await proxy.stop();
      await page.locator("#lost").waitFor();
      await keep(page, `${colorScheme}-${viewport.width}-lost`);
      expect(await violations(page)).toEqual([]);
    },
  );
});

test("breaks no rule when there is nothing to show", async () => {
  using proxy = new ScriptedProxy(quietStatus());
  const { page } = await browser.open(proxy.origin);
  await page.getByText("Live", { exact: true }).waitFor();
  expect(await violations(page)).toEqual([]);
});

test("never scrolls sideways at any width, and has a heading for each part", async () => {
  using proxy = new ScriptedProxy(busyStatus());
  const { page } = await browser.open(proxy.origin);
  await openAll(page);
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 800 });
    expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBe(width);
  }
  const headings = await page.locator("h2:visible").allTextContents();
  expect(headings).toEqual(["Models", "Containers", "Recent changes"]);
  for (const name of headings) expect(await page.getByRole("region", { name }).count()).toBe(1);
});

test("on a wide page, headings stand exactly above their columns", async () => {
  using proxy = new ScriptedProxy(busyStatus());
  const { page } = await browser.open(proxy.origin);
  await page.getByText("Live", { exact: true }).waitFor();
  for (const width of [1_150, WIDE.width]) {
    await page.setViewportSize({ width, height: 800 });
    for (const list of ["models", "boxes"]) {
      const card = page.locator(".card").filter({ has: page.locator(`#${list}`) });
      const headings = await card.locator(".cols .numbers > *").all();
      const values = await page.locator(`#${list} > li`).first().locator("dl > div").all();
      expect(values).toHaveLength(headings.length);
      for (const [n, heading] of headings.entries()) {
        const [above, below] = await Promise.all([heading.boundingBox(), values[n]?.boundingBox()]);
        expect([above?.x, above?.width]).toEqual([below?.x, below?.width]);
      }
    }
  }
});

test("the keyboard reaches and operates everything, and the focus is visible", async () => {
  using proxy = new ScriptedProxy(busyStatus());
  const { page } = await browser.open(proxy.origin);
  await page.getByText("Live", { exact: true }).waitFor();
  await page.keyboard.press("Tab");
  expect(await page.evaluate<string>("document.activeElement.textContent")).toBe(
    "Skip to the models",
  );
  expect(await page.locator(".skip").boundingBox()).toMatchObject({ x: 16 });
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  expect(await page.evaluate<string>("document.activeElement.getAttribute('aria-label')")).toBe(
    "Details of BAAI/bge-m3",
  );
  expect(await page.evaluate<string>("getComputedStyle(document.activeElement).outlineStyle")).toBe(
    "solid",
  );
  await page.keyboard.press("Space");
  await page.getByRole("button", { name: "Copy the request for curl" }).waitFor();
});
