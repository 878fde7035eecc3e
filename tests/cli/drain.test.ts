/** The commands drain and undrain, against the proxy's real socket and scripted containers. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, statSync } from "node:fs";
import { join } from "node:path";
import type { CommandResult } from "../../src/cli/command-result.ts";
import { drain, undrain } from "../../src/cli/drain.ts";
import { openControl } from "../../src/control.ts";
import type { DrainResult, DrainState } from "../../src/fleet/drains.ts";
import { openDirectory, temporaryDirectory } from "../support/temporary-directory.ts";
import { until } from "../support/until.ts";

let directory: ReturnType<typeof temporaryDirectory>;
let path: string;
let control: Awaited<ReturnType<typeof openControl>> | undefined;
let result: DrainResult;
/** The state at each check. The last one stays. */
let states: DrainState[];
let looks: number;
let printed: string[];

beforeEach(() => {
  directory = temporaryDirectory();
  path = join(directory.path, "proxy.sock");
  result = { kind: "done", name: "vllm", run: "docker x 1", inFlight: 2, isNew: true };
  states = [{ state: "drained", inFlight: 0 }];
  [looks, printed] = [0, []];
});
afterEach(async () => {
  if (control?.kind === "open") await control.close();
  control = undefined;
  directory[Symbol.dispose]();
});

async function listen(): Promise<void> {
  control = await openControl({
    path,
    drains: {
      drain: () => result,
      undrain: () => result,
      stateOf: () => {
        looks += 1;
        return states[Math.min(looks, states.length) - 1]!;
      },
    },
    onBug: () => undefined,
  });
}

function run(timeoutMs = 10_000, sockets = [path]): Promise<CommandResult> {
  return drain({ container: "vllm", timeoutMs }, sockets, (line) => printed.push(line));
}

describe("drain", () => {
  test("waits until no requests are left and prints its progress", async () => {
    states = [
      { state: "drained", inFlight: 2 },
      { state: "drained", inFlight: 1 },
      { state: "drained", inFlight: 0 },
    ];
    await listen();
    expect(await run()).toEqual({ code: 0, stdout: "vllm: drained; no requests left\n" });
    expect(printed).toEqual(["vllm: draining; 2 requests in flight"]);
    expect(looks).toBe(3);
  });

  test("prints the number of requests left when it changes, at most once a second", async () => {
    states = Array.from({ length: 25 }, (_, index) => ({ state: "drained", inFlight: 26 - index }));
    states.push({ state: "drained", inFlight: 0 });
    await listen();
    await run();
    expect(printed.length).toBeWithin(2, 5);
    expect(printed[1]).toMatch(/^vllm: \d+ requests in flight$/);
  });

  test("without requests in flight it is done at once", async () => {
    result = { kind: "done", name: "vllm", run: "r", inFlight: 0, isNew: false };
    await listen();
    expect(await run(0)).toEqual({ code: 0, stdout: "vllm: drained; no requests left\n" });
    expect([printed, looks]).toEqual([["vllm: already draining; 0 requests in flight"], 0]);
  });

  test("when the time is up it says how many requests are left and what to do", async () => {
    states = [{ state: "drained", inFlight: 1 }];
    await listen();
    expect(await run(250)).toEqual({
      code: 1,
      stderr:
        "lw-inference-proxy: vllm: 1 request still in flight after 0.25 s. The container stays drained until it restarts, or until you run lw-inference-proxy undrain vllm\n",
    });
  });

  test("with a timeout of 0 it does not wait", async () => {
    await listen();
    const { code, stderr } = await run(0);
    expect([code, stderr, looks]).toEqual([1, expect.stringContaining("2 requests still in"), 0]);
  });

  test("when the container stops there is nothing left to wait for", async () => {
    states = [{ state: "over", inFlight: 0 }];
    await listen();
    expect(await run()).toEqual({
      code: 0,
      stdout: "vllm: the container has stopped or restarted\n",
    });
  });

  test("when someone undrains the container meanwhile it fails", async () => {
    states = [{ state: "undrained", inFlight: 2 }];
    await listen();
    expect(await run()).toEqual({
      code: 1,
      stderr: "lw-inference-proxy: vllm was undrained meanwhile\n",
    });
  });

  test("when the proxy ends meanwhile it says that the container may get requests again", async () => {
    states = [{ state: "drained", inFlight: 1 }];
    await listen();
    const end = run();
    await until("it waits", () => looks > 0);
    if (control?.kind === "open") await control.close();
    const { code, stderr } = await end;
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining("vllm may get new requests again: no proxy answers: the socket"),
    ]);
  });
});

