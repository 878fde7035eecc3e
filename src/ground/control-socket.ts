/**
 * What the proxy and its commands must agree on to speak over the proxy's own socket: where it lies, and its paths.
 * Pure. The proxy's side is control.ts, that of the commands cli/drain.ts.
 */

/** Writable in containers too, also in those that are read-only. */
export const SHARED_DIRECTORY = "/dev/shm";

/** `RuntimeDirectory=` of the unit in the README: a shell does not have what systemd sets. */
const SERVICE_DIRECTORY = "/run/lw-inference-proxy";

export type ControlPlace = {
  /** `RUNTIME_DIRECTORY`, or `SHARED_DIRECTORY`. */
  readonly directory: string;
  /** The port of the proxy. */
  readonly port: number;
  /** The number of the network namespace; undefined if it is not known. */
  readonly networkNamespace: number | undefined;
};

/**
 * The path of the proxy's socket. A runtime directory is for one service alone. `SHARED_DIRECTORY` may be shared by
 * containers (`ipc: host`) whose proxies listen on the same port, each in its own network namespace: so its number is
 * in the name.
 */
export function controlSocket({ directory, port, networkNamespace }: ControlPlace): string {
  const isShared = directory === SHARED_DIRECTORY && networkNamespace !== undefined;
  return `${directory}/lw-inference-proxy-${port}${isShared ? `-${networkNamespace}` : ""}.sock`;
}

/** Where a command looks for it, in this order. */
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
/** Takes `?run=`, as the reply of the other two has it. */
export const DRAIN_STATE = "/drain-state";
