/**
 * How root is given up. Pure; `launch.ts` does it. The image starts as root, because only root can join whatever group owns the mounted
 * socket (its number differs from host to host), and names in PROXY_USER whom to become then.
 */
import type { Stats } from "node:fs";

/** The user to become. */
export type User = { readonly uid: number; readonly gid: number };

/** A directory or socket as far as it matters here: numbers of its owner, and permission bits. */
export type Node = Pick<Stats, "uid" | "gid" | "mode">;

export type Drop =
  | { readonly kind: "drop"; readonly groups: readonly number[] }
  | { readonly kind: "keep"; readonly reason?: string };

/**
 * Whom to be in a group with. Groups that came with the process (group_add) are kept, but for root's
 * own; that of the socket is joined only if the socket can't be reached without it. Then it is joined
 * even if it is root's: the socket itself gives more than it does.
 *
 * @param nodes the directories to the socket and the socket, last; undefined if it is not there;
 *   empty if no socket is needed
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

/** The first class that applies decides, as in the kernel. */
function permits(node: Node, user: User, groups: readonly number[], wanted: number): boolean {
  const shift = node.uid === user.uid ? 6 : groups.includes(node.gid) ? 3 : 0;
  return ((node.mode >> shift) & wanted) === wanted;
}
