/**
 * Relays connections from one unix socket to the socket of an engine. It can freeze them, as a network
 * failure does: no more bytes arrive, and no connection ends.
 */
import { connect, createServer, type Socket } from "node:net";

export type Relay = Disposable & {
  readonly socketPath: string;
  /** Stops relaying on the open connections, in both directions. New connections are relayed. */
  readonly freeze: () => void;
};

/** @param socketPath where it listens, in an existing directory */
export async function startRelay(targetPath: string, socketPath: string): Promise<Relay> {
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(targetPath);
    near.pipe(far);
    far.pipe(near);
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => open.delete(socket));
    }
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(socketPath, resolve);
  await promise;
  return {
    socketPath,
    freeze: () => {
      for (const socket of open) socket.unpipe().pause();
    },
    [Symbol.dispose]: () => {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}
