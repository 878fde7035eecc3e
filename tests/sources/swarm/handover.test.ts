import { expect, test } from "bun:test";
import { Handover } from "../../../src/sources/swarm/handover.ts";
import { expectNever, until } from "../../support/until.ts";

const HANDOVER_MS = 40;

function rig() {
  const acts: string[] = [];
  const handover: Handover = new Handover({
    onChange: () => acts.push(handover.takesTasks ? "taken" : "to containers"),
    onGivenBack: () => acts.push("let go"),
    handoverMs: HANDOVER_MS,
  });
  const untilDone = (act: string): Promise<void> =>
    until(`it is ${act}`, () => acts.at(-1) === act);
  const never = (forMs = 2 * HANDOVER_MS): Promise<void> => {
    const { length } = acts;
    return expectNever("a callback runs", () => acts.length > length, forMs);
  };
  return { acts, handover, untilDone, never };
}

test("take() at once if the container source has not taken the tasks yet", async () => {
  const { acts, handover, never } = rig();
  handover.take(true);
  handover.take(false);
  handover.take(true);
  expect([handover.takesTasks, acts]).toEqual([true, ["taken"]]);
  await never();
});

test("take() otherwise takes a while, however often it is called, and both sources have the tasks meanwhile", async () => {
  const { acts, handover, untilDone, never } = rig();
  const beganMs = performance.now();
  handover.take(false);
  handover.take(false);
  expect([handover.takesTasks, acts]).toEqual([false, []]);
  await untilDone("taken");
  expect(performance.now() - beganMs).toBeGreaterThanOrEqual(HANDOVER_MS - 2);
  expect(handover.takesTasks).toBe(true);
  await never();
});

test("take() at once replaces a pending take", async () => {
  const { acts, handover, never } = rig();
  handover.take(false);
  handover.take(true);
  expect(acts).toEqual(["taken"]);
  await never();
});

test("giveBack() tells the container source first, and the swarm source lets go a while later, however often it is called", async () => {
  const { acts, handover, untilDone, never } = rig();
  handover.take(true);
  handover.giveBack();
  expect([handover.takesTasks, acts]).toEqual([false, ["taken", "to containers"]]);
  handover.giveBack(); // another refusal
  expect(acts).toEqual(["taken", "to containers"]);
  await untilDone("let go");
  handover.giveBack();
  await never();
  expect(acts).toEqual(["taken", "to containers", "let go"]);
});

test("giveBack() during a pending take lets go at once, because the container source still has the tasks", async () => {
  const { acts, handover, never } = rig();
  handover.giveBack(); // nothing was taken
  handover.take(false);
  handover.giveBack();
  expect(acts).toEqual(["let go"]);
  await never();
});

test("take() during giveBack(): the swarm source has not let go, and keeps all tasks", async () => {
  const { acts, handover, never } = rig();
  handover.take(true);
  handover.giveBack();
  handover.take(false);
  expect([handover.takesTasks, acts]).toEqual([true, ["taken", "to containers", "taken"]]);
  await never();
});

test("stop() prevents all later callbacks", async () => {
  const { handover, never } = rig();
  handover.take(false);
  handover.stop();
  await never();
});
