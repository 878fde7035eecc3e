/** Requests through the compiled binary, in front of a fake engine. */
import { describe, expect, test } from "bun:test";
import { completeBody, rawConnect } from "../../support/client/raw-http.ts";
import { chat, modelIds, streamedChat, untilModels } from "../../support/client/requests.ts";
import { envOf, FakeEngine } from "../../support/engine/fake.ts";
import { freePort, startCompiled } from "../../support/proxy/compiled.ts";
import { startCompiledChain } from "../../support/proxy/compiled-chain.ts";
import { startModelServer } from "../../support/proxy/discovery.ts";
import { rawRequest } from "../../support/proxy/in-process.ts";
import { play } from "../../support/replay/recordings.ts";
import { startTokenServer } from "../../support/server/tokens.ts";
import { until, within } from "../../support/until.ts";

describe("requests", () => {
  test("300 answers stream at once, more than the runtime's default limit of 256 fetches", async () => {
    using fake = await new FakeEngine().start();
    let open = true;
    using backend = startTokenServer(() => open);
    fake.add({ port: backend.port });
    await using proxy = await startCompiled({ env: envOf(fake) });
    await untilModels(proxy.origin, ["m"]);
    // Bare connections, because the same limit holds for fetches of this process.
    const connections = await Promise.all(
      Array.from({ length: 300 }, () => rawConnect(proxy.port)),
    );
    for (const connection of connections) connection.send(rawRequest());
    await Promise.all(connections.map((connection) => connection.waitFor("data: {}")));
    open = false;
    await Promise.all(connections.map((connection) => connection.waitFor("0\r\n\r\n")));
    for (const connection of connections) connection[Symbol.dispose]();
  }, 60_000);

  test("replays a recorded docker stop during an answer: the answer continues, new requests get 503, then 404", async () => {
    using fake = await new FakeEngine().start();
    let open = true;
    using backend = startTokenServer(() => open);
    await using proxy = await startCompiled({ env: envOf(fake) });
    await until("the proxy is ready", () => proxy.logged('"ready"'));
    const seen: string[] = [];
    let end = Promise.resolve("");
    const status = async (): Promise<number> => (await chat(proxy.origin, "m")).status;
    const reactions: Record<string, () => Promise<void>> = {
      "health_status: healthy": async () => {
        await untilModels(proxy.origin, ["m"]);
        ({ end } = await streamedChat(proxy.origin, "m"));
      },
      kill: async () => {
        await untilModels(proxy.origin, []);
        seen.push(`kill ${await status()}`);
      },
      "health_status: unhealthy": async () => {
        seen.push(`unhealthy ${await status()}`);
        open = false; // the answer ends before the process does
        seen.push(await within("the answer", end));
      },
      die: () => until("the container is gone", async () => (await status()) === 404),
    };
    const recording = "docker-20.10.24/02-stop-drain-inflight-3s";
    await play(fake, recording, backend.port, async ({ Action }) => reactions[Action]?.());
    expect(seen).toEqual(["kill 503", "unhealthy 503", "complete"]);
  });

  test.each([
    ["before its headers", "", "end", 502],
    ["before its headers", "", "reset", 502],
    ["within its headers", "HTTP/1.1 200 OK\r\nX-", "end", 502],
    ["after its headers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "end", 0],
    ["after its headers", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "reset", 0],
    ["in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc", "end", 0],
    ["in a long body", "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\nabc", "reset", 0],
    ["by an invalid status", "HTTP/1.1 999 OK\r\nContent-Length: 3\r\n\r\nabc", "end", 502],
    ["by garbage", "what?\r\n\r\n", "end", 502],
  ] as const)(
    "an answer that breaks off %s (%j, %s): the proxy logs one warning, and prints nothing to stderr",
    async (_where, sent, how, status) => {
      await using chain = await startCompiledChain();
      const { proxy, upstream } = chain;
      using client = await rawConnect(proxy.port);
      client.send(rawRequest(undefined, ["Connection: close"]));
      const connection = await upstream.request(1);
      if (sent !== "") connection.send(sent);
      connection[how]();
      await client.waitForClose();
      expect(client.received().includes("502")).toBe(status === 502);
      expect(completeBody(client.received()) === undefined).toBe(status === 0);
      await until("the warning is logged", () =>
        proxy.log().some(({ level, model }) => level === "warn" && model === "m"),
      );
      expect(proxy.log().filter(({ level }) => level === "warn")).toHaveLength(1);
      expect(proxy.stderr()).toBe("");
    },
  );

  test("forwards 190 request headers with 64 KB in total", async () => {
    await using chain = await startCompiledChain();
    const { proxy, upstream } = chain;
    using client = await rawConnect(proxy.port);
    const many = Array.from({ length: 187 }, (_, n) => `X-${n}: ${"v".repeat(330)}`); // plus Host and the length
    client.send(rawRequest(undefined, [...many, "Connection: close"]));
    const connection = await upstream.request(1);
    for (const header of many)
      expect(connection.received().toLowerCase()).toContain(header.toLowerCase());
  });

  test("the models of a container appear, and the proxy ignores HTTP_PROXY for the engine and for backends", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    fake.add({ port: models.port });
    const dead = `http://127.0.0.1:${freePort()}`;
    await using proxy = await startCompiled({
      env: { ...envOf(fake), HTTP_PROXY: dead, http_proxy: dead },
    });
    await untilModels(proxy.origin, ["m"]);
    expect(await modelIds(proxy.origin)).toEqual(["m"]);
    expect((await chat(proxy.origin, "m")).status).toBe(404); // from the model server
  });
});
