/** The control socket: who may open it, which requests it accepts, and how it answers bad requests. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ControlInit, openControl } from "../src/control.ts";
import type { DrainResult } from "../src/fleet/drains.ts";
import { temporaryDirectory } from "./support/temporary-directory.ts";
import { expectNever, until, within } from "./support/until.ts";

const DONE: DrainResult = { kind: "done", name: "vllm", run: "r", inFlight: 2, isNew: true };

let directory: ReturnType<typeof temporaryDirectory>;
let path: string;

beforeEach(() => {
  directory = temporaryDirectory();
  path = join(directory.path, "proxy.sock");
});
afterEach(() => directory[Symbol.dispose]());

function init(change: Partial<ControlInit["drains"]> = {}): ControlInit {
  const drains: ControlInit["drains"] = {
    drain: () => DONE,
    undrain: () => DONE,
    stateOf: () => ({ state: "drained", inFlight: 1 }),
    ...change,
  };
  return { path, drains, onBug: () => undefined };
}

async function opened(change?: Partial<ControlInit["drains"]>): Promise<AsyncDisposable> {
  const control = await openControl(init(change));
  if (control.kind === "none") throw new Error(control.reason);
  return { [Symbol.asyncDispose]: () => control.close() };
}

async function ask(pathAndQuery: string, method = "POST", body?: string): Promise<string> {
  const url = `http://proxy${pathAndQuery}`;
  const answer = await fetch(url, { unix: path, method, keepalive: false, ...(body && { body }) });
  return `${answer.status} ${await answer.text()}`;
}

/** Sends raw bytes. @returns everything received until the other side closes */
async function raw(bytes: string): Promise<string> {
  const closed = Promise.withResolvers<void>();
  let received = "";
  const socket = await Bun.connect({
    unix: path,
    socket: {
      data: (_socket, data) => {
        received += data.toString("latin1");
      },
      close: () => closed.resolve(),
    },
  });
  socket.write(Buffer.from(bytes, "latin1"));
  await within("the end of the connection", closed.promise);
  return received;
}

describe("openControl()", () => {
  test("creates a socket that only its owner may use, and removes it at the end", async () => {
    const before = process.umask();
    const control = await openControl(init());
    expect((statSync(path).mode & 0o777).toString(8)).toBe("600");
    expect(process.umask()).toBe(before);
    if (control.kind === "open") await control.close();
    expect(existsSync(path)).toBe(false);
  });

  test("replaces a socket without a listener", async () => {
    const script = `Bun.serve({ unix: ${JSON.stringify(path)}, fetch: () => new Response() }); process.kill(process.pid, "SIGKILL");`;
    await Bun.spawn([process.execPath, "-e", script]).exited;
    expect(statSync(path).isSocket()).toBe(true);
    await using _control = await opened();
    expect(await ask("/drain?container=x")).toStartWith("200 ");
    expect((statSync(path).mode & 0o777).toString(8)).toBe("600");
  });

  test("does not touch the socket of a running proxy", async () => {
    await using _first = await opened();
    const second = await openControl(
      init({ drain: () => ({ kind: "impossible", reason: "2nd" }) }),
    );
    expect(second).toEqual({
      kind: "none",
      reason: `${path} already exists: another proxy uses it, or it is not a socket`,
    });
    expect(await ask("/drain?container=x")).toContain("vllm");
  });

  test.each<[what: string, make: () => void]>([
    ["a file", () => writeFileSync(path, "kept")],
    ["a link to nowhere", () => symlinkSync("/nowhere/at/all", path)],
    ["a link to a file", () => symlinkSync(import.meta.path, path)],
  ])("does not touch %s", async (_what, make) => {
    make();
    const { size, ino } = statSync(directory.path);
    expect(await openControl(init())).toMatchObject({ kind: "none" });
    expect(statSync(directory.path)).toMatchObject({ size, ino });
    expect(readdirSync(directory.path)).toEqual(["proxy.sock"]);
  });

  test.each<[what: string, name: string, reason: (path: string) => string]>([
    ["a missing directory", "missing/p.sock", (at) => `The directory ${at}/missing does not exist`],
    ["a directory that is a file", "file/p.sock", (at) => `${at}/file is not a directory`],
    [
      "a path with a name that is too long",
      "x".repeat(200),
      (at) => `The path ${at}/${"x".repeat(200)} is too long for a socket`,
    ],
  ])("says why it cannot create the socket in %s", async (_what, name, reason) => {
    writeFileSync(join(directory.path, "file"), "");
    path = join(directory.path, name);
    const control = await openControl(init());
    expect(control).toMatchObject({ kind: "none", reason: reason(directory.path) });
  });

  test.skipIf(process.getuid?.() === 0)(
    "says why it cannot create the socket in a directory without write permission",
    async () => {
      chmodSync(directory.path, 0o500);
      expect(await openControl(init())).toMatchObject({
        reason: `The proxy cannot write to the directory ${directory.path}`,
      });
      chmodSync(directory.path, 0o700);
    },
  );
});

