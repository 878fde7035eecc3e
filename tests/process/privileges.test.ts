import { describe, expect, test } from "bun:test";
import { type Drop, type Node, planDrop } from "../../src/process/privileges.ts";

const USER = { uid: 65_532, gid: 65_532 };
const ROOT_DIRECTORY = node(0, 0, 0o755);

function node(uid: number, gid: number, mode: number): Node {
  return { uid, gid, mode };
}

function drop(...groups: readonly number[]): Drop {
  return { kind: "drop", groups };
}

const OWNER_ONLY: Drop = { kind: "keep", reason: "only its owner may use the engine's socket" };

describe("planDrop()", () => {
  test.each<[what: string, drop: Drop, directory: Node, socket: Node]>([
    ["a socket of Debian: root:docker 0660", drop(105), ROOT_DIRECTORY, node(0, 105, 0o660)],
    ["root:root 0660, as of rootless engines", drop(0), ROOT_DIRECTORY, node(0, 0, 0o660)],
    ["one that anybody may use", drop(), ROOT_DIRECTORY, node(0, 105, 0o666)],
    ["root:root 0666, which needs no group", drop(), ROOT_DIRECTORY, node(0, 0, 0o666)],
    ["one that all but its group may use", drop(), ROOT_DIRECTORY, node(0, 105, 0o606)],
    ["one of the user's own", drop(), ROOT_DIRECTORY, node(65_532, 7, 0o600)],
    ["one that its owner alone may use", OWNER_ONLY, ROOT_DIRECTORY, node(0, 105, 0o600)],
    ["one that its group may only read", OWNER_ONLY, ROOT_DIRECTORY, node(0, 105, 0o640)],
    ["one of ours that others may use", OWNER_ONLY, ROOT_DIRECTORY, node(65_532, 7, 0o066)],
    ["a directory for its owner alone", OWNER_ONLY, node(0, 0, 0o700), node(0, 105, 0o666)],
    ["a directory for the socket's group", drop(105), node(0, 105, 0o710), node(0, 105, 0o666)],
    ["a directory of the user's group", drop(105), node(0, 65_532, 0o710), node(0, 105, 0o660)],
    [
      "a directory that its group may not enter",
      OWNER_ONLY,
      node(0, 105, 0o601),
      node(0, 105, 0o660),
    ],
  ])("%s", (_what, expected, directory, socket) => {
    expect(planDrop(USER, [ROOT_DIRECTORY, directory, socket], [0])).toEqual(expected);
  });

  test("keeps the groups that came with the process, but for root's own", () => {
    const nodes = [ROOT_DIRECTORY, node(0, 105, 0o660)];
    expect(planDrop(USER, nodes, [0, 4, 105, 999])).toEqual(drop(4, 105, 999));
    expect(planDrop(USER, nodes, [0, 4])).toEqual(drop(105, 4));
  });

  test("a directory may be reached by a group that came with the process", () => {
    const nodes = [node(0, 999, 0o710), node(0, 105, 0o660)];
    expect(planDrop(USER, nodes, [0, 999])).toEqual(drop(105, 999));
  });

  test("no socket is needed for an engine at tcp://", () => {
    expect(planDrop(USER, [], [0])).toEqual(drop());
  });

  test("stays while there is no socket yet: nobody knows its group", () => {
    expect(planDrop(USER, undefined, [0])).toEqual({
      kind: "keep",
      reason: "without the engine's socket there is no telling its group",
    });
  });
});
