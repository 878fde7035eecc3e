import { expect, test } from "bun:test";
import { rawConnect, rawServer } from "../support/client/raw-http.ts";
import { rawRequest, startProxyTo } from "../support/proxy/in-process.ts";
import { fakeBackend } from "../support/server/scripted.ts";
import { until, within } from "../support/until.ts";

const MIB = 1024 * 1024;
const BYTES = 96 * MIB;
/** More than the kernel's buffers on both connections hold. */
const HELD_MAX = 48 * MIB;

/** A body of BYTES that is made on demand. `made` returns the number of bytes made so far. */
function countedBody(head = ""): { body: ReadableStream<Uint8Array>; made: () => number } {
  const piece = Buffer.alloc(MIB / 4, "x");
  let made = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        controller.enqueue(made === 0 && head !== "" ? Buffer.from(head) : piece);
        made += piece.length;
        if (made >= BYTES) controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  return { body, made: () => made };
}

test("forward() reads an answer no faster than a slow client does", async () => {
  const [slow, quick] = [countedBody(), countedBody()];
  const answers = [slow, quick];
  using upstream = fakeBackend(() => new Response(answers.shift()?.body));
  using proxy = startProxyTo(upstream.origin);
  using client = await rawConnect(proxy.port);
  client.pause();
  client.send(rawRequest());
  await until("the answer has begun", () => slow.made() > 0);
  const request = fetch(`${proxy.origin}/v1/x`, { method: "POST", body: '{"model":"m"}' });
  const { length } = await within("the quick one", (await request).bytes());
  expect(length).toBe(BYTES);
  expect(slow.made()).toBeLessThan(HELD_MAX); // although there was time for the whole body
});

test("forward() reads a request no faster than a slow backend does", async () => {
  const [slow, quick] = [countedBody('{"model":"m",'), countedBody('{"model":"m",')];
  using upstream = await rawServer();
  using proxy = startProxyTo(upstream.origin);
  const controller = new AbortController();
  const post = async (body: ReadableStream<Uint8Array>): Promise<unknown> =>
    await fetch(`${proxy.origin}/v1/x`, { method: "POST", body, signal: controller.signal }).catch(
      () => undefined,
    );
  const stalled = post(slow.body);
  (await upstream.request(0)).pause();
  const done = post(quick.body);
  await upstream.request(1);
  await until("the quick one is sent", () => quick.made() === BYTES);
  expect(slow.made()).toBeLessThan(HELD_MAX);
  controller.abort();
  await within("both to end", Promise.all([stalled, done]));
});
