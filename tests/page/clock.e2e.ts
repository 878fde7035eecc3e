/** Which clock the page uses for times, when the times stop, and when the page says Live. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { type Browser, NARROW, startBrowser } from "../support/browser/browser.ts";
import { busyStatus } from "../support/browser/busy-host.ts";
import { container, HOUR, quietStatus, timeAgo } from "../support/browser/made-up-status.ts";
import { facts, openStatus, row, text } from "../support/browser/reading.ts";
import { ScriptedProxy } from "../support/browser/scripted-proxy.ts";
import { expectNever, until } from "../support/until.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(async () => browser[Symbol.asyncDispose]());

/** A proxy that started 10 s ago, with a container that has been routed for 5 s. */
function youngStatus(): ReturnType<typeof quietStatus> {
  return quietStatus({
    started_at: timeAgo(10_000),
    uptime_seconds: 10,
    containers: [container({ name: "young", since: timeAgo(5_000) })],
  });
}

async function ages(page: Page): Promise<string> {
  const since = row(page, "boxes", "young").locator("time").first();
  return `${(await facts(page.locator("#facts")))["Up for"]}, ${await text(since)}`;
}

test("ages stop while the proxy is lost, and continue afterwards; only the time since the loss runs on", async () => {
  using shown = await openStatus(browser, youngStatus());
  const { page, proxy } = shown;
  await proxy.stop();
  await page.locator("#lost").waitFor();
  const [before, lost] = [await ages(page), await text(page.locator("#lost"))];
  await expectNever("an age changes", async () => (await ages(page)) !== before, 3_000);
  expect(await text(page.locator("#lost"))).not.toBe(lost);
  proxy.startAgain();
  await until("the ages continue", async () => (await ages(page)) !== before, 4_000);
}, 30_000);

test("setting the browser's clock changes no age", async () => {
  using proxy = new ScriptedProxy(youngStatus());
  const script =
    "const now = Date.now; globalThis.setMs = 0; Date.now = () => now() + globalThis.setMs;";
  const { page } = await browser.open(proxy.origin, {}, script);
  await page.getByText("Live", { exact: true }).waitFor();
  await page.evaluate(`setMs = ${HOUR}`);
  const asked = proxy.asked.length;
  await until("it has asked twice", () => proxy.asked.length > asked + 1, 6_000);
  expect(await ages(page)).toMatch(/^\d\d s, for \d+ s$/);
}, 30_000);

test("the next answer corrects a clock that stopped while the computer slept", async () => {
  using proxy = new ScriptedProxy(youngStatus());
  const script =
    "const now = performance.now.bind(performance); globalThis.sleptMs = 0; performance.now = () => now() - globalThis.sleptMs;";
  const { page } = await browser.open(proxy.origin, {}, script);
  await page.getByText("Live", { exact: true }).waitFor();
  await page.evaluate(`sleptMs = ${HOUR}`);
  const asked = proxy.asked.length;
  await until("it has asked", () => proxy.asked.length > asked + 1, 6_000);
  expect(proxy.asked.at(-1)?.ifNoneMatch).not.toBeNull();
  expect(await ages(page)).toMatch(/^\d\d s, for \d+ s$/);
}, 30_000);

test.each<[what: string, lie: object]>([
  ["an uptime of 1e300 s", { uptime_seconds: 1e300 }],
  ["an uptime of -1e300 s", { uptime_seconds: -1e300 }],
  ["a start in the last possible year", { started_at: "+275760-09-13T00:00:00.000Z" }],
  ["a start in the first possible year", { started_at: "-271821-04-20T00:00:00.000Z" }],
])(
  "%s breaks nothing: the page still reports a lost proxy, and recovers",
  async (_what, lie) => {
    using shown = await openStatus(browser, { ...busyStatus(), ...lie });
    const { page, proxy } = shown;
    await proxy.stop();
    await page.getByText("Lost the proxy").first().waitFor({ timeout: 4_000 });
    proxy.status = youngStatus();
    proxy.startAgain();
    await row(page, "boxes", "young").waitFor({ timeout: 5_000 });
    expect(await text(page.locator("#link"))).toBe("Live");
  },
  30_000,
);

