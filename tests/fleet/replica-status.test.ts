import { expect, test } from "bun:test";
import { coolingNote, replicaStatus } from "../../src/fleet/replica-status.ts";
import { makeBackend } from "../support/server/backends.ts";

const NOTHING = { load: null, requests_last_minute: null };

test("replicaStatus() of a replica has its load, and the decisions of the last minute", () => {
  const replica = makeBackend({ isReplica: true });
  replica.acquire(8 * 1024);
  replica.acquire(1_000);
  for (const decision of ["prefix", "prefix", "load", "only", "failover"] as const) {
    replica.load.decided(decision, 1_000);
  }
  expect(replicaStatus(replica, 2_000)).toEqual({
    load: 3.1,
    requests_last_minute: { prefix: 2, load: 1, only: 1, failover: 1 },
  });
  expect(replicaStatus(replica, 62_000)).toMatchObject({
    requests_last_minute: { prefix: 0, load: 0, only: 0, failover: 0 },
  });
});

test("replicaStatus() is null without a backend, and for a backend without the label", () => {
  expect(replicaStatus(undefined, 0)).toEqual(NOTHING);
  expect(replicaStatus(makeBackend(), 0)).toEqual(NOTHING);
});

test("coolingNote() has a text only for a replica, and only while it is cooling", () => {
  const [replica, other] = [makeBackend({ isReplica: true }), makeBackend()];
  for (const { load } of [replica, other]) load.cool(1_000);
  expect(coolingNote(replica, 999)).toStartWith("it just answered 429 or 503");
  expect([
    coolingNote(replica, 1_000),
    coolingNote(other, 999),
    coolingNote(undefined, 999),
  ]).toEqual([undefined, undefined, undefined]);
});
