import { describe, expect, test } from "bun:test";
import { EngineError } from "../../../src/engine/error.ts";
import { Nodes } from "../../../src/sources/swarm/nodes.ts";
import { aNode, aTask } from "../../support/engine/swarm-parts.ts";

function rig() {
  const made = {
    asked: 0,
    answer: async () => [aNode()],
  };
  const nodes = new Nodes(() => {
    made.asked += 1;
    return made.answer();
  });
  return { made, nodes };
}

async function refused(): Promise<never> {
  throw new EngineError("no", { kind: "forbidden" });
}

describe("Nodes", () => {
  test("are read at first, when one changes, and when a task is on one that nobody asked for", async () => {
    const { made, nodes } = rig();
    await nodes.read([aTask()], 0);
    await nodes.read([aTask(), aTask({ nodeId: "" })], 500);
    expect(made.asked).toBe(1);
    expect(nodes.all.get("node1")?.hostname).toBe("gpu-1");
    nodes.changed();
    await nodes.read([aTask()], 1_000);
    expect(made.asked).toBe(2);
    await nodes.read([aTask({ nodeId: "node2" })], 1_500);
    await nodes.read([aTask({ nodeId: "node2" })], 2_000); // it was removed: asking again tells no more
    expect(made.asked).toBe(3);
  });

  test("a manager that does not tell is asked again after half a minute, and what is known stays", async () => {
    const { made, nodes } = rig();
    await nodes.read([aTask()], 0);
    made.answer = refused;
    nodes.changed();
    await nodes.read([aTask()], 1_000);
    await nodes.read([aTask()], 30_000);
    expect(made.asked).toBe(2);
    expect(nodes.all.size).toBe(1);
    await nodes.read([aTask()], 31_000);
    expect(made.asked).toBe(3);
  });

  test("what is no failure of the engine is a bug, and is told as one", () => {
    const { made, nodes } = rig();
    made.answer = async () => {
      throw new RangeError("a bug");
    };
    expect(nodes.read([aTask()], 0)).rejects.toThrow("a bug");
  });
});
