/**
 * Attacks on the compiled binary. Each of them once harmed other clients or servers. Attacks that take longer
 * than some seconds are in tests/attacks (`npm run test:attacks`).
 */
import { describe, expect, test } from "bun:test";
import { rawConnect, rawServer, serveModel } from "../../support/client/raw-http.ts";
import { chat, untilModels } from "../../support/client/requests.ts";
import { cpuMs, descriptorsOf, residentMib } from "../../support/process/figures.ts";
import { brotliBomb, harmOf, startAttacked } from "../../support/proxy/attacked.ts";
import { untilShown } from "../../support/proxy/shown-status.ts";
import { fakeBackend } from "../../support/server/scripted.ts";
import { until } from "../../support/until.ts";

const MIB = 1024 * 1024;

function portOf({ origin }: { readonly origin: string }): number {
  return Number(new URL(origin).port);
}

/** A server that serves the model `m`, and lists the models that the test gives it. */
function listing(list: () => Response) {
  return fakeBackend(({ target }) =>
    target.endsWith("/models") ? list() : new Response('{"answer":true}'),
  );
}

const GOOD = (): Response => Response.json({ data: [{ id: "m" }] });

describe("a server that", () => {
  test("sends a list of some kB that inflates to 512 MiB does no harm, and status says why it is not routed", async () => {
    const bomb = brotliBomb(512);
    expect(bomb.length).toBeLessThan(10_000);
    using good = listing(GOOD);
    using hostile = listing(() => new Response(bomb, { headers: { "content-encoding": "br" } }));
    await using attacked = await startAttacked();
    const { proxy, run } = attacked;
    run({ port: portOf(good) });
    await untilModels(proxy.origin, ["m"]);
    const harm = await harmOf(proxy, async () => {
      run({ port: portOf(hostile), name: "bomb" });
      const reason = expect.stringContaining('Content-Encoding "br"');
      await untilShown(proxy.origin, "bomb", { state: "reading_models", reason });
      await until(
        "the hostile server has three requests",
        () => hostile.received.length >= 3,
        10_000,
      );
    });
    expect(harm.longestMs).toBeLessThan(500);
    expect(harm.grewMib).toBeLessThan(60);
    expect((await chat(proxy.origin, "m")).status).toBe(200);
  }, 60_000);

  test("lists an object nested 41,000 levels deep leaves the lists of all others whole", async () => {
    using good = listing(GOOD);
    const deep = `{"data":[{"id":"deep","x":${"[".repeat(41_000)}${"]".repeat(41_000)}},{"id":"flat"}]}`;
    using hostile = listing(() => new Response(deep));
    await using attacked = await startAttacked();
    const { proxy, run } = attacked;
    run({ port: portOf(good) });
    run({ port: portOf(hostile), name: "deep" });
    await untilModels(proxy.origin, ["flat", "m"]);
    await untilShown(proxy.origin, "deep", {
      state: "routed",
      reason: expect.stringContaining("deep"),
    });
  }, 60_000);

  test("lists 10,000 models, with new ones at each read, does not fill the log, and unknown models stay cheap", async () => {
    let round = 0;
    using hostile = listing(() => {
      round += 1;
      const data = Array.from({ length: 10_000 }, (_, n) => ({
        id: `org/some-model-of-a-usual-length-${n}-${round}`,
      }));
      return Response.json({ data });
    });
    await using attacked = await startAttacked();
    const { proxy, run } = attacked;
    run({ port: portOf(hostile) });
    await until("the server is routed", () => proxy.logged("container routed"), 10_000);
    const asked = 300;
    await chat(proxy.origin, "org/some-modle-of-a-usual-length-77-1"); // makes the proxy read the list again
    const before = cpuMs(proxy.pid);
    for (let n = 0; n < asked; n += 1) {
      const answer = await chat(proxy.origin, `org/some-modle-of-a-usual-length-${n}`);
      expect(answer.status).toBe(404);
    }
    expect((cpuMs(proxy.pid) - before) / asked).toBeLessThan(4); // it was 145 ms
    const bytes = proxy.log().reduce((sum, line) => sum + JSON.stringify(line).length, 0);
    expect(bytes).toBeLessThan(20_000);
  }, 60_000);
});

