import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Engine } from "../../src/engine/engine.ts";
import { type EngineAddress, EngineError, refusalError } from "../../src/engine/error.ts";
import { isLabelled } from "../../src/sources/labels.ts";
import { abandonedSocket } from "../support/engine/abandoned-socket.ts";
import { FakeEngine } from "../support/engine/fake.ts";
import { failureAsUser } from "../support/process/as-user.ts";
import { openDirectory, temporaryDirectory } from "../support/temporary-directory.ts";

async function failureAt(address: EngineAddress | string): Promise<EngineError> {
  const at = typeof address === "string" ? ({ kind: "unix", path: address } as const) : address;
  const error = await new Engine(at, 2_000).list(isLabelled).catch((reason: unknown) => reason);
  if (error instanceof EngineError) return error;
  throw new Error(`not an EngineError: ${String(error)}`);
}

describe("the message when the proxy can't reach the engine", () => {
  test("no such socket: says what to set, and what to mount with docker run and with Compose", async () => {
    expect((await failureAt("/nowhere/docker.sock")).message).toBe(
      'Cannot reach the Docker engine at unix:///nowhere/docker.sock: no such socket; start the engine, set DOCKER_HOST to its socket, or, if the proxy runs in a container, mount the socket there (docker run -v /nowhere/docker.sock:/nowhere/docker.sock; in Compose volumes: ["/nowhere/docker.sock:/nowhere/docker.sock"])',
    );
  });

  test("a directory instead of the socket: says that Docker has made it", async () => {
    using directory = temporaryDirectory();
    const { message, ifItLasts } = await failureAt(directory.path);
    expect(message).toContain("it is a directory, which Docker makes when the path to mount");
    expect(message).toContain(`docker run -v /host/path/docker.sock:${directory.path}`);
    expect(ifItLasts).toBeUndefined();
  });

  test("a file instead of the socket or of one of its directories", async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "docker.sock");
    writeFileSync(path, "");
    const error = await failureAt(path);
    expect(error.message).toContain(
      "it is a file and not a socket; set DOCKER_HOST to the engine's",
    );
    expect(error.ifItLasts).toBeUndefined();
    expect((await failureAt(join(path, "docker.sock"))).message).toContain("no such socket");
  });

  test("a socket without a listener: says what to do if this lasts", async () => {
    using socket = await abandonedSocket();
    const { message, ifItLasts } = await failureAt(socket.path);
    expect(message).toEndWith("connection refused; is the engine running?");
    expect(ifItLasts).toStartWith("if the engine runs and the proxy runs in a container, ");
    expect(ifItLasts).toContain("restart the proxy, or mount the socket's directory");
    expect(ifItLasts).toContain(`docker run -v ${socket.directory}:/host/run;`);
    expect(ifItLasts).toContain("DOCKER_HOST=unix:///host/run/docker.sock");
  });

  test("tcp: refused, and no such host", async () => {
    const local = { kind: "tcp", host: "127.0.0.1", port: 1 } as const;
    const error = await failureAt(local);
    expect(error.message).toContain("tcp://127.0.0.1:1: connection refused; is the engine, or");
    expect(error.ifItLasts).toBeUndefined();
    const nowhere = { kind: "tcp", host: "nowhere.invalid", port: 1 } as const;
    expect((await failureAt(nowhere)).message).toContain("no such host; check DOCKER_HOST");
  });
});

/** Its socket is in a directory that other users can enter. */
async function openedFake(): Promise<Disposable & { readonly socketPath: string }> {
  const directory = openDirectory();
  const fake = await new FakeEngine(join(directory.path, "docker.sock")).start();
  return {
    socketPath: fake.socketPath,
    [Symbol.dispose]: () => {
      fake[Symbol.dispose]();
      directory[Symbol.dispose]();
    },
  };
}

// Only root can become another user.
describe.skipIf(process.getuid?.() !== 0)("the message when permission is denied", () => {
  test("names the group to add, for docker run and for Compose, and that group works", async () => {
    using fake = await openedFake();
    chmodSync(fake.socketPath, 0o660);
    chownSync(fake.socketPath, 0, 4_711);
    expect(await failureAsUser(fake.socketPath)).toBe(
      `Cannot reach the Docker engine at unix://${fake.socketPath}: permission denied; add the proxy to group 4711, which owns the socket (docker run --group-add 4711; in Compose group_add: ["4711"])`,
    );
    expect(await failureAsUser(fake.socketPath, 4_711)).toBe("no failure");
  });

  test("a socket for one user only: names the user, because no group would help", async () => {
    using fake = await openedFake();
    chmodSync(fake.socketPath, 0o600);
    chownSync(fake.socketPath, 4_712, 4_711);
    expect(await failureAsUser(fake.socketPath, 4_711)).toContain(
      'only user 4712 may use the socket; run the proxy as that user (docker run --user 4712; in Compose user: "4712")',
    );
  });

  test("a directory that the proxy may not enter: names its owner", async () => {
    using directory = openDirectory();
    const closed = join(directory.path, "1000");
    mkdirSync(closed, { mode: 0o700 });
    chownSync(closed, 1_000, 1_000);
    mkdirSync(join(closed, "run"));
    expect(await failureAsUser(join(closed, "run", "docker.sock"))).toContain(
      `the proxy's user may not enter ${closed}, which belongs to user 1000; run the proxy as that user`,
    );
  });
});

