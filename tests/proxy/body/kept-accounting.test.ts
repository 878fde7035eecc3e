import { describe, expect, test } from "bun:test";
import { KeptBytes } from "../../../src/proxy/body/kept-bytes.ts";
import { readModelField } from "../../../src/proxy/body/request-body.ts";
import { chunked } from "../../support/client/piecewise.ts";
import { freePort, rawConnect } from "../../support/client/raw-http.ts";
import { residentWithoutGarbage } from "../../support/process/own-memory.ts";
import { ENDLESS, startProxy } from "../../support/proxy/in-process.ts";
import { NO_TURNS } from "../../support/proxy/turns.ts";
import { makeBackend } from "../../support/server/backends.ts";
import { fakeBackend } from "../../support/server/scripted.ts";
import { until } from "../../support/until.ts";

const MIB = 1024 * 1024;
const LIMIT = 4 * MIB;

/** The model comes last, and the body is too large to be read whole. */
const LARGE = JSON.stringify({ pad: "x".repeat(2 * MIB), model: "m" });
const SMALL = '{"model":"m"}';

describe("kept bytes of requests", () => {
  test.each<[what: string, model: string, refuse: boolean, status: number]>([
    ["an answer", "m", false, 200],
    ["an unknown model", "nobody", false, 404],
    ["a backend that refuses", "m", true, 502],
  ])(
    "are released after %s, for small and large bodies, with Content-Length and chunked",
    async (_what, model, refuse, status) => {
      using upstream = fakeBackend();
      const kept = new KeptBytes(LIMIT);
      const origin = refuse ? `http://127.0.0.1:${await freePort()}` : upstream.origin;
      using proxy = startProxy({ backends: [makeBackend({ origin })], kept, patience: ENDLESS });
      for (const body of [SMALL, LARGE]) {
        const named = body.replace('"model":"m"', `"model":"${model}"`);
        for (let n = 0; n < 12; n += 1) {
          const init = {
            method: "POST",
            body: n % 2 === 0 ? named : chunked(named),
            keepalive: false,
          };
          const response = await fetch(`${proxy.origin}/v1/x`, init);
          await response.arrayBuffer();
          expect(response.status).toBe(status); // more than four times the limit in all
        }
      }
      await until("nothing is kept", () => kept.total === 0);
    },
  );

  test("are limited for all requests together (then 503), and released when clients hang up", async () => {
    using upstream = fakeBackend();
    const kept = new KeptBytes(LIMIT);
    using proxy = startProxy({ backends: [makeBackend({ origin: upstream.origin })], kept });
    const head = `POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: ${10 * MIB}\r\n\r\n{"pad":"`;
    const clients = await Promise.all(Array.from({ length: 4 }, () => rawConnect(proxy.port)));
    for (const client of clients) client.send(head + "x".repeat(3.9 * MIB));
    await until("four are stalled", () => kept.total > 15 * MIB);
    const refused = await fetch(`${proxy.origin}/v1/x`, { method: "POST", body: LARGE });
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await refused.json()).toMatchObject({ error: { code: "proxy_overloaded" } });
    for (const client of clients) client.reset();
    await until("nothing is kept", () => kept.total === 0);
    expect((await fetch(`${proxy.origin}/v1/x`, { method: "POST", body: LARGE })).status).toBe(200);
  });

  test("take little more memory than is counted, also in one-byte pieces", async () => {
    const bytes = 200_000;
    let pulled = 0;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        pulled += 1;
        if (pulled > bytes) controller.close();
        else controller.enqueue(Buffer.from(pulled === 1 ? "{" : " "));
      },
    });
    const kept = new KeptBytes(LIMIT);
    const before = residentWithoutGarbage();
    const request = new Request("http://proxy.test/", { method: "POST", body });
    const { verdict, discard } = await readModelField(request, kept, NO_TURNS);
    expect(verdict.kind).toBe("invalid");
    expect(kept.total).toBeLessThan(2 * bytes);
    expect(residentWithoutGarbage() - before).toBeLessThan(100 * MIB);
    discard();
  });
});
