/**
 * WebSockets through the compiled binary that take long or carry much: 10,000 one after another, 1 GB to
 * readers that stall, and idle ones behind front proxies with default time-outs.
 */
import { expect, test } from "bun:test";
import {
  type FrontProxyName,
  isInstalled,
  startFrontProxy,
} from "../support/front-proxies/programs.ts";
import { descriptorsOf, residentMib } from "../support/process/figures.ts";
import { expectNever, until } from "../support/until.ts";
import { startCompiledWires } from "../support/websocket/compiled-wires.ts";
import { stall } from "../support/websocket/flow.ts";
import { openWire } from "../support/websocket/wire.ts";
import { CLOSE, PING, PONG, TEXT } from "../support/websocket/wire-frames.ts";

const MIB = 1024 ** 2;
const COUNT = 10_000;
const STEP = COUNT / 10;
const AT_A_TIME = 20;
/** The binary has about 50 when idle. */
const STALLED_MIB = 130;

test(`${COUNT} WebSockets one after another: memory stays flat, and the proxy closes all descriptors`, async () => {
  await using chain = await startCompiledWires({
    frame: (socket, opcode, payload) => {
      socket.send(opcode, opcode === CLOSE ? payload : "answer");
      if (opcode === CLOSE) socket.end();
    },
  });
  const { proxy, server } = chain;
  const one = async (): Promise<void> => {
    using client = await openWire(proxy.port);
    client.send(TEXT, "question");
    await until("the client has its answer", () => client.messages === 1, 10_000);
    client.close(1000, "done");
    await until("the client's WebSocket is closed", () => client.closeCode === 1000, 10_000);
  };
  const many = async (count: number): Promise<number> => {
    let left = count;
    const lane = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        await one();
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, lane));
    return residentMib(proxy.pid);
  };
  const mib = [await many(STEP)];
  const descriptors = descriptorsOf(proxy.pid);
  for (let n = STEP; n < COUNT; n += STEP) mib.push(await many(STEP));
  await until("the server has no open WebSocket", () => server.open() === 0, 10_000);
  const isGivenBack = (): boolean => descriptorsOf(proxy.pid) <= descriptors + 5;
  await until("the descriptors are closed", isGivenBack, 5_000);
  console.log(
    `${COUNT} WebSockets, MiB after each ${STEP}: ${mib.map((each) => each.toFixed(0)).join(" ")}`,
  );
  // Memory rises until garbage collection, and falls again.
  const [early, late] = [Math.min(...mib.slice(1, 5)), Math.min(...mib.slice(-5))];
  expect(late).toBeLessThan(early + 20);
  expect(Math.max(...mib)).toBeLessThan(160);
  expect(proxy.log().filter(({ level }) => level === "warn" || level === "error")).toEqual([]);
  expect(proxy.stderr()).toBe("");
}, 120_000);

test.each([
  ["client", 64 * 1024],
  ["client", 4 * MIB],
  ["server", 64 * 1024],
  ["server", 4 * MIB],
] as const)(
  "1 GB to a %s that does not read, in messages of %d B, takes little memory",
  async (reader, messageBytes) => {
    const { heldMb, peakMib: peak } = await stall(reader, { bytes: 1e9, messageBytes });
    console.log(
      `1 GB to a stalled ${reader}, messages of ${messageBytes} B: ${heldMb.toFixed(1)} MB sent by then, ${peak.toFixed(0)} MiB at most`,
    );
    expect(peak).toBeLessThan(STALLED_MIB);
  },
  120_000,
);

/** The default time-outs of these front proxies, for HAProxy those in Debian's file. Caddy has none. */
const TIMEOUTS: readonly (readonly [FrontProxyName, timeout: string])[] = [
  ["nginx, HTTP/1.1", "60s"],
  ["HAProxy", "50s"],
  ["Caddy", "1h"],
];
const IDLE_MS = 150_000;
/** Well below the shortest time-out. */
const SILENCE_MAX_MS = 45_000;

test.skipIf(!isInstalled())(
  `idle WebSockets stay open for ${IDLE_MS / 1000} s, directly and behind front proxies: the proxy's own pings keep them open, and the server does not see those pings`,
  async () => {
    let heard = 0;
    await using chain = await startCompiledWires({
      frame: () => {
        heard += 1;
      },
    });
    await using stack = new AsyncDisposableStack();
    const ports: [name: string, port: number][] = [["directly", chain.proxy.port]];
    for (const [name, timeout] of TIMEOUTS) {
      const front = stack.use(await startFrontProxy(name, chain.proxy.port, timeout));
      ports.push([name, front.port]);
    }
    const openedMs = performance.now();
    const idle = ports.map(async ([name, port]) => {
      const pingsMs: number[] = [0];
      const client = await openWire(port, {
        frame: (socket, opcode, payload) => {
          if (opcode !== PING) return;
          pingsMs.push(performance.now() - openedMs);
          socket.send(PONG, payload);
        },
      });
      return { name, pingsMs, client: stack.use(client) };
    });
    const all = await Promise.all(idle);
    await expectNever("a WebSocket ends", () => all.some(({ client }) => client.closed), IDLE_MS);
    for (const { name, pingsMs } of all) {
      console.log(
        `${name}: pings after ${pingsMs
          .slice(1)
          .map((ms) => `${(ms / 1000).toFixed(0)} s`)
          .join(", ")}`,
      );
      const silences = [...pingsMs.slice(1), IDLE_MS].map((ms, n) => ms - (pingsMs[n] ?? 0));
      expect(Math.max(...silences)).toBeLessThan(SILENCE_MAX_MS);
    }
    expect(heard).toBe(0);
    expect(chain.server.open()).toBe(all.length);
  },
  IDLE_MS + 60_000,
);

/** The front proxy's time-out for silent connections. */
const SHORT_MS = 1_000;

test.skipIf(!isInstalled()).each(["nginx, HTTP/1.1", "HAProxy"] as const)(
  "%s ends a WebSocket that is silent for the time-out, but not one whose server sends pings",
  async (name) => {
    await using chain = await startCompiledWires({});
    await using front = await startFrontProxy(name, chain.proxy.port, `${SHORT_MS / 1000}s`);
    using silent = await openWire(front.port);
    using pinged = await openWire(front.port, {
      frame: (socket, opcode, payload) => {
        if (opcode === PING) socket.send(PONG, payload);
      },
    });
    await until("the server has both WebSockets", () => chain.server.sockets.length === 2);
    const pings = setInterval(
      () => chain.server.sockets[1]?.send(PING, "still there?"),
      SHORT_MS / 4,
    );
    try {
      await until("the silent WebSocket has ended", () => silent.closed, 3 * SHORT_MS);
      await expectNever("the other WebSocket ends", () => pinged.closed, 2 * SHORT_MS);
    } finally {
      clearInterval(pings);
    }
  },
);
