/**
 * Control characters from outside must not reach a terminal. Checks every place where the proxy prints text
 * for people: the log, the commands, standard error, error answers, and pages read with curl.
 */
import { describe, expect, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { wrongArgument } from "../src/cli/arguments.ts";
import { runCommand } from "../src/cli/run-command.ts";
import { parseStatus, renderJson, renderStatus } from "../src/cli/table.ts";
import { readLabels } from "../src/sources/labels.ts";
import type { Status } from "../src/status.ts";
import { createLog } from "../src/telemetry/log.ts";
import type { LogEvent } from "../src/telemetry/log-events.ts";
import { NO_TELEMETRY } from "../src/telemetry/telemetry.ts";
import { startProxy } from "./support/proxy/in-process.ts";
import { containerStatus, STARTED_MS, statusReply } from "./support/proxy/status-reply.ts";
import { makeBackend } from "./support/server/backends.ts";
import { within } from "./support/until.ts";

const range = (first: number, last: number): readonly number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

const CODES = [
  ...[...range(0x0000, 0x001f), ...range(0x007f, 0x009f)],
  ...[0x061c, 0x200e, 0x200f, 0x2028, 0x2029, ...range(0x202a, 0x202e), ...range(0x2066, 0x2069)],
];

/** Each control character between letters, plus texts that look like escapes. */
const NASTY = `${CODES.map((code) => `a${String.fromCharCode(code)}`).join("")}z"\\\\u0041\\n`;

/** The code points of the control characters in a text. */
function steering(text: string): readonly number[] {
  return CODES.filter((code) => text.includes(String.fromCharCode(code)));
}

/** The same for lines. Each line may end with one line feed. */
function steeringInLines(text: string): readonly number[] {
  return text.trimEnd().split("\n").flatMap(steering);
}

const REPLY = statusReply({
  version: NASTY,
  engine: { address: NASTY, state: NASTY, reason: NASTY, since: NASTY, api_version: NASTY },
  containers: [
    containerStatus({ id: NASTY, name: NASTY, state: NASTY, reason: NASTY, address: NASTY }),
    containerStatus({ since: NASTY, models: [NASTY] }),
  ],
  [NASTY]: { [NASTY]: NASTY },
});

describe("status", () => {
  const body = JSON.stringify(REPLY, undefined, 2);

  test("as a table contains no control character and no extra line", () => {
    const shown = renderStatus(parseStatus(body)!, STARTED_MS);
    expect(steeringInLines(shown)).toEqual([]);
    expect(shown.split("\n")).toHaveLength(7);
  });

  test("as JSON contains no raw control character and is the same JSON", () => {
    const shown = renderJson(body) ?? "";
    expect(steering(shown.slice(0, -1))).toEqual([]);
    expect(JSON.parse(shown)).toEqual(REPLY);
  });

  test("GET /status contains no raw control character and is the same JSON", async () => {
    using proxy = startProxy({ status: () => REPLY as unknown as Status });
    const shown = await (await fetch(`${proxy.origin}/status`)).text();
    expect(steering(shown)).toEqual([]);
    expect(JSON.parse(shown)).toEqual(REPLY);
  });
});

test("GET /metrics contains no raw control character and no escape that Prometheus does not know", async () => {
  const value = NASTY.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
  const text = `# HELP m\nm{model="${value}"} 1\n`;
  const telemetry = { ...NO_TELEMETRY, scrape: async () => text };
  using proxy = startProxy({ telemetry });
  const shown = await (await fetch(`${proxy.origin}/metrics`)).text();
  expect(steeringInLines(shown)).toEqual([]);
  expect(shown.split("\n")).toHaveLength(3);
  expect(shown).toContain("a\\\\u009ba"); // Prometheus reads a backslash and the text after it
  expect(shown.replaceAll(/\\[\\n"]/g, "")).not.toContain("\\");
});

describe("the log", () => {
  const fields = { text: NASTY, [NASTY]: [NASTY, { [NASTY]: NASTY }], models: ["a", NASTY] };

  test("as JSON contains no raw control character and is the same JSON", () => {
    const lines: string[] = [];
    const log = createLog({ level: "info", format: "json", write: (line) => lines.push(line) });
    log.warn(NASTY as LogEvent, fields);
    expect(steering(lines[0]!.slice(0, -1))).toEqual([]);
    expect(JSON.parse(lines[0]!)).toMatchObject({ message: NASTY, ...fields });
  });

  test("as text contains no control character except its own colours", () => {
    const lines: string[] = [];
    const log = createLog({ level: "info", format: "text", write: (line) => lines.push(line) });
    log.warn(NASTY as LogEvent, fields);
    const colours = ["\u001b[2m", "\u001b[33m", "\u001b[0m"];
    const plain = colours.reduce((text, colour) => text.replaceAll(colour, ""), lines[0]!);
    expect(steering(plain.slice(0, -1))).toEqual([]);
  });
});

describe("standard error", () => {
  const PROGRAM = { version: "1", commit: "1", variables: {}, print: () => undefined };

  test("is clean for a wrong argument", () => {
    expect(steeringInLines(wrongArgument(NASTY))).toEqual([]);
    expect(wrongArgument("x".repeat(1_000_000)).length).toBeLessThan(2_000);
  });

  test("is clean for a command with an unexpected answer", async () => {
    const encoding = String.fromCharCode(...range(0x80, 0x9f));
    using server = Bun.serve({
      port: 0,
      fetch: () => new Response("x", { headers: { "content-encoding": encoding } }),
    });
    const address = { host: undefined, port: server.port ?? 0 };
    for (const command of [{ kind: "healthcheck" }, { kind: "status", json: true }] as const) {
      const { stderr = "" } = await runCommand(command, {
        ...PROGRAM,
        listening: { kind: "address", address, controlSockets: [] },
      });
      expect(stderr).toContain("Content-Encoding");
      expect(steeringInLines(stderr)).toEqual([]);
    }
  });

  test("is clean for a command with wrong variables", async () => {
    const errors = [`PROXY_PORT is ${NASTY}`, `PROXY_HOST is ${NASTY}`];
    const { stderr = "" } = await runCommand(
      { kind: "healthcheck" },
      { ...PROGRAM, listening: { kind: "wrong", errors } },
    );
    expect([steeringInLines(stderr), stderr.split("\n")]).toEqual([[], expect.any(Array)]);
    expect(stderr.split("\n")).toHaveLength(3);
  });

  test.each([[], ["status"], ["healthcheck"]])(
    "is clean for a start with wrong variables: %p",
    async (...args) => {
      const value = NASTY.replaceAll("\u0000", "");
      const names = ["PROXY_PORT", "PROXY_HOST"];
      const script = fileURLToPath(import.meta.resolve("../src/main.ts"));
      const child = Bun.spawn([process.execPath, script, ...args], {
        env: Object.fromEntries(names.map((name) => [name, value])),
        stdio: ["ignore", "pipe", "pipe"],
      });
      const stderr = await within("its end", child.stderr.text(), 10_000);
      expect(steeringInLines(stderr)).toEqual([]);
      expect(stderr.match(/^lw-inference-proxy: PROXY_\w+ is "a.*: expected .*$/gm)).toHaveLength(
        2,
      );
      expect(await child.exited).toBe(args[0] === "healthcheck" ? 1 : 2);
    },
  );
});

describe("errors", () => {
  const messageOf = async (answer: Response): Promise<string> => {
    const text = await answer.text();
    expect(steering(text)).toEqual([]);
    return (JSON.parse(text) as { readonly error: { readonly message: string } }).error.message;
  };

  test("that name a model and similar models are clean", async () => {
    using proxy = startProxy({ backends: [makeBackend({ models: [{ id: NASTY }] })] });
    const body = JSON.stringify({ model: `${NASTY}2` });
    const posted = await fetch(`${proxy.origin}/v1/completions`, { method: "POST", body });
    const message = await messageOf(posted);
    expect([steering(message), message.match(/a\\u009ba/g)]).toEqual([
      [],
      Array(2).fill("a\\u009ba"),
    ]);
    const id = encodeURIComponent(`${NASTY}3`);
    expect(steering(await messageOf(await fetch(`${proxy.origin}/v1/models/${id}`)))).toEqual([]);
  });
});

describe("an error that quotes other text is clean", () => {
  test.each<[what: string, type: string, body: string]>([
    ["a boundary", 'multipart/form-data; boundary="\u009b2J\u0085"', "--x"],
    ["no JSON", "application/json", NASTY],
  ])("%s", async (_what, type, body) => {
    using proxy = startProxy();
    const init = { method: "POST", headers: { "content-type": type }, body };
    const answer = await fetch(`${proxy.origin}/v1/completions`, init);
    expect(answer.status).toBe(400);
    const text = await answer.text();
    const { error } = JSON.parse(text) as { readonly error: { readonly message: string } };
    expect([steering(text), steering(error.message)]).toEqual([[], []]);
  });
});

test("the reason for a wrong label contains no line feed", () => {
  const labels = { "inference.enable": "true", "inference.port": NASTY };
  expect(readLabels(labels)).toMatchObject({ reason: expect.not.stringContaining("\n") });
});
