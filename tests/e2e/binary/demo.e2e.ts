/** `npm run demo`, as README.md shows it to a new user. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Status } from "../../../src/status.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { until, within } from "../../support/until.ts";

const DEMO = fileURLToPath(import.meta.resolve("../../demo/main.ts"));
const BOUND_MS = 30_000;

type Demo = Disposable & {
  readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly directory: string;
};

function startDemo(...args: readonly string[]): Demo {
  const temporary = temporaryDirectory();
  const directory = temporary.path;
  const child = Bun.spawn([process.execPath, DEMO, ...args], {
    env: { PATH: process.env["PATH"] ?? "", TMPDIR: directory },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return { child, directory, [Symbol.dispose]: temporary[Symbol.dispose] };
}

/** The processes that the demo started, and their descendants. */
function processesOf(directory: string): readonly string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    return environmentOf(pid).includes(directory);
  });
}

function environmentOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1");
  } catch {
    return ""; // it has just ended
  }
}

describe("the demo", () => {
  test(
    "--once prints the whole tour as plain text, ends by itself and leaves nothing behind",
    async () => {
      using demo = startDemo("--once");
      const { child, directory } = demo;
      const output = await within("its output", child.stdout.text(), BOUND_MS);
      expect([await child.exited, await child.stderr.text()]).toEqual([0, ""]);
      expect(output).not.toContain("\x1b");
      expect(output).toMatch(/its page {3}http:\/\/localhost:\d+\/\n/);
      const order = [
        '"id":"claude-local"',
        "200 The answer arrives word by word",
        '"type":"message"',
        "404 ",
        "docker stop llama-1",
        "200 The answer arrives word by word, exactly as the server sends it.",
        "503 backend_draining",
        "docker start llama-1",
      ];
      let at = 0;
      for (const text of order) {
        const found = output.indexOf(text, at);
        expect(found, `"${text}" after the one before`).toBeGreaterThan(-1);
        at = found;
      }
      expect([readdirSync(directory), processesOf(directory)]).toEqual([[], []]);
    },
    BOUND_MS,
  );

  test(
    "takes another port if 8080 is taken, and says so; Ctrl-C ends the demo, which leaves nothing behind",
    async () => {
      let blocker: Bun.Server<undefined> | undefined;
      try {
        blocker = Bun.serve({ port: 8080, fetch: () => new Response() });
      } catch {
        // another program has the port, which is just as good
      }
      using demo = startDemo();
      const { child, directory } = demo;
      let output = "";
      const reading = (async () => {
        for await (const bytes of child.stdout) output += Buffer.from(bytes).toString();
      })();
      await until("the demo stays up", () => output.includes("Ctrl-C"), BOUND_MS);
      const port = /Port 8080 is taken, so the proxy uses port (\d+)/.exec(output)?.[1];
      expect((await fetch(`http://127.0.0.1:${port}/v1/models`)).status).toBe(200);
      const drain = /^To drain a server, run: (.+)$/m.exec(output)?.[1] ?? "";
      const drained = Bun.spawn(["sh", "-c", drain], { env: { PATH: "" }, stderr: "pipe" });
      expect(await drained.stdout.text()).toEndWith("llama-1: drained; no requests left\n");
      expect([await drained.exited, await drained.stderr.text()]).toEqual([0, ""]);
      child.kill("SIGINT");
      expect(await within("the demo's exit", child.exited)).toBe(0);
      await reading;
      void blocker?.stop(true);
      expect([readdirSync(directory), processesOf(directory)]).toEqual([[], []]);
    },
    BOUND_MS,
  );

  test(
    "--traffic keeps requests going, also to replicas and some that fail, until Ctrl-C",
    async () => {
      using demo = startDemo("--traffic");
      const { child, directory } = demo;
      let output = "";
      const reading = (async () => {
        for await (const bytes of child.stdout) output += Buffer.from(bytes).toString();
      })();
      await until("the demo stays up", () => output.includes("Ctrl-C"), BOUND_MS);
      const page = /its page {3}(\S+)/.exec(output)?.[1] ?? "";
      const html = await fetch(page, { headers: { accept: "text/html" } });
      expect(await html.text()).toStartWith("<!doctype html>");
      const status = async (): Promise<Status> =>
        (await (await fetch(`${page}status`)).json()) as Status;
      const isBusy = async (): Promise<boolean> => {
        const { in_flight, models, recent } = await status();
        const shared = models.find(({ id }) => id === "qwen3-8b")?.servers ?? [];
        const errors = recent?.last_5_minutes.errors ?? {};
        return (
          in_flight > 0 &&
          shared.map(({ gets }) => gets).join() === "shares,shares" &&
          ["client_gone", "model_not_found"].every((code) => Object.hasOwn(errors, code))
        );
      };
      await until("the demo has sent all kinds of requests", isBusy, BOUND_MS);
      expect((await status()).in_flight).toBeLessThanOrEqual(12);
      child.kill("SIGINT");
      expect(await within("the demo's exit", child.exited)).toBe(0);
      await reading;
      expect(await child.stderr.text()).toBe("");
      expect([readdirSync(directory), processesOf(directory)]).toEqual([[], []]);
    },
    BOUND_MS,
  );

  test("prints its usage for an unknown option", async () => {
    using demo = startDemo("--help");
    expect(await demo.child.exited).toBe(2);
    expect(await demo.child.stderr.text()).toStartWith(
      "usage: npm run demo [-- [--once] [--traffic]]\n",
    );
  });
});
