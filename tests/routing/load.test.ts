import { describe, expect, test } from "bun:test";
import { Load } from "../../src/routing/load.ts";

describe("Load", () => {
  test("value is the requests in flight plus their unread bytes in units of 8 KiB", () => {
    const load = new Load();
    load.began(4_096);
    load.began(0);
    expect([load.inFlight, load.unreadBytes, load.value]).toEqual([2, 4_096, 2.5]);
    load.wasRead(4_096);
    expect([load.inFlight, load.unreadBytes, load.value]).toEqual([2, 0, 2]);
    load.ended();
    load.ended();
    expect([load.inFlight, load.value]).toEqual([0, 0]);
  });

  test("is full at its limit of requests, and never without a limit", () => {
    const [limited, unlimited] = [new Load(2), new Load()];
    for (const load of [limited, unlimited]) for (const _ of [1, 2]) load.began(1_000_000);
    expect([limited.isFull, unlimited.isFull]).toEqual([true, false]);
    limited.ended();
    expect(limited.isFull).toBe(false);
  });

  test("cools until the time in the last call, which may be earlier", () => {
    const load = new Load();
    expect(load.isCooling(0)).toBe(false);
    load.cool(5_000);
    expect([load.isCooling(4_999), load.isCooling(5_000)]).toEqual([true, false]);
    load.cool(1_000);
    expect([load.isCooling(999), load.isCooling(1_000)]).toEqual([true, false]);
  });

  test("lastMinute() counts the decisions of the last minute", () => {
    const load = new Load();
    expect(load.lastMinute(0)).toEqual({ prefix: 0, load: 0, only: 0, failover: 0 });
    load.decided("prefix", 1_000);
    load.decided("prefix", 2_000);
    load.decided("failover", 2_000);
    expect(load.lastMinute(3_000)).toEqual({ prefix: 2, load: 0, only: 0, failover: 1 });
    expect(new Load().lastMinute(3_000)).toEqual({ prefix: 0, load: 0, only: 0, failover: 0 });
  });
});

test("onRoom is called when a full run has room again, and only then", () => {
  const load = new Load(2);
  let told = 0;
  load.onRoom = () => {
    told += 1;
  };
  for (const _ of [1, 2]) load.began(0);
  load.ended();
  expect(told).toBe(1);
  load.ended();
  expect(told).toBe(1);
});
