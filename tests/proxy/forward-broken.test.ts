import { describe, expect, test } from "bun:test";
import { KeptBytes } from "../../src/proxy/body/kept-bytes.ts";
import type { RunEnd } from "../../src/routing/run.ts";
import { rawConnect, rawServer } from "../support/client/raw-http.ts";
import { ENDLESS, rawRequest, startProxyTo } from "../support/proxy/in-process.ts";
import { until } from "../support/until.ts";

const OOM: RunEnd = {
  kind: "out of memory",
  brief: "ran out of memory",
  reason: "ran out of memory (exit code 137)",
};
/** Longer than any test takes, ms. */
const LONG = 1_000_000;
const BROKE_OFF = "answers broken off";
const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";

describe("forward()", () => {
  test("aborts the connections of all clients at once, and logs them in one line", async () => {
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin, { patience: ENDLESS, broken: { gatherMs: LONG } });
    const clients = await Promise.all(Array.from({ length: 100 }, () => rawConnect(proxy.port)));
    for (const client of clients) client.send(rawRequest());
    const connections = await Promise.all(clients.map((_, index) => upstream.request(index)));
    for (const connection of connections) connection.send(CHUNKED);
    await Promise.all(clients.map((client) => client.waitFor("hello")));
    for (const connection of connections) connection.reset();
    await Promise.all(clients.map((client) => client.waitForClose()));
    expect(proxy.log.lines).toEqual([]);
    proxy.backend.ending.ended(OOM);
    await until("all have ended", () => proxy.backend.inFlight === 0);
    proxy.brokenAnswers.flush();
    expect(proxy.log.lines).toMatchObject([
      { message: BROKE_OFF, container: "vllm-1", model: "m", answers: 100 },
    ]);
    expect(proxy.log.lines[0]!["reason"]).toMatch(
      /^its container ran out of memory \(exit code 137\) [\d.]+ s into the longest of the answers$/,
    );
    for (const client of clients) client[Symbol.dispose]();
  });

  test("makes a 502 wait for its reason without a lease and without the body", async () => {
    using upstream = await rawServer();
    const patience = { ...ENDLESS, runEndMs: LONG };
    const kept = new KeptBytes(1024 * 1024);
    using proxy = startProxyTo(upstream.origin, { patience, kept });
    using client = await rawConnect(proxy.port);
    client.send(rawRequest());
    const connection = await upstream.request();
    expect(kept.total).toBeGreaterThan(0);
    connection.reset();
    await until("its lease has ended", () => proxy.backend.inFlight === 0);
    await until("it is logged", () => proxy.log.lines.length > 0);
    expect([client.received(), kept.total]).toEqual(["", 0]);
    proxy.backend.ending.ended(OOM);
    await client.waitFor("}}");
    expect(client.received()).toStartWith("HTTP/1.1 502 ");
    expect(client.received()).toContain(
      'the server of model \\"m\\" ran out of memory before it answered',
    );
  });
});
