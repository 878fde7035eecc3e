import { expect, test } from "bun:test";
import { FakeEngine } from "../support/engine/fake.ts";
import {
  kindOf,
  type ModelServer,
  modelList,
  startDiscovery,
  startModelServer,
  untilKind,
} from "../support/proxy/discovery.ts";
import { until } from "../support/until.ts";

type Bad = readonly [what: string, answer: ModelServer["answer"], reason: string];

const LARGE = Buffer.alloc(1024 * 1024, '{"id":"x"},');

function hundredMegabytes(): Response {
  let pieces = 0;
  const pull = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
    controller.enqueue(LARGE);
    pieces += 1;
    if (pieces === 100) controller.close();
  };
  return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }));
}

const BAD: readonly Bad[] = [
  ["401", () => new Response("", { status: 401 }), "401 Unauthorized"],
  ["404", () => new Response("", { status: 404 }), "404 Not Found"],
  ["503", () => new Response("", { status: 503 }), "503 Service Unavailable"],
  ["HTML", () => new Response("<!doctype html>"), "the answer is HTML"],
  ["100 MB", hundredMegabytes, "larger than 16 MiB"],
  ["no data", () => Response.json({ object: "list" }), 'no list \\"data\\"'],
];

test("bad model lists are tried again, are logged once each, and do not affect other containers", async () => {
  using fake = await new FakeEngine().start();
  using good = startModelServer("good");
  using silent = startModelServer();
  using strange = startModelServer();
  silent.answer = () => new Promise(() => undefined);
  strange.answer = () => modelList("", "twice", "", "twice");
  for (const { port } of [silent, good, strange]) fake.add({ port });
  const bad = BAD.map(([, answer]) => {
    const server = startModelServer();
    server.answer = answer;
    fake.add({ port: server.port });
    return server;
  });
  using discovery = startDiscovery(fake);
  await untilKind(discovery, "live", "good");
  await untilKind(discovery, "live", "twice");
  await until("each was asked again", () => bad.every((server) => server.reads() >= 3), 8_000);
  expect(discovery.table.models.map(({ id }) => id)).toEqual(["good", "twice"]);
  expect([good.reads(), strange.reads(), silent.reads()]).toEqual([1, 1, 1]);
  const told = discovery.log.lines.filter(({ level }) => level !== "debug");
  for (const [, , reason] of BAD) {
    const lines = told.filter((line) => JSON.stringify(line).includes(reason));
    expect([reason, lines.length]).toEqual([reason, 1]);
  }
  for (const [n, server] of bad.entries()) server.answer = () => modelList(`mended-${n}`);
  for (const n of bad.keys()) {
    await until(`${n} is mended`, () => kindOf(discovery, `mended-${n}`) === "live", 8_000);
  }
  for (const server of bad) server[Symbol.dispose]();
}, 20_000);
