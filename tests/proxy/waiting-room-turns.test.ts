import { describe, expect, test } from "bun:test";
import { type Tried, type Waiter, WaitingRoom } from "../../src/proxy/waiting-room.ts";
import { memoryLog } from "../support/proxy/memory-log.ts";

type Init = Partial<Waiter<number>>;

function rig(init: { readonly timeoutMs?: number; readonly waitersMax?: number } = {}): {
  readonly room: WaitingRoom;
  readonly log: ReturnType<typeof memoryLog>;
} {
  const log = memoryLog();
  return { room: new WaitingRoom({ timeoutMs: 60_000, log, ...init }), log };
}

let arrivals = 0;

function nextArrival(): number {
  arrivals += 1;
  return arrivals;
}

function waiter(init: Init = {}): Waiter<number> {
  return {
    model: "m",
    lane: "",
    signal: new AbortController().signal,
    patienceMs: 60_000,
    arrival: nextArrival(),
    reason: "its server is starting",
    waits: () => () => undefined,
    attempt: () => ({ kind: "waits" }),
    ...init,
  };
}

/** Takes 1 ms, so that some of them take more than one turn. */
function slow(): Tried<number> {
  const untilMs = performance.now() + 1;
  while (performance.now() < untilMs);
  return routed(0);
}

const routed = (value: number): Tried<number> => ({ kind: "routed", value });

describe("WaitingRoom, while others have their turn", () => {
  test("a lane that could not go, and whose last one has left, stops no other", async () => {
    const { room } = rig();
    const client = new AbortController();
    void room.wait(waiter({ lane: "a", signal: client.signal }));
    const ends = Array.from({ length: 20 }, () => room.wait(waiter({ lane: "b", attempt: slow })));
    room.wake();
    await ends[0];
    client.abort(); // in the break between two turns
    expect(await Promise.all(ends)).toHaveLength(20);
  });

  test("one that comes while others try is tried too", async () => {
    const { room } = rig();
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
    const { room } = rig();
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
    const { room } = rig();
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
