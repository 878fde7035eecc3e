import { describe, expect, test } from "bun:test";
import type { Container } from "../../../src/engine/container.ts";
import type { ContainerEvent, RunFact } from "../../../src/engine/events.ts";
import { CONTAINER, eventOf, rig, START, seen } from "../../support/engine/container-loop.ts";

describe("ContainerLoop at the end of a run", () => {
  const SECOND = START + 5_000;

  /** Records an event in the history before the loop gets it, as docker.ts does. */
  function tell(
    made: ReturnType<typeof rig>,
    fact: RunFact,
    rest: Partial<ContainerEvent> = {},
  ): void {
    const isOver = fact === "die" || fact === "stop" || fact === "destroy";
    const event = { ...eventOf(isOver ? "run over" : "changed"), fact, ...rest };
    made.history.record(event);
    made.loop.onEvent(event);
  }

  test("reports the end and how the run ended", async () => {
    const made = await seen();
    tell(made, "oom");
    tell(made, "die", { exitCode: 137, timeMs: START + 533 });
    expect(made.told).toEqual(["over true ran out of memory (exit code 137)"]);
  });

  test("knows an exit code that a label hides only from the inspect", async () => {
    const hidden = { ...CONTAINER, labels: { ...CONTAINER.labels, exitCode: "0" } };
    const hiding: Container = { ...hidden, exitCodeIsHidden: true };
    const made = await seen(1, hiding);
    tell(made, "die", { exitCode: 0 });
    expect(made.told).toEqual(["over true has ended"]);
    made.shown = { ...hiding, status: "exited", exitCode: 3, finishedAtMs: START + 499 };
    await made.loop.wake(2);
    expect(made.last()).toMatchObject({ outlook: "gone", end: { reason: "exited with code 3" } });
  });

  test("reports a container that was removed after a stop as stopped, with its name and slots", async () => {
    const made = await seen();
    tell(made, "kill", { kind: "kill", signal: 15 });
    tell(made, "die", { exitCode: 0, timeMs: START + 600 });
    tell(made, "destroy", { timeMs: START + 700 });
    made.shown = undefined;
    await made.loop.wake(2);
    const told = {
      ...{ outlook: "was stopped", name: CONTAINER.name, slots: [`name ${CONTAINER.name}`] },
      end: { kind: "stopped", brief: "was stopped", reason: "was stopped" },
    };
    expect(made.last()).toMatchObject(told);
    const late = made.another(); // a late event creates a new loop for it
    await late.wake(3);
    expect(made.last()).toMatchObject(told);
  });

  test.each<[what: string, facts: readonly Partial<ContainerEvent>[], outlook: string]>([
    ["a crash", [], "starts again"],
    [
      "the third crash in a row",
      [
        { fact: "start", timeMs: START - 9_000 },
        { fact: "die", timeMs: START - 8_000, exitCode: 1 },
        { fact: "start", timeMs: START - 7_000 },
        { fact: "die", timeMs: START - 6_000, exitCode: 1 },
      ],
      "crash loop",
    ],
  ])("%s, then a new run", async (_what, facts, outlook) => {
    const starting: Container = { ...CONTAINER, health: "starting" };
    const made = rig(starting);
    for (const fact of facts) made.history.record({ ...eventOf("changed"), ...fact }); // replayed
    await made.loop.wake(1);
    tell(made, "die", { exitCode: 1 });
    made.shown = { ...starting, status: "restarting", exitCode: 1, finishedAtMs: START + 499 };
    await made.loop.wake(2);
    expect(made.last()).toMatchObject({ state: "restarting", outlook });
    made.shown = { ...starting, startedAtMs: SECOND, restartCount: 3 };
    await made.loop.wake(3);
    const isCrashLoop = outlook === "crash loop";
    const lastEnd = { kind: "exited", brief: "exited with code 1", reason: "exited with code 1" };
    expect(made.last()).toMatchObject({ kind: "present", isCrashLoop, lastEnd });
    made.shown = { ...starting, startedAtMs: SECOND, health: "healthy" };
    await made.loop.wake(4);
    expect(made.last()).toMatchObject({ seen: "routable", isCrashLoop: false });
  });
});
