/**
 * Tries whether a TCP connection to a server can be made, and sends nothing over it. Does not decide what follows
 * from that.
 */

/**
 * - `refused`: the machine is there, and nobody listens at the port.
 * - `no route`: the kernel knows that the address can't be reached.
 * - `timed out`: nothing came back in time.
 * - `failed`: anything else, like too few file descriptors. It says nothing of the server.
 */
export type ConnectTry = "connected" | "refused" | "no route" | "timed out" | "failed";

const BY_CODE: Readonly<Record<string, ConnectTry>> = {
  ECONNREFUSED: "refused",
  EHOSTUNREACH: "no route",
  ENETUNREACH: "no route",
  ETIMEDOUT: "timed out",
};

/**
 * Never rejects. Uses `node:net`, whose attempts can be given up. It takes 5 MiB, and is loaded by the first try.
 *
 * @param origin `http://host:port`
 */
export async function tryConnect(origin: string, timeoutMs: number): Promise<ConnectTry> {
  const { connect } = await import("node:net");
  const { hostname, port } = new URL(origin);
  const { promise, resolve } = Promise.withResolvers<ConnectTry>();
  const socket = connect({ host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) });
  const timer = setTimeout(() => resolve("timed out"), timeoutMs);
  socket.once("connect", () => resolve("connected"));
  socket.once("error", ({ code = "" }: NodeJS.ErrnoException) =>
    resolve(BY_CODE[code] ?? "failed"),
  );
  return promise.finally(() => {
    clearTimeout(timer);
    socket.destroy();
  });
}
