import { describe, expect, test } from "bun:test";
import { EngineError } from "../../../src/engine/error.ts";
import { CONTAINER, ID, PEER, rig, START, seen } from "../../support/engine/container-loop.ts";
import { until } from "../../support/until.ts";

describe("ContainerLoop", () => {
  test("tells that it is there, then what a look has seen, with the rank of its wake", async () => {
    const { loop, told } = rig();
    await loop.wake(7);
    expect(told).toEqual([`met ${ID.slice(0, 12)}`, "saw routable 7"]);
  });

  test("any number of wakes during a look make one more, with the rank of the last", async () => {
    const made = rig();
    const gate = Promise.withResolvers<void>();
    made.gate = gate.promise;
    const first = made.loop.wake(1);
    await until("the look has begun", () => made.inspects === 1);
    const rest = [2, 3, 4].map((rank) => made.loop.wake(rank));
    gate.resolve();
    await Promise.all([first, ...rest]);
    expect(made.told.slice(1)).toEqual(["saw routable 1", "saw routable 4"]);
  });

  test("the end of the run that was seen is told at once, without a look; an older one is a replay", async () => {
    const made = await seen();
    made.loop.onEvent(made.event("run over", { timeMs: START - 1 }));
    expect(made.told).toEqual([]);
    made.loop.onEvent(made.event("run over"));
    made.loop.onEvent(made.event("run over")); // `die` and `stop` both come
    expect([made.told, made.inspects]).toEqual([["over true has ended"], 1]);
  });

  test("a look under way when the run ends is made again", async () => {
    const made = rig();
    const gate = Promise.withResolvers<void>();
    made.gate = gate.promise;
    const look = made.loop.wake(1);
    await until("the look has begun", () => made.inspects === 1);
    made.loop.onEvent(made.event("run over"));
    made.shown = { ...CONTAINER, status: "exited" };
    gate.resolve();
    await look;
    expect([made.told.slice(1), made.inspects]).toEqual([["saw absent 1"], 2]);
  });

  test("a stop signal is told at once as a sighting, another signal is not", async () => {
    const made = await seen();
    made.notices.record({ containerId: ID, signal: 1, timeMs: START + 500 });
    made.loop.onEvent(made.event("kill", { signal: 1 }));
    expect(made.told).toEqual([]);
    made.notices.record({ containerId: ID, signal: 15, timeMs: START + 500 });
    made.loop.onEvent(made.event("kill", { signal: 15 }));
    expect([made.told, made.inspects]).toEqual([["saw stopping 1"], 1]);
  });

  test("an inspect that fails is told once for each reason, and tried again", async () => {
    const failure = new EngineError("no answer in time", { kind: "unreachable" });
    const made = await seen(1, failure);
    expect(made.loop.hasSeen).toBe(false);
    await made.loop.wake(2);
    expect(made.told).toEqual([]);
    made.shown = CONTAINER;
    await until("it is tried again by itself", () => made.told.length > 0);
    expect([made.told, made.loop.hasSeen]).toEqual([["saw routable 2"], true]);
  });

  test("a container that is removed is told of as absent, then as gone", async () => {
    const made = await seen();
    made.shown = undefined;
    await made.loop.wake(2);
    expect([made.told, made.isGone]).toEqual([["saw absent 2", "gone"], true]);
  });

  test("the run of the container whose network it shares ends: so does its own, as far as requests go", async () => {
    const made = await seen(1, { ...CONTAINER, networkMode: `container:${PEER.id}` });
    expect(made.loop.peerId).toBe(PEER.id);
    made.loop.onPeerEvent(made.event("run over", { timeMs: PEER.startedAtMs - 1 })); // a replay
    expect(made.told).toEqual([]);
    made.loop.onPeerEvent(made.event("run over"));
    expect(made.told).toEqual(["over true has lost its network: the container vpn has ended"]);
  });
});
