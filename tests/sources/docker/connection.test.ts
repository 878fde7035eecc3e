import { expect, test } from "bun:test";
import { EngineConnection } from "../../../src/sources/docker/connection.ts";
import { until } from "../../support/until.ts";

test("EngineConnection is connecting until the first answer, whatever fails before", () => {
  const connection = new EngineConnection();
  const { sinceMs } = connection.status;
  expect(connection.status).toEqual({ state: "connecting", sinceMs, reason: undefined });
  connection.failed("refused");
  expect(connection.status).toEqual({ state: "connecting", sinceMs, reason: "refused" });
});

test("EngineConnection is lost after the first failure, and shows the latest reason", async () => {
  const connection = new EngineConnection();
  connection.opened();
  const connected = connection.status;
  expect(connected).toMatchObject({ state: "connected", reason: undefined });
  await until("time has passed", () => Date.now() > connected.sinceMs);
  connection.opened(); // only the stream was opened again
  expect(connection.status).toEqual(connected);
  connection.failed("refused");
  const { sinceMs } = connection.status;
  expect(sinceMs).toBeGreaterThan(connected.sinceMs);
  await until("time has passed", () => Date.now() > sinceMs);
  connection.failed("no such socket");
  expect(connection.status).toEqual({ state: "lost", sinceMs, reason: "no such socket" });
  connection.opened();
  expect(connection.status).toMatchObject({ state: "connected", reason: undefined });
});

test("EngineConnection reports each change of state once, and the first failure before the first answer", () => {
  const told: string[] = [];
  const connection = new EngineConnection(({ state, reason }) => told.push(`${state} ${reason}`));
  connection.failed("no such socket");
  connection.failed("refused");
  connection.opened();
  connection.ended();
  connection.opened(); // only the stream was opened again
  connection.failed("refused");
  connection.failed("no such socket");
  connection.opened();
  expect(told).toEqual([
    "connecting no such socket",
    "connected undefined",
    "lost refused",
    "connected undefined",
  ]);
});
