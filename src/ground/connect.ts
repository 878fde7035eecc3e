/**
 * Tries to open a TCP connection to a server and sends nothing over it. The caller decides what the result
 * means.
 */

/**
 * - `refused`: the machine exists, but no process listens on the port.
 * - `no route`: the kernel knows that the address is unreachable.
 * - `timed out`: no reply came in time.
 * - `failed`: any other error, like too few file descriptors. It means nothing about the server.
 */
export type ConnectTry = "connected" | "refused" | "no route" | "timed out" | "failed";

const BY_CODE: Readonly<Record<string, ConnectTry>> = {
  ECONNREFUSED: "refused",
  EHOSTUNREACH: "no route",
  ENETUNREACH: "no route",
  ETIMEDOUT: "timed out",
};

/**
 * Never rejects. Uses `node:net`, because its attempts can be cancelled. The module takes 5 MiB, so the first
 * try loads it.
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
