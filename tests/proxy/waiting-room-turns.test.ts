import { describe, expect, test } from "bun:test";
import type { Tried, Waiter } from "../../src/proxy/waiting-room.ts";
import { makeRoom, routed, waiter } from "../support/proxy/waiter.ts";

/** Takes 1 ms, so that some of them take more than one turn. */
function slow(): Tried<number> {
  const untilMs = performance.now() + 1;
  while (performance.now() < untilMs);
  return routed(0);
}

describe("WaitingRoom, while others have their turn", () => {
  test("a lane that could not go, and whose last one has left, stops no other", async () => {
    const { room } = makeRoom();
    const client = new AbortController();
    void room.wait(waiter({ lane: "a", signal: client.signal }));
    const ends = Array.from({ length: 20 }, () => room.wait(waiter({ lane: "b", attempt: slow })));
    room.wake();
    await ends[0];
    client.abort(); // in the break between two turns
    expect(await Promise.all(ends)).toHaveLength(20);
  });

  test("one that comes while others try is tried too", async () => {
    const { room } = makeRoom();
    void room.wait(waiter({ lane: "pinned" }));
    const others = Array.from({ length: 20 }, () =>
      room.wait(waiter({ model: "n", attempt: slow })),
    );
    room.wake();
    await others[0];
    expect(room.isBehind("m", "")).toBe(true);
    expect((await room.wait(waiter({ attempt: () => routed(1) }))).kind).toBe("routed");
    await Promise.all(others);
    room.close();
  });

  test("those that come back keep their places", async () => {
    const { room } = makeRoom();
    const order: number[] = [];
    const one = (arrival: number): Waiter<number> =>
      waiter({
        arrival,
        attempt: () => {
          order.push(arrival);
          return routed(1);
        },
      });
    const ends = [1_003, 1_001, 1_004, 1_000, 1_002].map((arrival) => room.wait(one(arrival)));
    expect(room.counts.get("m")).toBe(5);
    room.wake();
    await Promise.all(ends);
    expect(order).toEqual([1_000, 1_001, 1_002, 1_003, 1_004]);
  });

  test("takes turns with everybody else when thousands are let in", async () => {
    const { room } = makeRoom();
    const busy = (): Tried<number> => {
      const untilMs = performance.now() + 0.2;
      while (performance.now() < untilMs);
      return routed(0);
    };
    const ends = Array.from({ length: 500 }, () => room.wait(waiter({ attempt: busy })));
    let [longestMs, lastMs] = [0, performance.now()];
    const ticker = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - lastMs);
      lastMs = performance.now();
    }, 1);
    room.wake();
    await Promise.all(ends);
    clearInterval(ticker);
    expect(longestMs).toBeGreaterThan(0);
    expect(longestMs).toBeLessThan(80); // all in one go would take 100 ms at least
  });
});