describe("refusalError()", () => {
  test.each([
    ["GET /containers/json", "set CONTAINERS=1"],
    ["GET /containers/abc/json", "set CONTAINERS=1"],
    ["GET /events", "set EVENTS=1"],
    ["GET /version", "set VERSION=1"],
  ])("a socket proxy forbids %s", (request, advice) => {
    const html =
      "<html><body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.\n</body></html>";
    const error = refusalError(request, 403, html);
    expect(error.kind).toBe("forbidden");
    expect(error.message).toStartWith(
      `The engine answered 403 to ${request}: 403 Forbidden Request forbidden by administrative rules.; allow this request in the socket proxy: ${advice}`,
    );
  });

  test.each([403, 405])(
    "a %p in plain text comes from a socket proxy with regular expressions",
    (status) => {
      const error = refusalError("GET /events", status, "Forbidden\n");
      expect(error.kind).toBe("forbidden");
      expect(error.message).toBe(
        String.raw`The engine answered ${status} to GET /events: Forbidden; allow this request in the socket proxy: set -allowGET=/v1\.\d+/(version|events|containers/json|containers/[^/]+/json) and -allowfrom=<host name of this proxy>`,
      );
    },
  );

  test.each([502, 503, 504])(
    "a %p of a socket proxy means that the engine does not answer",
    (status) => {
      const html = `<html><body><h1>${status} Service Unavailable</h1>\nNo server is available.</body></html>`;
      const error = refusalError("GET /version", status, html);
      expect(error.kind).toBe("unreachable");
      expect(error.message).toEndWith(
        "No server is available.; the socket proxy runs, but the engine behind it does not answer",
      );
    },
  );

  test.each([403, 503])("a %p in JSON comes from the engine itself and is a refusal", (status) => {
    const error = refusalError("GET /containers/json", status, '{"message":"not today"}');
    expect(error).toMatchObject({
      kind: "refused",
      message: `The engine answered ${status} to GET /containers/json: not today`,
    });
  });
});

type Refusal = { readonly engine: string; readonly status: number; readonly body?: unknown };

/** Answers of engines to /services, /tasks and /nodes. Recorded on 20.10.24; 26.1.5 answers the same. */
function recordedRefusals(): readonly Refusal[] {
  const path = join(import.meta.dir, "../support/engine/swarm/not-a-manager.ndjson");
  return readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Refusal)
    .filter(({ status }) => status !== 200);
}

/** Only the beginning may differ from the recording. */
const STARTING = "This node is not a swarm manager. Manager is being prepared or has trouble.";

describe("refusalError() on /services", () => {
  const kindOf = ({ status, body }: Refusal): string => {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return refusalError("GET /services", status, text).kind;
  };

  test("recorded answers: only a worker and an engine in no swarm are not a manager", () => {
    expect(recordedRefusals().map((refusal) => [refusal.engine, kindOf(refusal)])).toEqual([
      ["never in a swarm, or has left it", "not a manager"],
      ["worker", "not a manager"],
      ["manager whose key is locked (autolock)", "refused"],
      ["manager without quorum (from about 17 s on): after 20 s", "refused"],
      ["manager without quorum (from about 40 s on): at once", "refused"],
      ["behind a socket proxy that does not allow it", "forbidden"],
      ["manager; filter by a service that is gone", "refused"],
      ["manager; filter that does not exist", "refused"],
      ["manager; a task that is gone", "refused"],
    ]);
  });

  test.each<[what: string, status: number, message: string, kind: string]>([
    ["a manager that is starting", 503, STARTING, "refused"],
    ["the sentence alone", 503, "This node is not a swarm manager.", "refused"],
    [
      "other words after the sentence",
      503,
      "This node is not a swarm manager. Useless.",
      "refused",
    ],
    ["another status", 500, "This node is not a swarm manager. Use it", "refused"],
    ["words before the sentence", 503, "x This node is not a swarm manager. Use it", "refused"],
    ["Podman", 404, "Not Found", "refused"],
    ["Podman, another path", 503, "node is not part of a swarm", "refused"],
  ])("%s: is an ordinary failure", (engine, status, message, kind) => {
    expect(kindOf({ engine, status, body: { message } })).toBe(kind);
  });

  test("gives no advice when the node is not a manager", () => {
    const [none] = recordedRefusals();
    const { message } = refusalError("GET /services", 503, JSON.stringify(none?.body));
    expect(message).toEndWith("to connect this node to swarm and try again.");
  });
});
