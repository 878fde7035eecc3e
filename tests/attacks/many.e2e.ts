/** The attacks of tests/e2e/binary/attacks.e2e.ts in other forms and many times over. Takes about a minute. */
import { expect, test } from "bun:test";
import { deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { rawConnect } from "../support/client/raw-http.ts";
import { chat, untilModels } from "../support/client/requests.ts";
import { cpuMs, residentMib } from "../support/process/figures.ts";
import { brotliBomb, harmOf, startAttacked } from "../support/proxy/attacked.ts";
import { fakeBackend } from "../support/server/scripted.ts";
import { until } from "../support/until.ts";

const MIB = 1024 * 1024;

function portOf({ origin }: { readonly origin: string }): number {
  return Number(new URL(origin).port);
}

function goodServer() {
  return fakeBackend(({ target }) =>
    target.endsWith("/models")
      ? Response.json({ data: [{ id: "m" }] })
      : new Response('{"id":"resp_1"}'),
  );
}

const ZEROS = Buffer.alloc(256 * MIB, 0x20);

test.each<[encoding: string, bytes: () => Uint8Array<ArrayBuffer>]>([
  ["gzip", () => new Uint8Array(gzipSync(ZEROS))],
  ["deflate", () => new Uint8Array(deflateSync(ZEROS))],
  ["zstd", () => new Uint8Array(zstdCompressSync(ZEROS))],
  ["br", () => brotliBomb(1_024)],
])(
  "a %s bomb as the answer to the model list and to /info does no harm",
  async (encoding, bytes) => {
    const bomb = bytes();
    const headers = { "content-encoding": encoding };
    using good = goodServer();
    using lists = fakeBackend(() => new Response(bomb, { headers }));
    using infos = fakeBackend(({ target }) =>
      target === "/info" ? new Response(bomb, { headers }) : new Response("", { status: 404 }),
    );
    await using attacked = await startAttacked();
    const { proxy, run } = attacked;
    run({ port: portOf(good) });
    await untilModels(proxy.origin, ["m"]);
    const harm = await harmOf(proxy, async () => {
      for (const hostile of [lists, infos]) {
        run({ port: portOf(hostile) });
        await until(
          "the hostile server has four requests",
          () => hostile.received.length >= 4,
          20_000,
        );
      }
    });
    expect(harm.longestMs).toBeLessThan(500);
    expect(harm.grewMib).toBeLessThan(80);
  },
  120_000,
);

test.each<[what: string, list: () => string]>([
  ["16 MiB of numbers", () => `{"data":[{"id":"x","n":[${"1,".repeat(8_000_000)}1]}]}`],
  ["16 MiB of brackets", () => `{"data":[{"id":"x","n":${"[".repeat(8_000_000)}`],
  ["a million entries", () => `{"data":[${'{"id":"x"},'.repeat(1_000_000)}{"id":"y"}]}`],
  ["an id of 15 MiB", () => `{"data":[{"id":"${"x".repeat(15 * MIB)}"}]}`],
  ["lists nested without end", () => '{"data":['.repeat(1_700_000)],
])(
  "%s as a model list blocks the proxy for less than half a second",
  async (_what, list) => {
    const text = list();
    using good = goodServer();
    using hostile = fakeBackend(() => new Response(text));
    await using attacked = await startAttacked();
    const { proxy, run } = attacked;
    run({ port: portOf(good) });
    await untilModels(proxy.origin, ["m"]);
    const harm = await harmOf(proxy, async () => {
      run({ port: portOf(hostile), name: "hostile" });
      await until("the hostile server has a request", () => hostile.received.length >= 1, 20_000);
      await until(
        "the proxy has logged its judgement of the hostile server",
        () => proxy.logged('"container":"hostile"'),
        20_000,
      );
    });
    expect(harm.longestMs).toBeLessThan(1_000);
    expect(harm.grewMib).toBeLessThan(400);
  },
  120_000,
);

test("reading a /v1/responses answer that arrives byte by byte costs little CPU time", async () => {
  const encoder = new TextEncoder();
  using hostile = fakeBackend(({ target }) => {
    if (target.endsWith("/models")) return Response.json({ data: [{ id: "m" }] });
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await Bun.sleep(0); // so that each byte is sent by itself
        controller.enqueue(encoder.encode(sent % 2 === 0 ? '"' : " "));
        sent += 1;
        if (sent === 16_000) controller.close();
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  });
  await using attacked = await startAttacked();
  const { proxy, run } = attacked;
  run({ port: portOf(hostile) });
  await untilModels(proxy.origin, ["m"]);
  const before = cpuMs(proxy.pid);
  const asked = { method: "POST", body: '{"model":"m"}' };
  await (await fetch(`${proxy.origin}/v1/chat/completions`, asked)).text();
  const plainMs = cpuMs(proxy.pid) - before;
  await (await fetch(`${proxy.origin}/v1/responses`, asked)).text();
  const readMs = cpuMs(proxy.pid) - before - plainMs;
  expect(readMs - plainMs).toBeLessThan(300); // it was 1,200 ms
}, 120_000);

test.each<[what: string, start: string, piece: string]>([
  ["keys", "{", '"model\\u0020":1,'],
  ["escapes of a model", '{"model":"', "\\u0041"],
  ["brackets", '{"a":', "["],
  ["quotes", '{"a":"', '\\"'],
  ["header bytes of a form", "--b\r\nX: ", "y"],
  ["a model in a form", '--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n', "\r\n--b-"],
  ["parts of a form", "", '--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n\r\n'],
])(
  "ten bodies of nothing but %s, in tiny chunks, cost CPU time in proportion to their bytes, and little memory",
  async (_what, start, piece) => {
    using good = goodServer();
    await using attacked = await startAttacked({ PROXY_MODEL_SEARCH_LIMIT: "1MiB" });
    const { proxy, run } = attacked;
    run({ port: portOf(good) });
    await untilModels(proxy.origin, ["m"]);
    const type = start.startsWith("{") ? "application/json" : "multipart/form-data; boundary=b";
    const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
    const costOf = async (bytes: number): Promise<number> => {
      const before = cpuMs(proxy.pid);
      const head = `POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n`;
      const many = chunk(piece).repeat(Math.ceil(bytes / piece.length));
      const clients = await Promise.all(Array.from({ length: 10 }, () => rawConnect(proxy.port)));
      for (const client of clients) {
        client.send(`${head}${start === "" ? "" : chunk(start)}${many}0\r\n\r\n`);
      }
      for (const client of clients) await client.waitFor("HTTP/1.1 4");
      for (const client of clients) client.reset();
      return cpuMs(proxy.pid) - before;
    };
    const restMib = residentMib(proxy.pid);
    await costOf(5_000);
    const small = await costOf(20_000);
    const large = await costOf(200_000);
    expect(large).toBeLessThan(12 * (small + 50)); // ten times the bytes
    expect(residentMib(proxy.pid) - restMib).toBeLessThan(100);
    expect((await chat(proxy.origin, "m")).status).toBe(200);
  },
  120_000,
);
