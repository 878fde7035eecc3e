/** How the page shows changes: the timeline, a lost engine, announcements, and running times. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Status } from "../../src/status.ts";
import { type Browser, startBrowser } from "../support/browser/browser.ts";
import { busyStatus } from "../support/browser/busy-host.ts";
import {
  change,
  container,
  HOUR,
  quietStatus,
  timeAgo,
} from "../support/browser/made-up-status.ts";
import { facts, openStatus, row, type ShownPage, text } from "../support/browser/reading.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(async () => browser[Symbol.asyncDispose]());

const open = (status: Status): Promise<ShownPage> => openStatus(browser, status);

test("the timeline shows changes, the latest first, and how often the same change came", async () => {
  const changes = Array.from({ length: 100 }, (_, n) =>
    change({ name: `c-${n}`, state: "routed", at: timeAgo(n * 1_000) }),
  );
  using shown = await open(
    quietStatus({ changes: [{ ...changes[0]!, times: 5, reason: "again" }, ...changes.slice(1)] }),
  );
  const { page } = shown;
  const items = page.locator("#timeline > li");
  expect(await text(items.first())).toMatch(/^\d s ago c-0 routed 5 times again$/);
  expect(await items.count()).toBe(20);
  await page.getByText("20 of 100 changes.").waitFor();
  await page.getByRole("button", { name: "Show all" }).click();
  expect(await items.count()).toBe(100);
  expect(await text(items.last())).toContain("c-99");
  await page.getByRole("button", { name: "Show fewer" }).click();
  expect(await items.count()).toBe(20);
});

test("a lost engine: a banner shows the reason and the time since the loss", async () => {
  const engine = { ...quietStatus().engine, state: "lost" as const, since: timeAgo(65_000) };
  using shown = await open(
    quietStatus({ engine: { ...engine, reason: "connect ENOENT; is the engine running?" } }),
  );
  const { page, proxy } = shown;
  expect(await text(page.locator("#engine"))).toMatch(
    /^The Docker engine cannot be reached since .*, for 1 min\. connect ENOENT; is the engine running\?$/,
  );
  expect(await page.title()).toBe("⚠ lw-inference-proxy");
  proxy.status = quietStatus();
  await page.locator("#engine").waitFor({ state: "hidden" });
  expect(await text(page.locator("#said"))).toBe("The Docker engine is connected");
});

test("screen readers hear each new change once, and no old changes", async () => {
  using shown = await open(busyStatus());
  const { page, proxy } = shown;
  const said = page.getByRole("status").last();
  expect(await said.textContent()).toBe("");
  const { changes } = busyStatus();
  proxy.status = busyStatus({
    changes: [change({ name: "whisper", state: "reading_models", at: timeAgo(0) }), ...changes],
  });
  await page.getByText("whisper: reading models").waitFor({ state: "attached" });
  expect(await page.locator("[aria-live]").count()).toBe(0); // role=status is a polite live region already
});

test("the page says what /status has left out", async () => {
  using shown = await open(
    busyStatus({ left_out: { containers: 12, services: 2, models: 1, changes: 3, details: true } }),
  );
  for (const words of [
    "12 containers left out",
    "1 model left out",
    "3 changes left out",
    "some rows lack details",
  ])
    await shown.page.getByText(words).waitFor();
});

test("the page says that there is nothing to show, and that the engine has not answered yet", async () => {
  using shown = await open(quietStatus());
  const { page, proxy } = shown;
  for (const words of ["No models yet", "No container has an inference", "Nothing has changed yet"])
    await page.getByText(words).waitFor();
  proxy.status = quietStatus({
    ready: false,
    engine: { ...quietStatus().engine, state: "connecting", api_version: null },
  });
  await page.getByText("The engine has not reported a container yet").waitFor();
  await page.getByText("The Docker engine has not answered yet").first().waitFor();
  expect((await facts(page.locator("#facts")))["State"]).toBe("not ready yet");
});

test("relative times run between answers, by the proxy's clock and not the browser's", async () => {
  const aheadMs = 5 * HOUR;
  const started = new Date(Date.now() + aheadMs - 90_000).toISOString();
  using shown = await open(
    quietStatus({
      started_at: started,
      uptime_seconds: 90,
      containers: [
        container({ name: "new", since: new Date(Date.now() + aheadMs - 5_000).toISOString() }),
      ],
    }),
  );
  const since = row(shown.page, "boxes", "new").locator("time").first();
  const first = Number(/for\s(\d+)\ss/.exec((await since.textContent()) ?? "")?.[1]);
  expect(first).toBeWithin(4, 9);
  await shown.page
    .getByText(new RegExp(`for\\s${first + 2}\\ss`))
    .first()
    .waitFor();
});
