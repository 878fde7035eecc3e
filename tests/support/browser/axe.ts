/** Runs axe-core, which finds accessibility problems of a page. */
import axe from "axe-core";
import type { Page } from "playwright-core";

/** The rules that the page breaks, and where. */
export async function violations(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source);
  const found = await page.evaluate<axe.AxeResults>("axe.run()");
  return found.violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
}
