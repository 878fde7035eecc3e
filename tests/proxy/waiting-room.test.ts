import { describe, expect, test } from "bun:test";
import type { Waiter } from "../../src/proxy/waiting-room.ts";
import type { WaitOutcome } from "../../src/telemetry/telemetry.ts";
import { makeRoom, routed, waiter } from "../support/proxy/waiter.ts";
import { until } from "../support/until.ts";

describe("WaitingRoom", () => {
  test("is closed with a timeout of 0, and for good when the proxy is being stopped", async () => {
    expect(makeRoom({ timeoutMs: 0 }).room.isOpen).toBe(false);
    const { room } = makeRoom();
    expect(room.isOpen).toBe(true);
    const outcomes: WaitOutcome[] = [];
    const [a, b] = [room.wait(waiter({ outcomes })), room.wait(waiter({ model: "n", outcomes }))];
    room.close();
    expect([(await a).kind, (await b).kind, ...outcomes]).toEqual([
      "closed",
      "closed",
      "gone",
      "gone",
    ]);
    expect([room.isOpen, room.isClosed, room.counts.size]).toEqual([false, true, 0]);
  });

  test("lets requests try in order of arrival, as many as there is room for", async () => {
    const { room } = makeRoom();
    let free = 0;
    const done: number[] = [];
    const ends = [0, 1, 2, 3].map((n) =>
      room.wait(
        waiter({
          attempt: () => {
            if (free === 0) return { kind: "waits" };
            free -= 1;
            done.push(n);
            return routed(n);
          },
        }),
      ),
    );
    free = 2;
    room.wake();
    await Promise.all(ends.slice(0, 2));
    expect([done, room.counts.get("m")]).toEqual([[0, 1], 2]);
    free = 2;
    room.wake();
    expect(await ends[3]).toMatchObject({ kind: "routed", value: 3 });
    expect([done, room.counts.size]).toEqual([[0, 1, 2, 3], 0]);
  });

  test("skips a lane whose first request cannot go, and tries the others", async () => {
    const { room } = makeRoom();
    const tries: string[] = [];
    const one = (name: string, lane: string, isFree: boolean): Waiter<number> =>
      waiter({
        lane,
        attempt: () => {
          tries.push(name);
          return isFree ? routed(1) : { kind: "waits" };
        },
      });
    void room.wait(one("a1", "a", false));
    void room.wait(one("a2", "a", true));
    const b = room.wait(one("b1", "b", true));
    room.wake();
    expect((await b).kind).toBe("routed");
    expect([tries, room.counts.get("m")]).toEqual([["a1", "b1"], 2]);
    room.close();
  });

  test("does not let the wait for one model delay another", async () => {
    const { room } = makeRoom();
    void room.wait(waiter());
    const other = room.wait(waiter({ model: "n", attempt: () => routed(7) }));
    room.wake();
    expect(await other).toMatchObject({ kind: "routed", value: 7 });
    room.close();
  });

  test("treats many wakes in one step as one", async () => {
    const { room } = makeRoom();
    let tries = 0;
    void room.wait(
      waiter({
        attempt: () => {
          tries += 1;
          return { kind: "waits" };
        },
      }),
    );
    for (let n = 0; n < 100; n += 1) room.wake();
    await until("it has tried", () => tries > 0);
    await new Promise(setImmediate);
    expect(tries).toBe(1);
    room.close();
  });

  test("puts a request that comes between a wake and the tries behind the waiting ones", async () => {
    const { room } = makeRoom();
    const first = room.wait(waiter({ attempt: () => routed(1) }));
    expect([room.isBehind("m", ""), room.isBehind("m", "x"), room.isBehind("n", "")]).toEqual([
      true,
      false,
      false,
    ]);
    room.wake();
    expect([room.isBehind("m", "x"), room.isBehind("n", "")]).toEqual([true, false]);
    await first;
    expect(room.isBehind("m", "")).toBe(false);
  });

  test("ends a wait at its timeout, when no server will come, and when the client leaves", async () => {
    const { room } = makeRoom();
    const outcomes: WaitOutcome[] = [];
    const late = await room.wait(waiter({ outcomes, patienceMs: 20 }));
    expect(late.kind).toBe("timeout");
    expect(late.waitedMs).toBeGreaterThanOrEqual(19);
    const client = new AbortController();
    const left = room.wait(waiter({ outcomes, signal: client.signal }));
    client.abort();
    expect((await left).kind).toBe("client_gone");
    const gone = room.wait(waiter({ outcomes, attempt: () => ({ kind: "gone" }) }));
    room.wake();
    expect((await gone).kind).toBe("gone");
    expect((await room.wait(waiter({ outcomes, signal: AbortSignal.abort() }))).kind).toBe(
      "client_gone",
    );
    expect(outcomes).toEqual(["timeout", "client_gone", "gone", "client_gone"]);
    expect(room.counts.size).toBe(0);
  });

  test("is full at its limit of waiting requests", () => {
    const { room } = makeRoom({ waitersMax: 2 });
    void room.wait(waiter());
    expect(room.isFull).toBe(false);
    void room.wait(waiter({ model: "n" }));
    expect(room.isFull).toBe(true);
    expect([...room.counts]).toEqual([
      ["m", 1],
      ["n", 1],
    ]);
    room.close();
    expect(room.isFull).toBe(false);
  });

  test("makes all try again after a wake during the tries", async () => {
    const { room } = makeRoom();
    let isFree = false;
    const first = room.wait(waiter({ attempt: () => (isFree ? routed(1) : { kind: "waits" }) }));
    const second = room.wait(
      waiter({
        model: "n",
        attempt: () => {
          isFree = true;
          room.wake();
          return routed(2);
        },
      }),
    );
    room.wake();
    expect((await second).kind).toBe("routed");
    expect((await first).kind).toBe("routed");
  });

  test("keeps a bug in one request's try away from the others", async () => {
    const { room } = makeRoom();
    const broken = room.wait(
      waiter({
        attempt: () => {
          throw new Error("a bug");
        },
      }),
    );
    const other = room.wait(waiter({ attempt: () => routed(1) }));
    room.wake();
    expect(await broken.catch(String)).toBe("Error: a bug");
    expect((await other).kind).toBe("routed");
    expect(room.counts.size).toBe(0);
  });

  test("logs one line for the first wait and one for the end of the last", async () => {
    const { room, log } = makeRoom();
    const [a, b] = [
      room.wait(waiter({ patienceMs: 5 })),
      room.wait(waiter({ attempt: () => routed(1) })),
    ];
    await a;
    room.wake();
    await b;
    const { lines } = log;
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatchObject({
      level: "info",
      message: "requests waiting",
      model: "m",
      reason: "its server is starting",
    });
    expect(lines[1]).toMatchObject({
      level: "info",
      message: "no requests waiting",
      model: "m",
      requests: 2,
      longest_seconds: expect.any(Number),
    });
  });
});
