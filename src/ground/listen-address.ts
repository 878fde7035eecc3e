/** The address that the proxy listens on, and the URL origin to reach it. Pure. */

export type ListenAddress = {
  /** IP address; undefined: all IPv4 and IPv6 addresses. */
  readonly host: string | undefined;
  readonly port: number;
};

/**
 * The URL origin of a proxy on this machine that listens there. A client cannot connect to the wildcard address
 * (0.0.0.0 or ::), so loopback replaces it.
 */
export function originOf({ host = "0.0.0.0", port }: ListenAddress): string {
  const { hostname } = new URL(host.includes(":") ? `http://[${host}]` : `http://${host}`);
  const own = hostname === "0.0.0.0" ? "127.0.0.1" : hostname === "[::]" ? "[::1]" : hostname;
  return `http://${own}:${port}`;
}
