/**
 * What WebSockets cost the compiled binary: memory and descriptors for many idle ones, for readers that stall,
 * and for messages that never end. Tests that take longer are in tests/long/websockets.e2e.ts.
 */
import { expect, test } from "bun:test";
import { peakMib, resetPeak } from "../../bench/processes.ts";
import { descriptorsOf, residentMib } from "../../support/process/figures.ts";
import { until } from "../../support/until.ts";
import { startCompiledWires } from "../../support/websocket/compiled-wires.ts";
import { stall, untilStill } from "../../support/websocket/flow.ts";
import { openWires } from "../../support/websocket/wire.ts";
import { BINARY, frameHead, TEXT } from "../../support/websocket/wire-frames.ts";

const MIB = 1024 ** 2;
/** The binary has about 50 when idle. */
const STALLED_MIB = 130;

test("1,000 idle WebSockets: two descriptors each, little memory, and all of it is freed", async () => {
  const COUNT = 1_000;
  await using chain = await startCompiledWires({
    frame: (socket, opcode) => void socket.send(opcode, "answer"),
  });
  const { proxy, server } = chain;
  const [warm] = await openWires(proxy.port, 1);
  const before = { mib: residentMib(proxy.pid), descriptors: descriptorsOf(proxy.pid) };
  const clients = await openWires(proxy.port, COUNT);
  for (const client of clients) client.send(TEXT, "question");
  await until(
    "each client has its answer",
    () => clients.every(({ messages }) => messages === 1),
    10_000,
  );
  const open = { mib: residentMib(proxy.pid), descriptors: descriptorsOf(proxy.pid) };
  for (const client of clients) client.reset();
  await until("the server's connections are closed", () => server.open() === 1, 5_000);
  await until(
    "the descriptors are closed",
    () => descriptorsOf(proxy.pid) <= before.descriptors + 2,
    5_000,
  );
  const kib = ((open.mib - before.mib) / COUNT) * 1024;
  console.log(
    `${COUNT} idle WebSockets: ${kib.toFixed(0)} KiB each, ${before.mib.toFixed(0)} MiB before, ${open.mib.toFixed(0)} with them`,
  );
  expect(open.descriptors - before.descriptors).toBeLessThanOrEqual(2 * COUNT + 5);
  expect(kib).toBeLessThan(64);
  expect(warm?.closed).toBe(false);
  expect(proxy.stderr()).toBe("");
}, 60_000);

test.each(["client", "server"] as const)(
  "200 MB to a %s that does not read: memory stays bounded, and every byte arrives when it reads on",
  async (reader) => {
    const { heldMb, peakMib: peak } = await stall(reader, { bytes: 200e6, messageBytes: MIB });
    console.log(
      `200 MB to a stalled ${reader}: ${heldMb.toFixed(1)} MB sent by then, ${peak.toFixed(0)} MiB at most`,
    );
    expect(peak).toBeLessThan(STALLED_MIB);
  },
  60_000,
);

test("500 unfinished messages cost the bytes that have arrived, not their announced length", async () => {
  const COUNT = 500;
  const BEGINNING = Buffer.alloc(1024);
  await using chain = await startCompiledWires();
  const { proxy, server } = chain;
  const clients = await openWires(proxy.port, COUNT);
  resetPeak([proxy.pid]);
  const before = residentMib(proxy.pid);
  for (const client of clients) {
    client.sendRaw(Buffer.concat([frameHead(BINARY, 16 * MIB - 1, true), BEGINNING]));
  }
  for (const client of clients.slice(0, 8)) client.sendRaw(Buffer.alloc(8 * MIB));
  await untilStill("all bytes have arrived", () => residentMib(proxy.pid));
  const most = peakMib([proxy.pid]) - before;
  for (const client of clients) client.reset();
  await until("the server's connections are closed", () => server.open() === 0, 5_000);
  expect(server.sockets.every(({ bytes }) => bytes === 0)).toBe(true);
  console.log(`${COUNT} unfinished messages, 8 of them of 8 MiB: ${most.toFixed(0)} MiB`);
  expect(most).toBeLessThan(220);
}, 60_000);
