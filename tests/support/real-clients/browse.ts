/** Runs a script in a page of a real Chromium. */
import { temporaryDirectory } from "../temporary-directory.ts";
import { within } from "../until.ts";
import { findChromium } from "./programs.ts";

const BROWSER_BOUND_MS = 60_000;

/**
 * Opens the page in a new browser.
 *
 * @param script calls `report` with its observation, which must be a JSON value
 */
export async function browse<Seen>(script: string): Promise<Seen> {
  const browser = findChromium();
  if (browser === undefined)
    throw new Error("Cannot find Chromium. Install it with npm run test:clients");
  const reported = Promise.withResolvers<Seen>();
  using page = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      if (new URL(request.url).pathname === "/seen") {
        reported.resolve((await request.json()) as Seen);
        return new Response();
      }
      return new Response(`<script>${REPORT}${script}</script>`, {
        headers: { "content-type": "text/html" },
      });
    },
  });
  using home = temporaryDirectory();
  const child = Bun.spawn(
    [
      browser.path,
      "--headless",
      "--no-sandbox", // root can't use the sandbox, and this page does not need it
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--disable-background-networking",
      "--disable-component-update",
      "--no-first-run",
      `--user-data-dir=${home.path}`,
      page.url.href,
    ],
    {
      env: { PATH: process.env["PATH"] ?? "", HOME: home.path, ...browser.env },
      stdio: ["ignore", "ignore", "ignore"],
    },
  );
  try {
    return await within("the report of the page", reported.promise, BROWSER_BOUND_MS);
  } finally {
    child.kill("SIGTERM"); // Chromium then ends its own processes
    await child.exited;
  }
}

const REPORT =
  'const report = (seen) => fetch("/seen", { method: "POST", body: JSON.stringify(seen) });';
