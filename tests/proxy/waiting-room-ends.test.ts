import { expect, spyOn, test } from "bun:test";
import { getEventListeners } from "node:events";
import type { Tried } from "../../src/proxy/waiting-room.ts";
import { makeRoom, routed, waiter } from "../support/proxy/waiter.ts";

const attempt = (): Tried<number> => routed(1);

test("a wait that has ended leaves no timer and no listener", async () => {
  const { room } = makeRoom();
  const { signal } = new AbortController();
  const set = spyOn(globalThis, "setTimeout");
  const cleared = spyOn(globalThis, "clearTimeout");
  const end = room.wait(waiter({ attempt, signal, patienceMs: 54_321 }));
  const index = set.mock.calls.findIndex(([, ms]) => ms === 54_321);
  expect(getEventListeners(signal, "abort")).toHaveLength(1);
  room.wake();
  await end;
  const timer: unknown = set.mock.results[index]?.value;
  const isCleared = cleared.mock.calls.some(([one]) => one === timer);
  set.mockRestore();
  cleared.mockRestore();
  expect([index >= 0, isCleared]).toEqual([true, true]);
  expect(getEventListeners(signal, "abort")).toHaveLength(0);
});

test("a request that comes while others try is behind them", async () => {
  const { room } = makeRoom();
  const behind: boolean[] = [];
  const look = (): Tried<number> => {
    behind.push(room.isBehind("m", "x"));
    return routed(1);
  };
  const end = room.wait(waiter({ attempt: look }));
  expect(room.isBehind("m", "x")).toBe(false);
  room.wake();
  await end;
  expect(behind).toEqual([true]);
});

test("a request that leaves while others try does not try any more", async () => {
  const { room } = makeRoom();
  const client = new AbortController();
  let tries = 0;
  const first = room.wait(
    waiter({
      attempt: () => {
        setImmediate(() => client.abort()); // runs in the break between two turns
        const untilMs = performance.now() + 10; // longer than a turn
        while (performance.now() < untilMs);
        return routed(1);
      },
    }),
  );
  const left = room.wait(
    waiter({
      signal: client.signal,
      attempt: () => {
        tries += 1;
        return routed(1);
      },
    }),
  );
  room.wake();
  await first;
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  expect([(await left).kind, tries]).toEqual(["client_gone", 0]);
});