describe("a client that", () => {
  test("sends a model name of 1.7 MB in chunks of one byte uses almost no memory", async () => {
    using good = listing(GOOD);
    await using attacked = await startAttacked();
    const { proxy, run } = attacked;
    run({ port: portOf(good) });
    await untilModels(proxy.origin, ["m"]);
    const harm = await harmOf(proxy, async () => {
      using client = await rawConnect(proxy.port);
      client.send("POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
      client.send('a\r\n{"model":"\r\n');
      for (let sent = 0; sent < 1_700_000 && !client.closed(); sent += 20_000) {
        client.send("1\r\nx\r\n".repeat(20_000));
        await Bun.sleep(1); // so that other code in this process can run
      }
      await client.waitFor("model_required");
    });
    expect(harm.grewMib).toBeLessThan(100);
    expect(harm.longestMs).toBeLessThan(500);
  }, 60_000);

  test.each([
    ["first", false],
    ["last", true],
  ])(
    "sends 400 bodies of 1 MiB at once, with the model %s, does not make the proxy keep more bytes than the limit",
    async (_where, isLast) => {
      using upstream = await rawServer();
      await using attacked = await startAttacked({ PROXY_MODEL_SEARCH_LIMIT: "2MiB" });
      const { proxy, run } = attacked;
      run({ port: upstream.port });
      await serveModel(upstream);
      await untilModels(proxy.origin, ["m"]);
      const restMib = residentMib(proxy.pid);
      const pad = `"pad":"${"x".repeat(MIB - 40)}"`;
      const body = isLast ? `{${pad},"model":"m"}` : `{"model":"m",${pad}}`;
      const clients = await Promise.all(Array.from({ length: 400 }, () => rawConnect(proxy.port)));
      for (const client of clients) {
        client.send(
          `POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        );
      }
      const refused = (): number =>
        clients.filter((client) => client.received().includes("proxy_overloaded")).length;
      const underWay = (): number =>
        upstream.connections.filter((connection) => !connection.closed()).length;
      await until(
        "each request is in flight or refused",
        () => refused() + underWay() >= 400,
        20_000,
      );
      expect(refused() > 300).toBe(isLast); // the proxy refuses only bodies whose model has not arrived
      expect(refused() > 0).toBe(isLast);
      await until("the memory is freed", () => residentMib(proxy.pid) - restMib < 150, 20_000);
      for (const client of clients) client.reset();
    },
    60_000,
  );
});

describe("the engine", () => {
  test("writes a line of 5 MiB: the proxy still notices another container's stop", async () => {
    using good = listing(GOOD);
    await using attacked = await startAttacked();
    const { engine, proxy, run } = attacked;
    const container = run({ port: portOf(good), name: "good" });
    await untilModels(proxy.origin, ["m"]);
    engine.emitLine(`{"Type":"container","x":"${"x".repeat(5 * MIB)}"}`);
    engine.kill(container);
    await untilShown(proxy.origin, "good", { state: "stopping" }, 2_000);
    expect(proxy.log().filter(({ level }) => level === "warn")).toHaveLength(1);
  }, 60_000);
});

describe("a proxy that finds its own container", () => {
  test("does not use itself as a server, and spends no descriptors on it", async () => {
    using good = listing(GOOD);
    await using attacked = await startAttacked();
    const { proxy, run } = attacked;
    run({ port: portOf(good) });
    await untilModels(proxy.origin, ["m"]);
    run({ port: proxy.port, name: "loop" });
    await untilShown(proxy.origin, "loop", { state: "ignored" });
    expect((await chat(proxy.origin, "m")).status).toBe(200);
    expect(descriptorsOf(proxy.pid)).toBeLessThan(60);
  }, 60_000);
});
