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
  test("are read at first, when a node changes, and when a task is on a new node", async () => {
    const { made, nodes } = rig();
    await nodes.read([aTask()], 0);
    await nodes.read([aTask(), aTask({ nodeId: "" })], 500);
    expect(made.asked).toBe(1);
    expect(nodes.all.get("node1")?.hostname).toBe("gpu-1");
    nodes.changed();
    await nodes.read([aTask()], 1_000);
    expect(made.asked).toBe(2);
    await nodes.read([aTask({ nodeId: "node2" })], 1_500);
    await nodes.read([aTask({ nodeId: "node2" })], 2_000); // the node was removed: another read would not show it
    expect(made.asked).toBe(3);
  });

  test("after a failed read, keeps the old nodes and tries again after half a minute", async () => {
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

  test("passes on an error that is not an EngineError, because it is a bug", () => {
    const { made, nodes } = rig();
    made.answer = async () => {
      throw new RangeError("a bug");
    };
    expect(nodes.read([aTask()], 0)).rejects.toThrow("a bug");
  });
});
