/** Where the proxy listens, and where it can be asked then. Pure. */

export type ListenAddress = {
  /** IP address; undefined: all of them, of both families. */
  readonly host: string | undefined;
  readonly port: number;
};

/**
 * The origin, for a URL, of a proxy that listens there and runs on this machine. Nobody can connect to an
 * address that stands for all addresses, so loopback takes its place.
 */
export function originOf({ host = "0.0.0.0", port }: ListenAddress): string {
  const { hostname } = new URL(host.includes(":") ? `http://[${host}]` : `http://${host}`);
  const own = hostname === "0.0.0.0" ? "127.0.0.1" : hostname === "[::]" ? "[::1]" : hostname;
  return `http://${own}:${port}`;
}