test("the page keeps asking even if its own rendering throws", async () => {
  using proxy = new ScriptedProxy(youngStatus());
  const script =
    "const get = document.getElementById.bind(document); document.getElementById = (id) => { if (globalThis.isBroken) throw new Error('broken'); return get(id); };";
  const { page } = await browser.open(proxy.origin, {}, script);
  await page.getByText("Live", { exact: true }).waitFor();
  await page.evaluate("isBroken = true");
  const asked = proxy.asked.length;
  await until("it asks", () => proxy.asked.length > asked + 2, 9_000);
}, 30_000);

test("a page that was hidden does not say Live before the proxy has answered again", async () => {
  using proxy = new ScriptedProxy(youngStatus());
  const script =
    "let hidden = false; Object.defineProperty(document, 'hidden', { get: () => hidden }); globalThis.hide = (is) => { hidden = is; document.dispatchEvent(new Event('visibilitychange')); };";
  const { page } = await browser.open(proxy.origin, {}, script);
  await page.getByText("Live", { exact: true }).waitFor();
  await page.evaluate("hide(true)");
  const asked = proxy.asked.length;
  await expectNever("it asks", () => proxy.asked.length > asked, 3_500);
  const answer = Promise.withResolvers<void>();
  proxy.answer = async () => {
    await answer.promise;
    return Response.json(youngStatus());
  };
  await page.evaluate("hide(false)");
  expect(await text(page.locator("#link"))).toBe("Asking the proxy …");
  answer.resolve();
  await page.getByText("Live", { exact: true }).waitFor();
}, 30_000);

test("a 304 to a page without data counts as a refusal", async () => {
  using proxy = new ScriptedProxy(youngStatus());
  proxy.answer = () => new Response(null, { status: 304 });
  const { page } = await browser.open(proxy.origin);
  await page.getByText("It answers 304 to /status").waitFor();
  expect(await text(page.locator("#link"))).toBe("Refused by the proxy");
});

test("the banner for a lost proxy is visible after scrolling, covers no focus, and moves no text in view", async () => {
  using proxy = new ScriptedProxy(busyStatus());
  const { page } = await browser.open(proxy.origin, { viewport: { ...NARROW, height: 640 } });
  await page.getByText("Live", { exact: true }).waitFor();
  const button = page.getByRole("button", { name: "Details of whisper", exact: true });
  await page.evaluate("scrollTo(0, 1500)");
  const reading = page.locator("#boxes > li").nth(3).locator(".why");
  await reading.evaluate((node) => node.scrollIntoView({ block: "center" }));
  const topOf = (): Promise<number> =>
    reading.evaluate((node) => Math.round(node.getBoundingClientRect().top));
  const before = await topOf();
  await proxy.stop();
  const lost = page.locator("#lost");
  await lost.waitFor();
  const box = await lost.boundingBox();
  expect(box?.y).toBe(0);
  expect(box?.height).toBeLessThan(160);
  expect(Math.abs((await topOf()) - before)).toBeLessThan(2);
  proxy.startAgain();
  await lost.waitFor({ state: "hidden" });
  await button.evaluate((node) => {
    node.scrollIntoView({ block: "start" });
    (node as unknown as { focus: (options: object) => void }).focus({ preventScroll: true });
  });
  await proxy.stop();
  await lost.waitFor();
  const bottomOf = async (): Promise<number> => {
    const { y = 0, height = 0 } = (await lost.boundingBox()) ?? {};
    return y + height;
  };
  const top = (await button.boundingBox())?.y;
  expect(top).toBeGreaterThanOrEqual(await bottomOf());
  for (let n = 0; n < 40; n += 1) {
    await page.keyboard.press("Shift+Tab");
    const { y, isIn } = await page.evaluate<{ readonly y: number; readonly isIn: boolean }>(
      "({ y: document.activeElement.getBoundingClientRect().top, isIn: document.querySelector('main').contains(document.activeElement) })",
    );
    if (!isIn) break;
    expect(y).toBeGreaterThanOrEqual(await bottomOf());
  }
}, 30_000);
