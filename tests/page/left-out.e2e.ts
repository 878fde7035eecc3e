/** How the page shows numbers that /status left out, and which errors it counts. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Browser, startBrowser } from "../support/browser/browser.ts";
import { container, model, quietStatus, recent } from "../support/browser/made-up-status.ts";
import { facts, openStatus, row, text, texts } from "../support/browser/reading.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(async () => browser[Symbol.asyncDispose]());

const GONE = recent([10], { failed: 2, errors: { client_gone: 5, backend_unreachable: 1 } });

test("errors count failed requests, not requests whose client left; the details list them by code", async () => {
  using shown = await openStatus(
    browser,
    quietStatus({ recent: GONE, models: [model({ id: "m", recent: GONE })] }),
  );
  const { page } = shown;
  expect((await facts(page.locator("#facts")))["Errors"]).toBe("2");
  const opened = row(page, "models", "m");
  expect((await facts(opened.locator("dl")))["Errors"]).toBe("2");
  await opened.locator(".open").click();
  expect(await texts(opened.locator("table tr"))).toContain("Error client_gone 5 5");
});

const LEFT_OUT = { containers: 0, services: 0, models: 1_048, changes: 0, details: true };

test("left-out numbers are not shown as 0 and have no graph; a model without requests shows 0", async () => {
  const models = [model({ id: "given", recent: GONE }), model({ id: "null" })];
  const containers = [container({ name: "box" })];
  using shown = await openStatus(
    browser,
    quietStatus({ models, containers, recent: GONE, left_out: LEFT_OUT }),
  );
  const { page, proxy } = shown;
  const [given, none] = [row(page, "models", "given"), row(page, "models", "null")];
  expect(await facts(none.locator("dl"))).toMatchObject({
    "In flight": "0",
    Requests: "–",
    Errors: "–",
  });
  expect(await none.locator(".graph svg").isVisible()).toBe(false);
  expect(await given.locator(".graph svg").isVisible()).toBe(true);
  expect(await text(none.locator(".servers + p, div > p"))).not.toContain("no server");
  await none.locator(".open").click();
  expect(await texts(none.locator("table tr"))).toContain("All – –");
  proxy.status = quietStatus({ models, containers });
  await none.locator(".graph svg").waitFor({ timeout: 4_000 });
  expect(await facts(none.locator("dl").first())).toMatchObject({ Requests: "0", Errors: "0" });
  expect(await texts(none.locator("table tr"))).toContain("All 0 0");
});

test("the counts in the headings include left-out entries", async () => {
  const models = Array.from({ length: 1_552 }, (_, n) => model({ id: `m-${n}` }));
  const containers = [container({ name: "box" })];
  using shown = await openStatus(
    browser,
    quietStatus({ models, containers, left_out: { ...LEFT_OUT, containers: 12 } }),
  );
  const { page } = shown;
  expect(await text(page.locator("#models-sum"))).toStartWith("2,600 · ");
  await page.getByText("100 of 2,600 models, the busiest. 1,048 models left out").waitFor();
  expect(await text(page.locator("#boxes-sum"))).toBe("1 routed, 12 left out");
});
