import { describe, expect, test } from "bun:test";
import { EngineError } from "../../../src/engine/error.ts";
import { CONTAINER, ID, PEER, rig, START, seen } from "../../support/engine/container-loop.ts";
import { until } from "../../support/until.ts";

describe("ContainerLoop", () => {
  test("reports the container as met, then the sighting of a look with the rank of its wake", async () => {
    const { loop, told } = rig();
    await loop.wake(7);
    expect(told).toEqual([`met ${ID.slice(0, 12)}`, "saw routable 7"]);
  });

  test("any number of wakes during a look cause one more look, with the rank of the last wake", async () => {
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

  test("reports the end of the seen run at once without a look, and ignores the replay of an older end", async () => {
    const made = await seen();
    made.loop.onEvent(made.event("run over", { timeMs: START - 1 }));
    expect(made.told).toEqual([]);
    made.loop.onEvent(made.event("run over"));
    made.loop.onEvent(made.event("run over")); // `die` and `stop` both come
    expect([made.told, made.inspects]).toEqual([["over true has ended"], 1]);
  });

  test("repeats a look if the run ends during it", async () => {
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

  test("reports a stop signal at once as a sighting, and no other signal", async () => {
    const made = await seen();
    made.notices.record({ containerId: ID, signal: 1, timeMs: START + 500 });
    made.loop.onEvent(made.event("kill", { signal: 1 }));
    expect(made.told).toEqual([]);
    made.notices.record({ containerId: ID, signal: 15, timeMs: START + 500 });
    made.loop.onEvent(made.event("kill", { signal: 15 }));
    expect([made.told, made.inspects]).toEqual([["saw stopping 1"], 1]);
  });

  test("reports a failed inspect once for each reason, and tries again", async () => {
    const failure = new EngineError("no answer in time", { kind: "unreachable" });
    const made = await seen(1, failure);
    expect(made.loop.hasSeen).toBe(false);
    await made.loop.wake(2);
    expect(made.told).toEqual([]);
    made.shown = CONTAINER;
    await until("it is tried again by itself", () => made.told.length > 0);
    expect([made.told, made.loop.hasSeen]).toEqual([["saw routable 2"], true]);
  });

  test("reports a removed container as absent, then as gone", async () => {
    const made = await seen();
    made.shown = undefined;
    await made.loop.wake(2);
    expect([made.told, made.isGone]).toEqual([["saw absent 2", "gone"], true]);
  });

  test("reports the end of its run when the container whose network it shares ends", async () => {
    const made = await seen(1, { ...CONTAINER, networkMode: `container:${PEER.id}` });
    expect(made.loop.peerId).toBe(PEER.id);
    made.loop.onPeerEvent(made.event("run over", { timeMs: PEER.startedAtMs - 1 })); // a replay
    expect(made.told).toEqual([]);
    made.loop.onPeerEvent(made.event("run over"));
    expect(made.told).toEqual(["over true has lost its network: the container vpn has ended"]);
  });
});
