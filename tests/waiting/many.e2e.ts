/** The compiled binary in front of a fake engine. Its only server comes back when 2,000 requests wait for it. */
import { describe, expect, test } from "bun:test";
import { type RawConnection, rawConnect } from "../support/client/raw-http.ts";
import { residentMib, watchResident } from "../support/process/figures.ts";
import { CompiledReplicas, type Reaction } from "../support/proxy/compiled-replicas.ts";
import { untilShown } from "../support/proxy/shown-status.ts";
import { untilWaiting } from "../support/proxy/waiting-requests.ts";
import { type Arrival, answer } from "../support/server/wire-server.ts";
import { until } from "../support/until.ts";

const TIMEOUT_MS = 120_000;
const WAITERS = 2_000;
/** A prompt of realistic length. */
const PAD = "x".repeat(4_000);

type Released = {
  /** The numbers of the requests, in the order in which they reached the server. */
  readonly order: readonly number[];
  /** The time from the server's return until the last request arrived. */
  readonly lastMs: number;
  /** The highest number of requests at the server at once. */
  readonly mostAtOnce: number;
  readonly grewMib: number;
};

function numberOf({ request }: Arrival): number {
  return Number(/"n":(\d+)/.exec(request.body.toString("latin1"))?.[1]);
}

/** Makes requests wait, in order, then makes their server come back. */
async function release(labels: Readonly<Record<string, string>>): Promise<Released> {
  await using one = await CompiledReplicas.start(1, {
    labels,
    env: { PROXY_WAIT_TIMEOUT: "5m" },
  });
  const { engine, proxy, newest } = one;
  const order: number[] = [];
  let [atOnce, mostAtOnce, lastMs] = [0, 0, 0];
  const reaction: Reaction = (arrival) => {
    order.push(numberOf(arrival));
    atOnce += 1;
    mostAtOnce = Math.max(mostAtOnce, atOnce);
    lastMs = performance.now();
    // In a later turn of the event loop, so that more requests could arrive in the meantime.
    setImmediate(() => {
      atOnce -= 1;
      arrival.send(answer(200, {}, "fine"));
    });
  };
  one.play(reaction);
  const container = one.containerOf(newest);
  const sockets = await connectAll(proxy.port);
  for (const socket of sockets) await exchange(socket, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  const before = residentMib(proxy.pid);
  const memory = watchResident(proxy.pid);
  // One after the other: the proxy could not recognise a start in the same millisecond as the signal before it
  // as newer.
  engine.kill(container);
  await untilShown(proxy.origin, newest.name, { state: "stopping" });
  engine.exit(container);
  await untilShown(proxy.origin, newest.name, { state: "stopped" });
  engine.startAgain(container);
  using probe = await rawConnect(proxy.port);
  for (const [n, socket] of sockets.entries()) {
    const body = `{"n":${n},"pad":"${PAD}","model":"m"}`;
    socket.send(
      `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await exchange(probe, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  await untilWaiting(proxy, "m", WAITERS);
  expect(order).toEqual([]);
  const startMs = performance.now();
  engine.setHealth(container, "healthy");
  const isAnswered = (): boolean => sockets.every((socket) => socket.received().endsWith("fine"));
  await until("all requests are answered", isAnswered, 30_000);
  const grewMib = memory.stop() - before;
  for (const socket of sockets) socket.reset();
  return { order, lastMs: lastMs - startMs, mostAtOnce, grewMib };
}

async function connectAll(port: number): Promise<readonly RawConnection[]> {
  const sockets: RawConnection[] = [];
  for (let n = 0; n < WAITERS; n += 1) sockets.push(await rawConnect(port));
  return sockets;
}

/** Sends a request without a body, and resolves when its answer has arrived. */
async function exchange(socket: RawConnection, request: string): Promise<void> {
  const before = socket.received().length;
  socket.send(request);
  while (socket.received().length === before) await new Promise(setImmediate);
}

/** The largest distance of a request from its place in the order. */
function disorder(order: readonly number[]): number {
  return Math.max(...order.map((n, index) => Math.abs(n - index)));
}

describe(`${WAITERS} requests that wait`, () => {
  test.each([
    ["a server without a limit", {}, WAITERS],
    ["a server that takes 16 at once", { "inference.max_in_flight": "16" }, 16],
  ])(
    "for %s are released in order, within a second, and cost less than 100 MB",
    async (_what, labels, atOnce) => {
      const { order, lastMs, mostAtOnce, grewMib } = await release(labels);
      const figures = { lastMs, mostAtOnce, grewMib, disorder: disorder(order) };
      console.log(JSON.stringify(figures));
      expect([...order].sort((a, b) => a - b)).toEqual(
        Array.from({ length: WAITERS }, (_, n) => n),
      );
      expect(figures.disorder).toBeLessThan(atOnce);
      expect(mostAtOnce).toBeLessThanOrEqual(atOnce);
      expect(lastMs).toBeLessThan(1_000);
      expect(grewMib).toBeLessThan(100);
    },
    TIMEOUT_MS,
  );
});
