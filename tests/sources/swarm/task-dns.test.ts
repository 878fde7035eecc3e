import { expect, test } from "bun:test";
import { askDns } from "../../../src/sources/swarm/task-dns.ts";

const TTL_S = 600; // as in Docker's DNS

/** A DNS server that answers each question with these addresses. */
async function startDns(
  addresses: () => readonly string[],
): Promise<Disposable & { port: number }> {
  const socket = await Bun.udpSocket({
    hostname: "127.0.0.1",
    socket: {
      data: (own, question, port, address) =>
        void own.send(reply(question, addresses()), port, address),
    },
  });
  return { port: socket.port, [Symbol.dispose]: () => socket.close() };
}

/** Repeats only the question, and each address points to the name in it. */
function reply(question: Buffer, addresses: readonly string[]): Buffer {
  const head = Buffer.from([0x81, 0x80, 0, 1, 0, addresses.length, 0, 0, 0, 0]);
  const asked = question.subarray(12, question.indexOf(0, 12) + 5);
  const records = addresses.map((address) => {
    const ttl = [0, 0, TTL_S >> 8, TTL_S & 0xff];
    return Buffer.from([0xc0, 12, 0, 1, 0, 1, ...ttl, 0, 4, ...address.split(".").map(Number)]);
  });
  return Buffer.concat([question.subarray(0, 2), head, asked, ...records]);
}

test("askDns() asks each time, although the last answer is valid for minutes", async () => {
  let addresses = ["10.0.1.5", "10.0.1.6"];
  using dns = await startDns(() => addresses);
  const ask = askDns(`127.0.0.1:${dns.port}`);
  expect((await ask("tasks.llm")).toSorted()).toEqual(addresses);
  addresses = ["10.0.1.6"];
  expect(await ask("tasks.llm")).toEqual(addresses);
});
