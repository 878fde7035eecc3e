import { describe, expect, test } from "bun:test";
import { type EngineError, refusalError, unreachable } from "../../../src/engine/error.ts";
import { SwarmConnection } from "../../../src/sources/swarm/connection.ts";
import { refusalOf, type SwarmMode } from "../../support/engine/swarm-refusals.ts";
import { memoryLog } from "../../support/proxy/memory-log.ts";
import { expectNever, within } from "../../support/until.ts";

type Refusal = Exclude<SwarmMode, "manager" | "hang">;

function refused(mode: Refusal): EngineError {
  const { status, body } = refusalOf(mode);
  return refusalError("GET /services", status, body);
}

const NOT_FOUND = refusalError("GET /services", 404, '{"message":"page not found"}');
const SILENT = unreachable(
  { kind: "unix", path: "/run/docker.sock" },
  new DOMException("late", "TimeoutError"),
);

function connect() {
  const log = memoryLog();
  return { log, connection: new SwarmConnection(log) };
}

describe("SwarmConnection of an engine that has never answered", () => {
  test.each<[what: string, error: EngineError]>([
    ["in no swarm", refused("no swarm")],
    ["a worker", refused("worker")],
    ["an engine without swarm support", NOT_FOUND],
  ])("%s: only containers, and no log line", (_what, error) => {
    const { log, connection } = connect();
    connection.failed(error);
    connection.sawTaskContainer();
    expect(connection).toMatchObject({ isManager: false, isExpected: false, isAnswering: false });
    expect([connection.status, log.lines.length]).toEqual([null, 0]);
  });

  test.each<[what: string, error: EngineError]>([
    ["a manager that is starting", refused("being prepared")],
    ["a manager whose key is locked", refused("locked")],
    ["a manager without a quorum", refused("deadline")],
    ["a manager without a leader", refused("no leader")],
    ["silence", SILENT],
    ["another error of the engine", refusalError("GET /services", 500, '{"message":"no"}')],
    [
      "the worker's message with another status",
      refusalError("GET /services", 500, messageOf("worker")),
    ],
    ["an error in front of the engine", refusalError("GET /services", 503, "<h1>no server</h1>")],
  ])("%s decides nothing: the engine is asked again soon, and is no longer new", (_what, error) => {
    const { log, connection } = connect();
    expect(connection.isNew).toBe(true);
    for (let n = 0; n < 3; n += 1) connection.failed(error);
    expect(connection).toMatchObject({ isManager: false, isExpected: true, isNew: false });
    expect([connection.status, log.lines.length]).toEqual([null, 0]);
    connection.answered();
    expect(connection).toMatchObject({ isManager: true, isAnswering: true });
  });

  test("a socket proxy that forbids it: logged once, and only if there are containers of tasks", () => {
    const { log, connection } = connect();
    connection.failed(refused("forbidden"));
    connection.failed(refused("forbidden"));
    expect([connection.status, log.lines.length]).toEqual([null, 0]);
    connection.sawTaskContainer();
    connection.sawTaskContainer();
    connection.failed(refused("forbidden"));
    expect(connection.status).toMatchObject({
      state: "forbidden",
      reason: expect.stringContaining("SERVICES=1 TASKS=1 NODES=1"),
    });
    expect([log.count("SERVICES=1 TASKS=1 NODES=1"), log.lines.length]).toEqual([1, 1]);
    connection.failed(refused("no swarm"));
    expect(connection.status).toBe(null);
  });
});

describe("SwarmConnection of a manager", () => {
  test.each<[what: string, error: EngineError]>([
    ["it is starting again", refused("being prepared")],
    ["its key is locked", refused("locked")],
    ["it has no quorum", refused("deadline")],
    ["it has no leader", refused("no leader")],
    ["it is silent", SILENT],
    ["a server in front of it knows no such path", NOT_FOUND],
  ])("%s: keeps the known tasks, and logs it once", (_what, error) => {
    const { log, connection } = connect();
    connection.answered();
    const { since } = connection.status ?? {};
    for (let n = 0; n < 3; n += 1) connection.failed(error);
    expect(connection).toMatchObject({ isManager: true, isAnswering: false });
    expect(connection.status).toMatchObject({ state: "lost", reason: error.message });
    expect(log.count("swarm lost")).toBe(1);
    connection.answered();
    connection.answered();
    expect(connection.status).toMatchObject({ state: "followed", reason: null });
    expect(Date.parse(connection.status?.since ?? "")).toBeGreaterThanOrEqual(
      Date.parse(since ?? ""),
    );
    expect(log.count("swarm reconnected")).toBe(1);
    expect(log.lines).toHaveLength(3);
  });

  test.each<Refusal>(["worker", "no swarm", "forbidden"])(
    "%s: it is no longer a manager",
    (mode) => {
      const { log, connection } = connect();
      connection.answered();
      connection.failed(SILENT);
      connection.failed(refused(mode));
      connection.failed(refused(mode));
      expect(connection).toMatchObject({ isManager: false, isExpected: false, isNew: false });
      expect(connection.status).toBe(null);
      expect(log.count("swarm left")).toBe(1);
      connection.failed(SILENT); // says nothing about the engine's role
      expect(connection).toMatchObject({ isManager: false, isExpected: false });
      connection.answered();
      expect(connection.status).toMatchObject({ state: "followed" });
      expect(log.count("swarm followed")).toBe(2);
    },
  );
});

describe("decided", () => {
  test.each<[what: string, act: (connection: SwarmConnection) => void]>([
    ["an answer", (connection) => connection.answered()],
    ["a refusal", (connection) => connection.failed(refused("worker"))],
    ["an attempt without a result", (connection) => connection.tried()],
  ])("resolves with %s", async (_what, act) => {
    const { connection } = connect();
    let isDecided = false;
    void connection.decided.then(() => {
      isDecided = true;
    });
    await expectNever("it is decided", () => isDecided, 10);
    act(connection);
    await within("the decision", connection.decided);
  });
});

function messageOf(mode: Refusal): string {
  return refusalOf(mode).body;
}
