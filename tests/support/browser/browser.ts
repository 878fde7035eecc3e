/** Runs a real Chromium. It records everything that a user would see in the developer tools of a page. */
import {
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from "playwright-core";
import { findChromium } from "../real-clients/programs.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

type SeenRequest = {
  readonly path: string;
  readonly ifNoneMatch: string | undefined;
  /** Undefined until the response has come. */
  status: number | undefined;
};

export type OpenPage = {
  readonly page: Page;
  /**
   * Everything on the console, and uncaught exceptions. This includes violations of the content security
   * policy.
   */
  readonly complaints: string[];
  readonly requests: readonly SeenRequest[];
};

export type Browser = AsyncDisposable & {
  /**
   * Opens a page, and closes the page before with its cookies, cache and storage.
   *
   * @param script runs before the scripts of the page
   */
  readonly open: (
    url: string,
    options?: BrowserContextOptions,
    script?: string,
  ) => Promise<OpenPage>;
};

export const [WIDE, NARROW] = [
  { width: 1_600, height: 1_000 },
  { width: 360, height: 800 },
] as const;

/**
 * In addition to Playwright's flags: Chromium sends nothing to its maker, and as root it must run without a
 * sandbox.
 */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--disable-background-networking",
  "--disable-component-update",
  "--no-first-run",
];

export async function startBrowser(): Promise<Browser> {
  const found = findChromium();
  if (found === undefined)
    throw new Error("Cannot find Chromium. Install it with npm run test:page");
  const home = temporaryDirectory();
  const browser = await chromium.launch({
    executablePath: found.path,
    env: { PATH: process.env["PATH"] ?? "", HOME: home.path, ...found.env },
    args: FLAGS,
  });
  let last: BrowserContext | undefined;
  return {
    open: async (url, options, script) => {
      await last?.close();
      const context = await browser.newContext({ viewport: WIDE, ...options });
      last = context;
      const page = await context.newPage();
      const watched = watch(page);
      if (script !== undefined) await page.addInitScript(script);
      await page.goto(url);
      return { page, ...watched };
    },
    [Symbol.asyncDispose]: async () => {
      await browser.close();
      home[Symbol.dispose]();
    },
  };
}

function watch(page: Page): Omit<OpenPage, "page"> {
  const complaints: string[] = [];
  const requests: SeenRequest[] = [];
  const byRequest = new Map<object, SeenRequest>();
  page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    const { pathname, search } = new URL(request.url());
    const seen: SeenRequest = {
      path: pathname + search,
      ifNoneMatch: request.headers()["if-none-match"],
      status: undefined,
    };
    byRequest.set(request, seen);
    requests.push(seen);
  });
  page.on("response", (response) => {
    const seen = byRequest.get(response.request());
    if (seen !== undefined) seen.status = response.status();
  });
  return { complaints, requests };
}
