/**
 * Decides how root is given up; launch.ts does it. The image starts as root, because only root can join the
 * group that owns the mounted socket, whose number differs from host to host. PROXY_USER names the user to
 * become. Pure.
 */
import type { Stats } from "node:fs";

/** The user to become. */
export type User = { readonly uid: number; readonly gid: number };

/** What matters of a directory or socket: the numbers of its owner and group, and its permission bits. */
export type Node = Pick<Stats, "uid" | "gid" | "mode">;

export type Drop =
  | { readonly kind: "drop"; readonly groups: readonly number[] }
  | { readonly kind: "keep"; readonly reason?: string };

/**
 * Decides which groups the user will be in. The user keeps the groups that came with the process (group_add),
 * except root's. It joins the socket's group only if it can't use the socket without. It joins even root's
 * group then: access to the socket gives more rights than that group does.
 *
 * @param nodes the directories on the way to the socket, then the socket; undefined if there is no such
 *   socket; empty if none is needed
 * @param current the groups that came with the process
 */
export function planDrop(
  user: User,
  nodes: readonly Node[] | undefined,
  current: readonly number[],
): Drop {
  if (nodes === undefined) {
    return { kind: "keep", reason: "without the engine's socket there is no telling its group" };
  }
  const socket = nodes.at(-1);
  const own = current.filter((gid) => gid !== 0);
  const joined = socket === undefined ? own : [...new Set([socket.gid, ...own])];
  const groups = [own, joined].find((some) =>
    nodes.every((node) =>
      permits(node, user, [user.gid, ...some], node === socket ? READ_WRITE : SEARCH),
    ),
  );
  return groups === undefined
    ? { kind: "keep", reason: "only its owner may use the engine's socket" }
    : { kind: "drop", groups };
}

const READ_WRITE = 0o6;
const SEARCH = 0o1;

/** The first class that applies (owner, group, others) decides, as in the kernel. */
function permits(node: Node, user: User, groups: readonly number[], wanted: number): boolean {
  const shift = node.uid === user.uid ? 6 : groups.includes(node.gid) ? 3 : 0;
  return ((node.mode >> shift) & wanted) === wanted;
}
