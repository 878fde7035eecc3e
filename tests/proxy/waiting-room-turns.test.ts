import { describe, expect, test } from "bun:test";
import type { Tried, Waiter } from "../../src/proxy/waiting-room.ts";
import { makeRoom, routed, waiter } from "../support/proxy/waiter.ts";

/** Takes 1 ms, so that several tries take more than one turn. */
function slow(): Tried<number> {
  const untilMs = performance.now() + 1;
  while (performance.now() < untilMs);
  return routed(0);
}

describe("WaitingRoom, in the break between two turns,", () => {
  test("is not blocked by a lane that could not go and is empty now", async () => {
    const { room } = makeRoom();
    const client = new AbortController();
    void room.wait(waiter({ lane: "a", signal: client.signal }));
    const ends = Array.from({ length: 20 }, () => room.wait(waiter({ lane: "b", attempt: slow })));
    room.wake();
    await ends[0];
    client.abort(); // in the break between two turns
    expect(await Promise.all(ends)).toHaveLength(20);
  });

  test("also tries a request that comes while others try", async () => {
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

  test("keeps the places of requests that come back", async () => {
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

  test("lets other work run when thousands of requests go", async () => {
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
    expect(longestMs).toBeLessThan(80); // without breaks it would take at least 100 ms
  });
});
