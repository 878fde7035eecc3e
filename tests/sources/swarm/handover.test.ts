import { describe, expect, test } from "bun:test";
import { Handover } from "../../../src/sources/swarm/handover.ts";
import { until } from "../../support/until.ts";

function rig(handoverMs = 5) {
  const told: string[] = [];
  const handover = new Handover({
    onChange: () => void told.push(`takes ${handover.takesTasks}`),
    onGivenBack: () => void told.push("given back"),
    handoverMs,
  });
  return { told, handover };
}

describe("Handover", () => {
  test("at once, if nobody else has had them", () => {
    const { told, handover } = rig();
    handover.take(true);
    handover.take(true);
    expect(told).toEqual(["takes true"]);
  });

  test("later, if the source of containers has had them: each answer asks, the first counts", async () => {
    const { told, handover } = rig();
    handover.take(false);
    handover.take(false);
    expect([handover.takesTasks, told.length]).toEqual([false, 0]);
    await until("they are taken", () => handover.takesTasks);
    expect(told).toEqual(["takes true"]);
  });

  test("given back: the source of containers has them first, however often that is said", async () => {
    const { told, handover } = rig();
    handover.take(true);
    handover.giveBack();
    handover.giveBack();
    handover.giveBack();
    expect(told).toEqual(["takes true", "takes false"]);
    await until("they are let go of", () => told.length > 2);
    expect(told.at(-1)).toBe("given back");
    handover.giveBack();
    expect(told).toHaveLength(3);
  });

  test("taken again while they are given back: nobody has let go of them", async () => {
    const { told, handover } = rig(1_000_000);
    handover.take(true);
    handover.giveBack();
    handover.take(false);
    expect(told).toEqual(["takes true", "takes false", "takes true"]);
  });

  test("given back while they are about to be taken", () => {
    const { told, handover } = rig(1_000_000);
    handover.take(false);
    handover.giveBack();
    expect(told).toEqual(["given back"]);
    handover.take(true);
    expect(handover.takesTasks).toBe(true);
  });

  test("stopped: nothing is called any more", async () => {
    const { told, handover } = rig(1);
    handover.take(false);
    handover.stop();
    await Bun.sleep(5);
    expect(told).toEqual([]);
  });
});
