/** Reads from the page what a person reads. */
import type { Locator, Page } from "playwright-core";
import type { Status } from "../../../src/status.ts";
import type { Browser } from "./browser.ts";
import { ScriptedProxy } from "./scripted-proxy.ts";

export type ShownPage = Disposable & { readonly page: Page; readonly proxy: ScriptedProxy };

/** Opens the page of a scripted proxy, and waits until the page shows the status. */
export async function openStatus(browser: Browser, status: Status): Promise<ShownPage> {
  const proxy = new ScriptedProxy(status);
  const { page } = await browser.open(proxy.origin);
  await page.getByText("Live", { exact: true }).waitFor();
  return { page, proxy, [Symbol.dispose]: () => proxy[Symbol.dispose]() };
}

/** The row of a model, a service or a container. */
export function row(page: Page, list: "models" | "services" | "boxes", name: string): Locator {
  const heading = page.getByRole("heading", { name, exact: true });
  return page.locator(`#${list} > li`).filter({ has: heading });
}

/** The text of the first match. Each run of white space becomes one space. */
export async function text(locator: Locator): Promise<string> {
  const [first = ""] = await texts(locator);
  return first;
}

export async function texts(locator: Locator): Promise<readonly string[]> {
  return (await locator.allInnerTexts()).map(plain);
}

/** Labels and values. For a graph, the value is its description. */
export async function facts(list: Locator): Promise<Readonly<Record<string, string>>> {
  const [labels, values] = await Promise.all([
    list.locator("dt").allTextContents(),
    list.locator("dd").allTextContents(),
  ]);
  return Object.fromEntries(labels.map((label, n) => [label, plain(values[n] ?? "")]));
}

function plain(given: string): string {
  return given.replace(/\s+/g, " ").trim();
}
