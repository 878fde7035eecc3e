import { expect, test } from "bun:test";
import { USAGE } from "../../src/cli/arguments.ts";
import { type Program, runCommand } from "../../src/cli/run-command.ts";

const STATUS = { kind: "status", json: false } as const;
const HEALTHCHECK = { kind: "healthcheck" } as const;

const PROGRAM: Program = {
  version: "1.2.3",
  commit: "0123456789ab",
  variables: {
    PROXY_DRAIN_TIMEOUT: { meaning: "how long", default: "60s", expected: "a duration" },
  },
  listening: { kind: "wrong", errors: ["PROXY_PORT is wrong", "PROXY_HOST is, too"] },
  print: () => undefined,
};

function at(host: string, port: number | undefined): Program {
  const address = { host, port: port ?? 0 };
  return { ...PROGRAM, listening: { kind: "address", address, controlSockets: [] } };
}

test("version: prints the commit and the version of Bun too", async () => {
  expect(await runCommand({ kind: "version" }, PROGRAM)).toEqual({
    code: 0,
    stdout: `lw-inference-proxy 1.2.3 (commit 0123456789ab, Bun ${Bun.version})\n`,
  });
});

test("help prints the variables on stdout; a wrong argument prints the usage on stderr, with exit code 2", async () => {
  const { code, stdout } = await runCommand({ kind: "help" }, PROGRAM);
  expect([
    code,
    stdout?.split("\n")[0] === USAGE.split("\n")[0],
    stdout?.includes("PROXY_DRAIN_TIMEOUT"),
  ]).toEqual([0, true, true]);
  const wrong = await runCommand({ kind: "wrong", argument: "x" }, PROGRAM);
  expect([wrong.code, wrong.stdout, wrong.stderr?.endsWith(USAGE)]).toEqual([2, undefined, true]);
});

test.each(["127.0.0.2", "0.0.0.0", "::1", "::"])(
  "finds a proxy that listens on %s",
  async (host) => {
    using server = Bun.serve({ port: 0, hostname: host, fetch: () => new Response("ok") });
    expect(await runCommand(HEALTHCHECK, at(host, server.port))).toEqual({ code: 0 });
    expect(await runCommand(STATUS, at(host, server.port))).toMatchObject({ code: 2 });
  },
);

test("when PROXY_PORT or PROXY_HOST is wrong, healthcheck exits with 1 and status with 2, with a line for each", async () => {
  const stderr =
    "lw-inference-proxy: PROXY_PORT is wrong\nlw-inference-proxy: PROXY_HOST is, too\n";
  expect(await runCommand(HEALTHCHECK, PROGRAM)).toEqual({ code: 1, stderr });
  expect(await runCommand(STATUS, PROGRAM)).toEqual({ code: 2, stderr });
});

test.each([
  { kind: "drain", container: "vllm", timeoutMs: 0 } as const,
  { kind: "undrain", container: "vllm" } as const,
])("$kind: exit code 2 with the reason if it finds no proxy", async (command) => {
  const wrong = await runCommand(command, PROGRAM);
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("PROXY_PORT is wrong")]);
  const alone = await runCommand(command, at("127.0.0.1", 1));
  expect([alone.code, alone.stderr]).toEqual([2, expect.stringContaining("no proxy answers")]);
});

test("a missing argument: exit code 2 with the reason", async () => {
  const result = await runCommand({ kind: "unusable", reason: "drain needs a name" }, PROGRAM);
  expect(result).toEqual({ code: 2, stderr: "lw-inference-proxy: drain needs a name\n" });
});
