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

const OWNER_ONLY: Drop = {
  kind: "keep",
  reason: "only the owner of the engine's socket may use it",
};

describe("planDrop()", () => {
  test.each<[what: string, drop: Drop, directory: Node, socket: Node]>([
    ["root:docker 0660, as on Debian", drop(105), ROOT_DIRECTORY, node(0, 105, 0o660)],
    ["root:root 0660, as with rootless engines", drop(0), ROOT_DIRECTORY, node(0, 0, 0o660)],
    ["a socket that all users may use", drop(), ROOT_DIRECTORY, node(0, 105, 0o666)],
    ["root:root 0666, which needs no group", drop(), ROOT_DIRECTORY, node(0, 0, 0o666)],
    [
      "a socket that all users except its group may use",
      drop(),
      ROOT_DIRECTORY,
      node(0, 105, 0o606),
    ],
    ["a socket that the user owns", drop(), ROOT_DIRECTORY, node(65_532, 7, 0o600)],
    ["a socket that only its owner may use", OWNER_ONLY, ROOT_DIRECTORY, node(0, 105, 0o600)],
    ["a socket that its group may only read", OWNER_ONLY, ROOT_DIRECTORY, node(0, 105, 0o640)],
    [
      "a socket that the user owns but only others may use",
      OWNER_ONLY,
      ROOT_DIRECTORY,
      node(65_532, 7, 0o066),
    ],
    [
      "a directory that only its owner may enter",
      OWNER_ONLY,
      node(0, 0, 0o700),
      node(0, 105, 0o666),
    ],
    ["a directory of the socket's group", drop(105), node(0, 105, 0o710), node(0, 105, 0o666)],
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

  test("keeps the groups that the process started with, except the group of root", () => {
    const nodes = [ROOT_DIRECTORY, node(0, 105, 0o660)];
    expect(planDrop(USER, nodes, [0, 4, 105, 999])).toEqual(drop(4, 105, 999));
    expect(planDrop(USER, nodes, [0, 4])).toEqual(drop(105, 4));
  });

  test("uses a group that the process started with to reach a directory", () => {
    const nodes = [node(0, 999, 0o710), node(0, 105, 0o660)];
    expect(planDrop(USER, nodes, [0, 999])).toEqual(drop(105, 999));
  });

  test("needs no socket for an engine at tcp://", () => {
    expect(planDrop(USER, [], [0])).toEqual(drop());
  });

  test("stays root while the socket does not exist, because its group is unknown", () => {
    expect(planDrop(USER, undefined, [0])).toEqual({
      kind: "keep",
      reason:
        "the engine's socket does not exist, so its group is unknown; start the engine, or mount its socket into the proxy's container; then restart the proxy",
    });
  });
});
