/** Hostile names: nothing in them runs, hides text, reverses text or breaks the layout. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { TaskStatus } from "../../src/status.ts";
import {
  type Browser,
  NARROW,
  type OpenPage,
  startBrowser,
  WIDE,
} from "../support/browser/browser.ts";
import {
  change,
  container,
  model,
  quietStatus,
  recent,
} from "../support/browser/made-up-status.ts";
import { ScriptedProxy } from "../support/browser/scripted-proxy.ts";
import { service, swarm, task } from "../support/proxy/swarm-status.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(async () => browser[Symbol.asyncDispose]());

const NAMES: readonly (readonly [what: string, name: string])[] = [
  ["an image with a handler", "<img src=x onerror=\"document.title='ran'\">"],
  ["the end of a script, and a new script", "</script><script>document.title='ran'</script>"],
  [
    "the end of a title and of an attribute",
    "\"'></title></style><svg onload=\"document.title='ran'\">",
  ],
  ["200 characters", "x".repeat(200)],
  ["200 wide characters", "漢".repeat(200)],
  ["a thousand characters", "y".repeat(1_000)],
  ["right-to-left text", "שלום עולם/مرحبا"],
  ["characters that reverse text", "a\u202Egnp.exe\u2066b\u200F"],
  ["control characters", "a\u0000b\u001b[2J\u0007c\u009b2Jd\r\ne\u2028f"],
  ["a lone surrogate", "a\ud800b"],
  ["many marks on one letter", `z${"\u0301".repeat(150)}`],
  ["a JavaScript URL", "javascript:document.title='ran'"],
  ["template markup and backticks", "`x` $" + "{document.title='ran'} {{7*7}}"],
  ["a property that every object has", "__proto__"],
  ["shell quotes", "'; touch /tmp/ran; echo '$(touch /tmp/ran)`touch /tmp/ran`\\\" !! #"],
];

/** One task with a container in the list, and one without. */
function tasksOf(name: string): readonly TaskStatus[] {
  return [name, `${name}3`].map((id) =>
    task({ id, name: id, node: name, state: name, desired_state: name, reason: name }),
  );
}

/** The name is in every field that may hold a name. */
function statusOf(name: string): unknown {
  return quietStatus({
    version: name,
    engine: {
      ...quietStatus().engine,
      state: "lost",
      address: name,
      reason: name,
      api_version: name,
    },
    models: [
      model({
        id: name,
        servers: [
          { container: name, gets: "all" },
          { container: `${name}2`, gets: name as "none" },
        ],
        recent: recent([1], { errors: { [name]: 1 }, statuses: { [name]: 1 } }),
      }),
    ],
    containers: [
      container({
        name,
        state: name,
        reason: name,
        address: name,
        id: name,
        models: [name],
        last_exit: { reason: name, at: name },
      }),
      container({ name: `${name}2`, models: [name, name, name, name] }),
    ],
    swarm: swarm(
      [
        service({ name, id: name, update: name, reason: name, tasks: tasksOf(name) }),
        service({ name: `${name}2` }),
      ],
      { state: name as "lost", reason: name, since: name },
    ),
    changes: [change({ name, state: name, reason: name }), change({ name, state: "routed" })],
  });
}

async function open(
  proxy: ScriptedProxy,
  viewport: typeof NARROW | typeof WIDE,
): Promise<OpenPage> {
  const opened = await browser.open(proxy.origin, { viewport });
  await opened.page.getByText("Live", { exact: true }).waitFor();
  for (const button of await opened.page.locator(".open").all()) await button.click();
  return opened;
}

describe.each(NAMES)("%s", (_what, name) => {
  test.each([NARROW, WIDE])("does no harm at $width px", async (viewport) => {
    using proxy = new ScriptedProxy(statusOf(name));
    const { page, complaints, requests } = await open(proxy, viewport);
    expect(await page.title()).toBe("⚠ lw-inference-proxy");
    expect(await page.locator("img, script ~ script, svg[onload]").count()).toBe(0);
    expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBe(
      viewport.width,
    );
    const outside = await page
      .locator("main *:visible")
      .evaluateAll(
        (nodes, width) =>
          nodes.filter((node) => node.getBoundingClientRect().right > width + 1).length,
        viewport.width,
      );
    expect(outside).toBe(0);
    const [body = ""] = await page.locator("body").allInnerTexts();
    const shown = body.replace(/[\n\t]/g, ""); // innerText puts these between lines and cells
    expect(/[\p{Cc}\p{Default_Ignorable_Code_Point}\u2028\u2029]/u.test(shown)).toBe(false);
    expect(complaints).toEqual([]);
    expect([...new Set(requests.map(({ path }) => path))]).toEqual(["/", "/status"]);
  });

  test("is quoted correctly for a shell and for Python in the sample requests", async () => {
    using proxy = new ScriptedProxy(statusOf(name));
    const { page } = await open(proxy, WIDE);
    const [curl, python] = await page.locator("#models pre").allTextContents();
    const args = await argumentsIn(curl ?? "");
    expect(args.slice(0, -1)).toEqual([
      "-N",
      `${proxy.origin}/v1/chat/completions`,
      "-H",
      "Content-Type: application/json",
      "-d",
    ]);
    expect((JSON.parse(args.at(-1) ?? "") as { readonly model: string }).model).toBe(name);
    const literal = /^ {4}model=(".*"),$/m.exec(python ?? "")?.[1] ?? "";
    expect(JSON.parse(literal)).toBe(name);
    expect(literal).toMatch(/^"[^\p{Cc}\p{Bidi_Control}\u2028\u2029]*"$/u);
  });
});

/** The arguments that curl would get when a POSIX shell runs the command. */
async function argumentsIn(command: string): Promise<readonly string[]> {
  const script = `curl() { for argument; do printf '%s\\0' "$argument"; done; }\n${command}\n`;
  const shell = Bun.spawn(["sh", "-c", script], { stdio: ["ignore", "pipe", "pipe"] });
  const [output, errors] = await Promise.all([shell.stdout.text(), shell.stderr.text()]);
  expect([await shell.exited, errors]).toEqual([0, ""]);
  return output.split("\0").slice(0, -1);
}

test("Python runs the sample request with the intended arguments", async () => {
  const program = Bun.which("python3");
  if (program === null) return;
  for (const [, name] of NAMES) {
    using proxy = new ScriptedProxy(statusOf(name));
    const { page } = await open(proxy, WIDE);
    const [, text = ""] = await page.locator("#models pre").allTextContents();
    // A stand-in for the SDK that prints its arguments.
    const stub =
      "import sys, types, json\nclass C:\n  def __init__(s, **k): print(json.dumps(k)); s.chat = s.completions = s\n  def create(s, **k): print(json.dumps(k)); sys.exit()\nm = types.ModuleType('openai'); m.OpenAI = C; sys.modules['openai'] = m\n";
    const child = Bun.spawn([program, "-c", stub + text], { stdio: ["ignore", "pipe", "pipe"] });
    const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    expect(errors).toBe("");
    const [client = "", request = ""] = output.split("\n");
    expect(JSON.parse(client)).toEqual({ base_url: `${proxy.origin}/v1`, api_key: "none" });
    expect((JSON.parse(request) as { readonly model: string }).model).toBe(name);
  }
}, 60_000);