describe("the control socket", () => {
  test("accepts drain and undrain with any name, and returns the state of a run", async () => {
    const asked: string[] = [];
    const note = (verb: string) => (text: string) => {
      asked.push(`${verb} ${text}`);
      return DONE;
    };
    await using _control = await opened({
      drain: note("drain"),
      undrain: note("undrain"),
      stateOf: (run) => {
        asked.push(`state ${run}`);
        return { state: "over", inFlight: 0 };
      },
    });
    const reply = '200 {"name":"vllm","run":"r","in_flight":2,"is_new":true}';
    expect(await ask("/drain?container=a%20%26%C3%BC")).toBe(reply);
    expect(await ask("/undrain?container=b")).toBe(reply);
    expect(await ask("/drain-state?run=docker+x+1", "GET")).toBe(
      '200 {"state":"over","in_flight":0}',
    );
    expect(asked).toEqual(["drain a &ü", "undrain b", "state docker x 1"]);
  });

  test("says why it cannot do something", async () => {
    await using _control = await opened({ drain: () => ({ kind: "impossible", reason: "no" }) });
    expect(await ask("/drain?container=a")).toBe('200 {"reason":"no"}');
  });

  test.each([
    ["GET", "/drain?container=a"],
    ["POST", "/drain-state?run=a"],
    ["POST", "/"],
    ["GET", "/status"],
    ["POST", "/v1/chat/completions"],
    ["POST", "/drain/"],
  ])("answers 404 to %s %s", async (method, pathAndQuery) => {
    await using _control = await opened();
    expect(await ask(pathAndQuery, method)).toBe("404 ");
  });

  test("reports a bug and still answers the next request", async () => {
    const bugs: unknown[] = [];
    const fail = (): DrainResult => {
      throw new Error("a bug");
    };
    const control = await openControl({
      ...init({ drain: fail }),
      onBug: (error) => bugs.push(error),
    });
    expect(await ask("/drain?container=a")).toBe("500 ");
    expect(bugs).toEqual([new Error("a bug")]);
    expect(await ask("/undrain?container=a")).toStartWith("200 ");
    if (control.kind === "open") await control.close();
  });
});

describe("the control socket and hostile clients", () => {
  test.each(["Host: a b", "Host: [::"])("answers 400 to an invalid host name: %s", async (host) => {
    const bugs: unknown[] = [];
    const control = await openControl({ ...init(), onBug: (error) => bugs.push(error) });
    const answer = await raw(`POST /drain HTTP/1.1\r\n${host}\r\nConnection: close\r\n\r\n`);
    expect(answer).toStartWith("HTTP/1.1 400 ");
    expect(bugs).toEqual([]);
    if (control.kind === "open") await control.close();
  });

  test.each<[what: string, bytes: string, status: string]>([
    ["bytes that are not HTTP", "\u0000\u00ff\u0016\u0003\r\n\r\n", "400"],
    ["an endless path", `GET /${"x".repeat(300_000)}`, "431"],
    ["a body", "POST /drain HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", "413"],
  ])("refuses %s", async (_what, bytes, status) => {
    await using _control = await opened();
    expect(await raw(bytes)).toStartWith(`HTTP/1.1 ${status} `);
    expect(await ask("/drain?container=x")).toStartWith("200 ");
  });

  test.each(["container", "run"])("does not look for a %s that is too long", async (key) => {
    await using _control = await opened();
    expect(await ask(`/drain?${key}=${"x".repeat(513)}`)).toContain("longer than 512 characters");
    expect(await ask(`/drain?${key}=${"x".repeat(512)}`)).toStartWith("200 ");
  });

  test("does not wait for an endless body", async () => {
    await using _control = await opened();
    const head = "POST /drain?container=x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx";
    let received = "";
    const socket = await Bun.connect({
      unix: path,
      socket: {
        data: (_socket, data) => {
          received += data.toString("latin1");
        },
      },
    });
    socket.write(head);
    await until("it is answered", () => received.startsWith("HTTP/1.1 200 "));
    socket.terminate();
  });

  test("silent clients do not disturb other clients", async () => {
    await using _control = await opened();
    const sockets = await Promise.all(
      Array.from({ length: 200 }, () =>
        Bun.connect({ unix: path, socket: { data: () => undefined } }),
      ),
    );
    expect(await ask("/drain?container=x")).toStartWith("200 ");
    await expectNever("it is gone", () => !existsSync(path), 20);
    for (const socket of sockets) socket.terminate();
  });
});
