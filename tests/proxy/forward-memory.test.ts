import { heapStats } from "bun:jsc";
import { expect, test } from "bun:test";
import { rawConnect } from "../support/client/raw-http.ts";
import { startProxy } from "../support/proxy/in-process.ts";
import { makeBackend } from "../support/server/backends.ts";

const MIB = 1024 * 1024;
const STREAMS = 20;
const BODY = `{"model":"m","messages":"${"x".repeat(0.9 * MIB)}"}`;
const REQUEST = `POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;

/** The memory outside the heap that garbage-collected objects hold, MiB. */
function heldMib(): number {
  Bun.gc(true);
  return heapStats().extraMemorySize / MIB;
}

test.each([
  ["releases bodies", 0, 0, 1],
  ["keeps no more than the limit of bodies", 6 * MIB, 6, 1],
  ["releases bodies for replicas", 0, 0, 2],
])("forward() %s when they are sent, even if the answers take long", async (...row) => {
  const [, most, kept, servers] = row;
  using upstream = Bun.serve({
    port: 0,
    fetch: async (request) => {
      await request.bytes();
      const body = new ReadableStream({ start: (answer) => answer.enqueue("first piece") });
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    },
  });
  const origins = new Array<string>(servers).fill(`http://127.0.0.1:${upstream.port}`);
  const isReplica = servers > 1;
  const backends = origins.map((origin) => makeBackend({ origin, isReplica }));
  using proxy = startProxy({ backends, fetchKeptBytesMax: most });
  const before = heldMib();
  using clients = new DisposableStack();
  for (let n = 0; n < STREAMS; n += 1) {
    const client = clients.use(await rawConnect(proxy.port));
    client.send(REQUEST);
    await client.waitFor("first piece");
  }
  expect(backends.reduce((sum, { inFlight }) => sum + inFlight, 0)).toBe(STREAMS);
  // Bun itself needs 0.25 MiB to read an answer.
  expect(heldMib() - before).toBeLessThan(kept + STREAMS * 0.5);
});
