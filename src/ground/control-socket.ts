/**
 * The path and the URL paths of the proxy's control socket. The proxy and its commands must agree on them.
 * Pure. The proxy's side is control.ts, the side of the commands is cli/drain.ts.
 */

/** Writable in containers too, even if their file system is read-only. */
export const SHARED_DIRECTORY = "/dev/shm";

/**
 * `RuntimeDirectory=` of the systemd unit in deploy/systemd. A shell does not have the variable that systemd
 * sets.
 */
const SERVICE_DIRECTORY = "/run/lw-inference-proxy";

export type ControlPlace = {
  /** `RUNTIME_DIRECTORY`, or `SHARED_DIRECTORY`. */
  readonly directory: string;
  /** The port that the proxy listens on. */
  readonly port: number;
  /** The number of the network namespace; undefined if unknown. */
  readonly networkNamespace: number | undefined;
};

/**
 * The path of the proxy's socket. A runtime directory belongs to one service. But several containers can
 * share `SHARED_DIRECTORY` (`ipc: host`), and their proxies may listen on the same port in different network
 * namespaces. So the file name contains the number of the namespace.
 */
export function controlSocket({ directory, port, networkNamespace }: ControlPlace): string {
  const isShared = directory === SHARED_DIRECTORY && networkNamespace !== undefined;
  return `${directory}/lw-inference-proxy-${port}${isShared ? `-${networkNamespace}` : ""}.sock`;
}

/** The paths where a command looks for the socket, in this order. */
export function controlSockets(place: ControlPlace): readonly string[] {
  const directories =
    place.directory === SHARED_DIRECTORY
      ? [SHARED_DIRECTORY, SERVICE_DIRECTORY]
      : [place.directory];
  return directories.map((directory) => controlSocket({ ...place, directory }));
}

/** Both take `?container=`, a name or an id. */
export const DRAIN = "/drain";
export const UNDRAIN = "/undrain";
/** Takes `?run=`, the `run` from the reply of the other two. */
export const DRAIN_STATE = "/drain-state";
