/**
 * Decides how to give up root; launch.ts does it. The image starts as root, because only root can join the
 * group that owns the mounted socket. The number of that group differs from host to host. PROXY_USER names
 * the user to become. Pure.
 */
import type { Stats } from "node:fs";

/** The user to become. */
export type User = { readonly uid: number; readonly gid: number };

/** A directory or socket: the numbers of its owner and group, and its permission bits. */
export type Node = Pick<Stats, "uid" | "gid" | "mode">;

export type Drop =
  | { readonly kind: "drop"; readonly groups: readonly number[] }
  | { readonly kind: "keep"; readonly reason?: string };

/**
 * Decides which groups the user will be in. The user keeps the groups that the process started with
 * (group_add), except the group of root. It joins the group of the socket only if it cannot use the socket
 * otherwise. It then joins even the group of root: access to the socket gives more rights than that group.
 *
 * @param nodes the directories on the way to the socket, then the socket; undefined if the socket does not
 *   exist; empty if no socket is needed
 * @param current the groups that the process started with
 */
export function planDrop(
  user: User,
  nodes: readonly Node[] | undefined,
  current: readonly number[],
): Drop {
  if (nodes === undefined) {
    return {
      kind: "keep",
      reason:
        "the engine's socket does not exist, so its group is unknown; start the engine, or mount its socket into the proxy's container; then restart the proxy",
    };
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
    ? { kind: "keep", reason: "only the owner of the engine's socket may use it" }
    : { kind: "drop", groups };
}

const READ_WRITE = 0o6;
const SEARCH = 0o1;

/** The first class that applies (owner, group, others) decides, as in the kernel. */
function permits(node: Node, user: User, groups: readonly number[], wanted: number): boolean {
  const shift = node.uid === user.uid ? 6 : groups.includes(node.gid) ? 3 : 0;
  return ((node.mode >> shift) & wanted) === wanted;
}
