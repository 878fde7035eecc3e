/**
 * Stands in for an unreachable server: a port of this machine where connecting hangs. A child process listens
 * with the smallest backlog and does not accept. We fill the backlog. After that the kernel drops every SYN.
 */
import { connect, type Socket } from "node:net";

/**
 * @param backlog how many connections the kernel takes without an accept
 * @param when the code that stops the event loop at the right moment: after that nothing is accepted
 */
const childOf = (backlog: number, when: (standStill: string) => string): string => `
  const server = require("node:net").createServer();
  server.listen({ port: 0, host: "127.0.0.1", backlog: ${backlog} }, () => {
    require("node:fs").writeSync(1, String(server.address().port) + "\\n");
    ${when("Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)")};
  });
`;

const AT_ONCE = childOf(1, (standStill) => standStill);
const AT_FIRST_BYTE = childOf(
  64,
  (standStill) => `server.on("connection", (one) => one.on("data", () => ${standStill}))`,
);

export type Blackhole = Disposable & { readonly origin: string };

export async function blackhole(): Promise<Blackhole> {
  const child = await start(AT_ONCE);
  await child.fill();
  return child;
}

/** A server that gets the beginning of one request, and no more. Its machine is reachable until it vanishes. */
export async function vanishingServer(): Promise<Blackhole & { vanish: () => Promise<void> }> {
  const child = await start(AT_FIRST_BYTE);
  return { ...child, vanish: child.fill };
}

async function start(program: string): Promise<Blackhole & { fill: () => Promise<void> }> {
  const child = Bun.spawn([process.execPath, "-e", program], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const { value } = await child.stdout.getReader().read();
  const port = Number(Buffer.from(value ?? []).toString());
  const fillers: Socket[] = [];
  return {
    origin: `http://127.0.0.1:${port}`,
    fill: async () => {
      let hanging = false;
      while (!hanging) {
        const socket = connect({ port, host: "127.0.0.1" });
        socket.on("error", () => undefined);
        fillers.push(socket);
        hanging = await Promise.race([
          new Promise<boolean>((resolve) => socket.once("connect", () => resolve(false))),
          Bun.sleep(200).then(() => true), // proves that connecting hangs: it usually takes 1 ms
        ]);
      }
    },
    [Symbol.dispose]: () => {
      for (const socket of fillers) socket.destroy();
      child.kill("SIGKILL");
    },
  };
}
