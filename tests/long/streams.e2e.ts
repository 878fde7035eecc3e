/**
 * Thousands of simultaneous streams through the compiled binary: no
 * event is late or lost, and the proxy frees all memory.
 */
import { expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { untilModels } from "../support/client/requests.ts";
import { FakeEngine } from "../support/engine/fake.ts";
import { descriptorsOf, residentMib, watchResident } from "../support/process/figures.ts";
import { type CompiledProxy, startCompiled } from "../support/proxy/compiled.ts";
import { rawRequest } from "../support/proxy/in-process.ts";
import { startStreamServer } from "../support/server/streams.ts";
import { until } from "../support/until.ts";

type Client = { readonly socket: Socket; text: string };

/** Opens connections in groups, because a listener's queue is finite. */
async function openStreams(port: number, count: number): Promise<readonly Client[]> {
  const clients: Client[] = [];
  while (clients.length < count) {
    const group = Array.from({ length: Math.min(500, count - clients.length) }, () =>
      openStream(port),
    );
    clients.push(...(await Promise.all(group)));
  }
  return clients;
}

function openStream(port: number): Promise<Client> {
  const { promise, resolve, reject } = Promise.withResolvers<Client>();
  const socket = connect({ port, host: "127.0.0.1" });
  const client: Client = { socket, text: "" };
  socket.once("error", reject);
  socket.once("connect", () => {
    socket.write(rawRequest());
    resolve(client);
  });
  socket.on("data", (bytes) => {
    client.text += bytes.toString("latin1");
  });
  return promise;
}

async function withProxy(
  run: (proxy: CompiledProxy, backend: ReturnType<typeof startStreamServer>) => Promise<void>,
): Promise<void> {
  using fake = await new FakeEngine().start();
  using backend = startStreamServer();
  fake.add({ port: backend.port });
  await using proxy = await startCompiled({ env: { DOCKER_HOST: `unix://${fake.socketPath}` } });
  await untilModels(proxy.origin, ["m"]);
  await run(proxy, backend);
}

test("2,000 streams: less than 150 MB resident, no event lost, and all memory freed when the clients leave", async () => {
  await withProxy(async (proxy, backend) => {
    const before = { fds: descriptorsOf(proxy.pid), mib: residentMib(proxy.pid) };
    const clients = await openStreams(proxy.port, 2_000);
    await until("all streams are open", () => backend.open() === 2_000, 20_000);
    const resident = watchResident(proxy.pid);
    const EVENTS = 50;
    for (let n = 0; n < EVENTS; n += 1) {
      backend.sendAll(`data: event ${n} of a stream\n\n`);
      await Bun.sleep(20); // the server's pace
    }
    const complete = (): number =>
      clients.filter(({ text }) => text.includes(`data: event ${EVENTS - 1} `)).length;
    await until("every client has every event", () => complete() === 2_000, 20_000);
    for (const { text } of clients) expect(text.split("data: event ").length - 1).toBe(EVENTS);
    const most = resident.stop();
    for (const { socket } of clients) socket.destroy();
    const goneMs = performance.now();
    await until("all upstream connections are closed", () => backend.open() === 0, 2_000);
    const closedMs = performance.now() - goneMs;
    await until(
      "the descriptors are closed",
      () => descriptorsOf(proxy.pid) <= before.fds + 5,
      5_000,
    );
    const isGivenBack = (): boolean => residentMib(proxy.pid) < before.mib + 64;
    await until("the memory is freed", isGivenBack, 5_000);
    const after = residentMib(proxy.pid);
    console.log(
      `2,000 streams: ${before.mib.toFixed(0)} MiB before, ${most.toFixed(0)} at most, ${after.toFixed(0)} after; upstream closed in ${closedMs.toFixed(0)} ms`,
    );
    expect(most).toBeLessThan(150);
  });
}, 120_000);

test("as many requests in flight as descriptors allow, at most 10,000, while the proxy still hears the engine", async () => {
  const limit = Number(Bun.spawnSync(["sh", "-c", "ulimit -Hn"]).stdout.toString()) || 1_048_576;
  const count = Math.min(10_000, Math.floor((limit * 0.95 - 300) / 2));
  using fake = await new FakeEngine().start();
  using backend = startStreamServer();
  const container = fake.add({ port: backend.port });
  await using proxy = await startCompiled({ env: { DOCKER_HOST: `unix://${fake.socketPath}` } });
  await untilModels(proxy.origin, ["m"]);
  const clients = await openStreams(proxy.port, count);
  await until(`${count} streams are open`, () => backend.open() === count, 60_000);
  backend.sendAll("data: first\n\n");
  await until(
    "every client has the event",
    () => clients.every(({ text }) => text.includes("data: first")),
    60_000,
  );
  using other = startStreamServer("other");
  const added = fake.add({ port: other.port, health: "starting" });
  fake.setHealth(added, "healthy"); // the proxy then inspects the container and reads its model list
  await untilModels(proxy.origin, ["m", "other"], 2_000);
  fake.kill(container);
  await untilModels(proxy.origin, ["other"], 2_000);
  backend.sendAll("data: last\n\n");
  backend.endAll();
  await until(
    "every answer is complete",
    () => clients.every(({ text }) => text.endsWith("0\r\n\r\n")),
    60_000,
  );
  console.log(
    `${count} requests in flight at once (descriptors: ${limit}), ${residentMib(proxy.pid).toFixed(0)} MiB`,
  );
  for (const { socket } of clients) socket.destroy();
}, 300_000);

test("forwards events at once: median below 1 ms, 99th percentile below 10 ms with 10 streams", async () => {
  await withProxy(async (proxy, backend) => {
    const latencies: number[] = [];
    const clients = await openStreams(proxy.port, 10);
    for (const { socket } of clients) {
      let buffered = "";
      socket.on("data", (bytes) => {
        const nowMs = performance.now();
        buffered += bytes.toString("latin1");
        for (const [, sentMs] of buffered.matchAll(/at ([\d.]+);/g))
          latencies.push(nowMs - Number(sentMs));
        buffered = buffered.slice(buffered.lastIndexOf(";") + 1);
      });
    }
    await until("all streams are open", () => backend.open() === 10);
    const EVENTS = 500;
    for (let n = 0; n < EVENTS; n += 1) {
      backend.sendAll(`data: at ${performance.now()};\n\n`);
      await Bun.sleep(5); // the server's pace
    }
    await until("all events have arrived", () => latencies.length === EVENTS * 10);
    latencies.sort((a, b) => a - b);
    const [median, p99] = [0.5, 0.99].map(
      (share) => latencies[Math.floor(latencies.length * share)]!,
    );
    console.log(
      `${latencies.length} events: median ${median!.toFixed(2)} ms, 99th percentile ${p99!.toFixed(2)} ms, both ends included`,
    );
    expect(median!).toBeLessThan(1);
    expect(p99!).toBeLessThan(10);
  });
}, 60_000);
