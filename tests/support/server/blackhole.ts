/**
 * Stands in for a server that cannot be reached: a port of this machine where connecting hangs. A child process
 * listens with the smallest backlog and never accepts. We fill the backlog; from then on the kernel drops every SYN.
 */
import { connect, type Socket } from "node:net";

const CHILD = `
  const server = require("node:net").createServer();
  server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
    require("node:fs").writeSync(1, String(server.address().port) + "\\n");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); // the event loop stands still: nothing is accepted
  });
`;

export type Blackhole = Disposable & { readonly origin: string };

export async function blackhole(): Promise<Blackhole> {
  const child = Bun.spawn([process.execPath, "-e", CHILD], { stdio: ["ignore", "pipe", "ignore"] });
  const { value } = await child.stdout.getReader().read();
  const port = Number(Buffer.from(value ?? []).toString());
  const fillers: Socket[] = [];
  let hanging = false;
  while (!hanging) {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.on("error", () => undefined);
    fillers.push(socket);
    hanging = await Promise.race([
      new Promise<boolean>((resolve) => socket.once("connect", () => resolve(false))),
      Bun.sleep(200).then(() => true), // proves that it hangs: any other connection takes 1 ms
    ]);
  }
  return {
    origin: `http://127.0.0.1:${port}`,
    [Symbol.dispose]: () => {
      for (const socket of fillers) socket.destroy();
      child.kill("SIGKILL");
    },
  };
}