test("undrain says whether the container was drained", async () => {
  await listen();
  expect(await undrain("vllm", [path])).toEqual({
    code: 0,
    stdout: "vllm: gets new requests again\n",
  });
  result = { kind: "done", name: "vllm", run: "r", inFlight: 0, isNew: false };
  expect(await undrain("vllm", [path])).toEqual({ code: 0, stdout: "vllm: was not drained\n" });
});

test("if the proxy refuses, both exit with code 2 and the reason of the proxy", async () => {
  result = { kind: "impossible", reason: "there is none\u001b[31m" };
  await listen();
  const stderr = "lw-inference-proxy: there is none\\u001b[31m\n";
  expect(await run()).toEqual({ code: 2, stderr });
  expect(await undrain("vllm", [path])).toEqual({ code: 2, stderr });
  result = { kind: "done", name: "a\u001b[31m", run: "r", inFlight: 0, isNew: true };
  expect((await run()).stdout).toBe("a\\u001b[31m: drained; no requests left\n");
  expect(printed).toEqual(["a\\u001b[31m: draining; 0 requests in flight"]);
});

describe("which proxy it asks", () => {
  test("the first socket on which a proxy answers", async () => {
    await listen();
    expect((await run(10_000, [`${path}.none`, path])).code).toBe(0);
  });

  test("no proxy: exit code 2, with the sockets that it tried and what to do", async () => {
    const { code, stderr } = await run(10_000, [`${path}.a`, `${path}.b`]);
    expect(code).toBe(2);
    expect(stderr).toStartWith(
      `lw-inference-proxy: no proxy answers: the socket ${path}.a does not exist; the socket ${path}.b does not exist. If the proxy`,
    );
    expect(stderr).toContain("docker exec");
  });

  test("a socket of a killed proxy", async () => {
    const script = `Bun.serve({ unix: ${JSON.stringify(path)}, fetch: () => new Response() }); process.kill(process.pid, "SIGKILL");`;
    await Bun.spawn([process.execPath, "-e", script]).exited;
    expect((await run()).stderr).toContain(`no process listens on ${path} any more`);
  });

  test.each([
    ["nonsense", "x"],
    ["JSON of another kind", '{"name":1}'],
    ["too much", `{"reason":"${"x".repeat(70_000)}"}`],
  ])("the socket of another program that answers %s", async (_what, body) => {
    using _server = Bun.serve({ unix: path, fetch: () => new Response(body) });
    const { code, stderr = "" } = await run();
    expect([code, stderr.length < 1_000]).toEqual([2, true]);
    expect(stderr).toMatch(/is not from an lw-inference-proxy|larger than 64 KiB/);
  });

  test.skipIf(process.getuid?.() !== 0)(
    "a socket of another user: it says which user may use it",
    async () => {
      using open = openDirectory();
      path = join(open.path, "proxy.sock");
      await listen();
      chmodSync(path, 0o600);
      const script = `
        const { drain } = await import(${JSON.stringify(join(import.meta.dir, "../../src/cli/drain.ts"))});
        await import(${JSON.stringify(join(import.meta.dir, "../../src/cli/control-call.ts"))});
        process.setgroups([]); process.setgid(65532); process.setuid(65532);
        const end = await drain({ container: "vllm", timeoutMs: 0 }, [${JSON.stringify(path)}], () => undefined);
        process.stdout.write(JSON.stringify(end));`;
      const child = Bun.spawn([process.execPath, "-e", script], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const { code, stderr } = JSON.parse(await child.stdout.text()) as CommandResult;
      const { uid } = statSync(path);
      expect([code, stderr]).toEqual([
        2,
        expect.stringContaining(`run the command as user ${uid} (docker exec --user ${uid})`),
      ]);
    },
  );
});

test("when the proxy restarts meanwhile it exits with code 2", async () => {
  states = [
    { state: "drained", inFlight: 2 },
    { state: "unknown", inFlight: 0 },
  ];
  await listen();
  expect(await run()).toEqual({
    code: 2,
    stderr:
      "lw-inference-proxy: vllm may get new requests again: the proxy restarted and does not remember the drain; run drain again\n",
  });
});
