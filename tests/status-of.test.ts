import { describe, expect, test } from "bun:test";
import { EngineConnection } from "../src/sources/docker/connection.ts";
import { type StatusInit, statusOf } from "../src/status-of.ts";
import { recent } from "./support/proxy/recent.ts";

const RECENT = recent(3);

const CONTAINER = {
  id: "c1",
  name: "vllm",
  state: "routed",
  reason: "healthy",
  since: "2026-01-01T00:00:00.000Z",
  address: "http://172.17.0.2:8000",
  models: ["m"],
  model_count: 1,
  in_flight: 2,
  max_in_flight: 16,
  load: 2.5,
  requests_last_minute: { prefix: 3, load: 1, only: 0, failover: 0 },
  last_exit: { reason: "exited with code 1", at: "2025-12-31T23:59:00.000Z" },
  crash_loop: false,
  recent: null,
};

test("statusOf() keeps its field names", () => {
  const connection = new EngineConnection();
  const status = statusOf(
    {
      version: "1.2.3",
      startedMs: 1_000,
      engine: {
        address: "unix:///var/run/docker.sock",
        apiVersion: "1.41",
        connection: connection.status,
      },
      ready: true,
      containers: [CONTAINER, { ...CONTAINER, in_flight: 3 }],
      listed: [{ id: "m" }],
      waiting: new Map(),
    },
    62_400,
  );
  expect(status).toEqual({
    version: "1.2.3",
    started_at: "1970-01-01T00:00:01.000Z",
    uptime_seconds: 61,
    ready: true,
    in_flight: 5,
    engine: {
      address: "unix:///var/run/docker.sock",
      state: "connecting",
      reason: null,
      since: new Date(connection.status.sinceMs).toISOString(),
      api_version: "1.41",
    },
    containers: [CONTAINER, { ...CONTAINER, in_flight: 3 }],
    swarm: null,
    models: [{ id: "m", waiting: 0, in_flight: 0, servers: [], recent: null }],
    recent: null,
    changes: [],
    left_out: { containers: 0, services: 0, models: 0, changes: 0, details: false },
  });
});

test("statusOf() says why the engine is unreachable, and shows no negative time after a clock change", () => {
  const connection = new EngineConnection();
  connection.failed("no such socket");
  const status = statusOf(
    {
      version: "1.2.3",
      startedMs: 5_000,
      engine: {
        address: "tcp://proxy:2375",
        apiVersion: undefined,
        connection: connection.status,
      },
      ready: false,
      containers: [],
      listed: [],
      waiting: new Map(),
    },
    1_000,
  );
  expect(status).toMatchObject({
    uptime_seconds: 0,
    engine: { address: "tcp://proxy:2375", reason: "no such socket", api_version: null },
  });
});

describe("the models of statusOf()", () => {
  const INIT: StatusInit = {
    version: "1.2.3",
    startedMs: 0,
    engine: {
      address: "unix:///var/run/docker.sock",
      apiVersion: "1.41",
      connection: new EngineConnection().status,
    },
    ready: true,
    containers: [],
    listed: [],
    waiting: new Map(),
  };
  const listed = [{ id: "B" }, { id: "full" }, { id: "z" }];

  test("are listed, waited for, or asked for recently, sorted by id", () => {
    const waiting = new Map([
      ["replaced", 12],
      ["full", 3],
      ["__proto__", 1],
      ["y".repeat(64 * 1024), 1],
    ]);
    const recentModels = (): readonly string[] => ["gone", "full"];
    const { models } = statusOf({ ...INIT, listed, waiting, recentModels }, 0);
    expect(models.map(({ id, waiting: count }) => [id, count])).toEqual([
      ["B", 0],
      ["__proto__", 1],
      ["full", 3],
      ["gone", 0],
      ["replaced", 12],
      [`${"y".repeat(1_000)}…`, 1],
      ["z", 0],
    ]);
  });

  test("have the values of the other parts", () => {
    const servers = [{ container: "vllm", gets: "all" }] as const;
    const status = statusOf(
      {
        ...INIT,
        listed,
        serversOf: (id) => (id === "B" ? servers : []),
        inFlightOf: (id) => id.length,
        recentOf: (id) => (id === "z" ? RECENT : null),
        recentOfAll: () => RECENT,
      },
      0,
    );
    expect(status.models).toEqual([
      { id: "B", waiting: 0, in_flight: 1, servers, recent: null },
      { id: "full", waiting: 0, in_flight: 4, servers: [], recent: null },
      { id: "z", waiting: 0, in_flight: 1, servers: [], recent: RECENT },
    ]);
    expect(status.recent).toEqual(RECENT);
  });

  test("show only as many servers as fit, and the status says that some are left out", () => {
    const serversOf: StatusInit["serversOf"] = (_id, countMax) =>
      Array.from({ length: Math.min(countMax, 50_000) }, (_, n) => ({
        ...{ container: `${n}`, gets: "none" },
      }));
    const { models, left_out } = statusOf({ ...INIT, listed, serversOf }, 0);
    expect(models.map(({ servers }) => servers.length)).toEqual([21_845, 21_845, 21_845]);
    expect(left_out).toEqual({ containers: 0, services: 0, models: 0, changes: 0, details: true });
  });

  test("the status also says so if only one model has too many servers", () => {
    const serversOf: StatusInit["serversOf"] = (id, countMax) =>
      Array.from({ length: id === "B" ? countMax : 1 }, (_, n) => ({
        ...{ container: `${n}`, gets: "none" },
      }));
    expect(statusOf({ ...INIT, listed, serversOf }, 0).left_out.details).toBe(true);
  });

  test("are only as many as fit, even if requests wait for more; the status counts the others", () => {
    const waiting = new Map(Array.from({ length: 5_000 }, (_, n) => [`m${n}`, 1] as const));
    const { models, left_out } = statusOf({ ...INIT, listed, waiting }, 0);
    expect(models).toHaveLength(4_369);
    expect(left_out.models).toBe(5_003 - 4_369);
  });

  test("each have at least one server, even with very many models", () => {
    const many = Array.from({ length: 65_537 }, (_, n) => ({ id: `${n}` }));
    const serversOf: StatusInit["serversOf"] = () => [{ container: "vllm", gets: "all" }];
    const { models, left_out } = statusOf({ ...INIT, listed: many, serversOf }, 0);
    expect(models.every(({ servers }) => servers.length === 1)).toBe(true);
    expect(left_out.details).toBe(false);
  });

  test("the status says so if a container does not list all its models", () => {
    const containers = [{ ...CONTAINER, model_count: 2 }];
    expect(statusOf({ ...INIT, containers }, 0).left_out.details).toBe(true);
  });
});

test("statusOf() keeps the models that requests asked for, and counts all others", () => {
  const listed = Array.from({ length: 10_000 }, (_, n) => ({ id: `m${n}` })).sort((a, b) =>
    a.id < b.id ? -1 : 1,
  );
  const init: StatusInit = {
    ...{ version: "1", startedMs: 0, ready: true, containers: [], listed },
    engine: { address: "", apiVersion: "", connection: new EngineConnection().status },
    waiting: new Map([["zz", 1]]),
    recentModels: () => ["m9999", "gone"],
  };
  const { models, left_out } = statusOf(init, 0);
  expect(models).toHaveLength(4_369);
  expect(left_out.models).toBe(10_002 - 4_369);
  const ids = models.map(({ id }) => id);
  expect(ids).toEqual(ids.toSorted());
  for (const id of ["zz", "m9999", "gone"]) expect(ids).toContain(id);
});
