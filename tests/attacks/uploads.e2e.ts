/**
 * Slow and stalled uploads through the compiled binary, with the time limits of production.
 * Takes about 3 minutes.
 */
import { expect, test } from "bun:test";
import { completeBody, type RawConnection, rawConnect } from "../support/client/raw-http.ts";
import { untilModels } from "../support/client/requests.ts";
import { descriptorsOf } from "../support/process/figures.ts";
import { type Attacked, startAttacked } from "../support/proxy/attacked.ts";
import { fakeBackend } from "../support/server/scripted.ts";
import { until } from "../support/until.ts";

const KIB = 1024;

async function startRouted(): Promise<Attacked & Disposable> {
  const backend = fakeBackend(({ target, body }) =>
    target.endsWith("/models")
      ? Response.json({ data: [{ id: "m" }] })
      : new Response(`${body.length} bytes`),
  );
  const attacked = await startAttacked();
  attacked.run({ port: Number(new URL(backend.origin).port) });
  await untilModels(attacked.proxy.origin, ["m"]);
  return { ...attacked, [Symbol.dispose]: () => backend[Symbol.dispose]() };
}

function head(bytes: number): string {
  return `POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes}\r\n\r\n`;
}

async function sendAt(client: RawConnection, body: string, bytesASecond: number): Promise<void> {
  for (let at = 0; at < body.length && !client.closed(); at += bytesASecond) {
    client.send(body.slice(at, at + bytesASecond));
    await Bun.sleep(1_000); // the client is slow on purpose
  }
}

test.concurrent.each<[what: string, bytes: number, bytesASecond: number, modelLast: boolean]>([
  ["0.9 MB at 12 KB/s", 900 * KIB, 12 * KIB, false],
  ["1.6 MB at 15 KB/s, its model last", 1_600 * KIB, 15 * KIB, true],
  ["1.6 MB at 15 KB/s, its model first", 1_600 * KIB, 15 * KIB, false],
  ["a byte a second", 100, 1, false],
])(
  "takes an upload of %s",
  async (_what, bytes, bytesASecond, modelLast) => {
    using attacked = await startRouted();
    const pad = `"pad":"${"x".repeat(bytes - 25)}"`;
    const body = modelLast ? `{${pad},"model":"m"}` : `{"model":"m",${pad}}`;
    using client = await rawConnect(attacked.proxy.port);
    client.send(head(body.length));
    await sendAt(client, body, bytesASecond);
    await until("the answer arrives", () => completeBody(client.received()) !== undefined, 10_000);
    expect(completeBody(client.received())).toBe(`${body.length} bytes`);
    await attacked[Symbol.asyncDispose]();
  },
  300_000,
);

test.concurrent.each([
  ["before the model", '{"pad":"x'],
  ["after the model", '{"model":"m","pad":"x'],
])(
  "ends 100 uploads that stall %s after a minute, and closes their descriptors",
  async (_what, start) => {
    using attacked = await startRouted();
    const { proxy } = attacked;
    const rest = descriptorsOf(proxy.pid);
    const clients = await Promise.all(Array.from({ length: 100 }, () => rawConnect(proxy.port)));
    const startMs = performance.now();
    for (const client of clients) client.send(head(3_000_000) + start);
    await until(
      "the proxy has ended all uploads",
      () => clients.every((client) => client.closed()),
      90_000,
    );
    expect(performance.now() - startMs).toBeGreaterThan(55_000);
    await until(
      "the proxy has closed their descriptors",
      () => descriptorsOf(proxy.pid) <= rest + 5,
      10_000,
    );
    await attacked[Symbol.asyncDispose]();
  },
  300_000,
);
