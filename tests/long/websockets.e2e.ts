/**
 * WebSockets through the compiled binary that take long or much: 10,000 one after another, 1 GB to readers that stall, and
 * idle ones behind front proxies with the time-outs that these have by themselves.
 */
import { expect, test } from "bun:test";
import { descriptorsOf, residentMib } from "../support/process/figures.ts";
import { until } from "../support/until.ts";
import { startCompiledWires } from "../support/websocket/compiled-wires.ts";
import { stall } from "../support/websocket/flow.ts";
import { openWire } from "../support/websocket/wire.ts";
import { CLOSE, TEXT } from "../support/websocket/wire-frames.ts";

const MIB = 1024 ** 2;
const COUNT = 10_000;
const STEP = COUNT / 10;
const AT_A_TIME = 20;
/** The binary at rest has some 50. */
const STALLED_MIB = 130;

test(`${COUNT} WebSockets one after another: memory stays flat, descriptors are given back`, async () => {
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
    await until("it has its answer", () => client.messages === 1, 10_000);
    client.close(1000, "done");
    await until("it is closed", () => client.closeCode === 1000, 10_000);
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
  await until("all are closed", () => server.open() === 0, 10_000);
  const isGivenBack = (): boolean => descriptorsOf(proxy.pid) <= descriptors + 5;
  await until("descriptors are given back", isGivenBack, 5_000);
  console.log(
    `${COUNT} WebSockets, MiB after each ${STEP}: ${mib.map((each) => each.toFixed(0)).join(" ")}`,
  );
  // It rises until garbage is collected, and falls again.
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
  "1 GB to a %s that does not read, messages of %d B",
  async (reader, messageBytes) => {
    const { heldMb, peakMib: peak } = await stall(reader, { bytes: 1e9, messageBytes });
    console.log(
      `1 GB to a stalled ${reader}, messages of ${messageBytes} B: ${heldMb.toFixed(1)} MB sent by then, ${peak.toFixed(0)} MiB at most`,
    );
    expect(peak).toBeLessThan(STALLED_MIB);
  },
  120_000,
);
