import { describe, expect, test } from "bun:test";
import { EngineError } from "../../../src/engine/error.ts";
import { SwarmConnection } from "../../../src/sources/swarm/connection.ts";
import { memoryLog } from "../../support/proxy/memory-log.ts";

const NOT_A_MANAGER = new EngineError("This node is not a swarm manager", {
  ...{ kind: "not a manager", status: 503 },
});
const FORBIDDEN = new EngineError("403", { kind: "forbidden", status: 403 });
const NOT_FOUND = new EngineError("page not found", { kind: "refused", status: 404 });
const FAILED = new EngineError("The engine answered 500", { kind: "refused", status: 500 });

function rig() {
  const log = memoryLog();
  return { log, connection: new SwarmConnection(log) };
}

describe("SwarmConnection", () => {
  test("an engine without a swarm, a worker and one that knows no swarm: nothing is shown or said", () => {
    for (const refusal of [NOT_A_MANAGER, NOT_FOUND]) {
      const { log, connection } = rig();
      expect([connection.isNew, connection.isExpected]).toEqual([true, true]);
      connection.failed(refusal);
      expect([connection.isNew, connection.isExpected]).toEqual([false, false]);
      expect(connection.status).toBeNull();
      expect(log.lines).toEqual([]);
    }
  });

  test("a manager is followed; while it fails what is known is kept, and that is said once each way", () => {
    const { log, connection } = rig();
    connection.answered();
    expect(connection.status).toMatchObject({ state: "followed", reason: null });
    connection.failed(FAILED);
    connection.failed(FAILED);
    connection.failed(NOT_FOUND); // only what is in front of a manager says so
    expect(connection.status).toMatchObject({ state: "lost", reason: "page not found" });
    expect([connection.isManager, connection.isAnswering]).toEqual([true, false]);
    connection.answered();
    expect(connection.isAnswering).toBe(true);
    expect(log.lines.map(({ level }) => level)).toEqual(["info", "warn", "info"]);
  });

  test("a manager that leaves or is demoted is none any more, and may become one again", () => {
    const { log, connection } = rig();
    connection.answered();
    connection.failed(NOT_A_MANAGER);
    expect(connection.status).toBeNull();
    expect(log.lines.at(-1)?.message).toContain("no manager of the swarm any more");
    connection.answered();
    expect(connection.status?.state).toBe("followed");
    expect(connection.isNew).toBe(false);
  });

  test("one that has never told stays undecided, and says nothing", () => {
    const { log, connection } = rig();
    connection.failed(FAILED);
    expect([connection.isNew, connection.isExpected, connection.isManager]).toEqual([
      ...[false, true, false],
    ]);
    expect(connection.status).toBeNull();
    expect(log.lines).toEqual([]);
  });

  test("a socket proxy that forbids it: what to allow is said if a container belongs to a task, once", () => {
    const { log, connection } = rig();
    connection.failed(FORBIDDEN);
    expect([connection.status, log.lines.length]).toEqual([null, 0]);
    connection.sawTaskContainer();
    connection.sawTaskContainer();
    connection.failed(FORBIDDEN);
    expect(connection.status).toMatchObject({
      ...{ state: "forbidden", reason: expect.stringContaining("SERVICES=1 TASKS=1 NODES=1") },
    });
    expect(log.lines.map(({ level }) => level)).toEqual(["warn"]);
  });

  test("decided when the first try has ended, whatever came of it", async () => {
    const { connection } = rig();
    let isDecided = false;
    void connection.decided.then(() => (isDecided = true));
    await Promise.resolve();
    expect(isDecided).toBe(false);
    connection.tried();
    await connection.decided;
    expect(isDecided).toBe(true);
  });
});
