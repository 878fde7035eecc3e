/**
 * WebSockets through the compiled binary on a real engine: tests
 * that take longer than those in tests/e2e/real-engine.
 */
import { describe, expect, test } from "bun:test";
import { type Conversation, converse } from "../support/client/websocket.ts";
import { startEachTestWithoutServers } from "../support/engine/each-test.ts";
import { createNetwork } from "../support/engine/networks.ts";
import { admin, type Server, startProxy, startServer } from "../support/engine/real.ts";
import { recreate, replaceByHand, startService } from "../support/engine/replace.ts";
import { earlyEndsIn, endsAt, TIME_UP, talk, talker, turn } from "../support/engine/websockets.ts";
import { type CompiledProxy, runCompiled } from "../support/proxy/compiled.ts";
import { untilShown } from "../support/proxy/shown-status.ts";
import { dockerCli } from "../support/server/inference-server/image.ts";
import { until, within } from "../support/until.ts";

const TIMEOUT_MS = 120_000;

function untilState({ origin }: CompiledProxy, { name }: Server, state: string): Promise<number> {
  return untilShown(origin, name, { state });
}

/** Longer than PROXY_DRAIN_TIMEOUT of 1 s. */
async function twoSeconds(): Promise<void> {
  await Bun.sleep(2_000); // shows that the proxy cuts nothing
}

startEachTestWithoutServers();

describe("A WebSocket stays open, although its container takes no new requests,", () => {
  test(
    "while it is paused, unhealthy, or was drained and is undrained in time",
    async () => {
      await using proxy = await startProxy({ PROXY_DRAIN_TIMEOUT: "1s" });
      const server = await startServer(talker("m"));
      await untilState(proxy, server, "routed");
      const client = await talk(proxy.origin, "m");

      await dockerCli("pause", server.name);
      await untilState(proxy, server, "paused");
      await twoSeconds();
      await dockerCli("unpause", server.name);
      await untilState(proxy, server, "routed");
      await turn(client);

      await admin(server, "/health?state=bad");
      await untilState(proxy, server, "unhealthy");
      await twoSeconds();
      await turn(client);
      await admin(server, "/health?state=good");
      await untilState(proxy, server, "routed");

      const env = { PROXY_PORT: String(proxy.port) };
      const late = await runCompiled(env, ["drain", server.name, "--timeout", "300ms"]);
      expect(late).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("1 request still in flight after 0.3 s"),
      });
      expect((await runCompiled(env, ["undrain", server.name])).code).toBe(0);
      await twoSeconds();
      await turn(client);

      await runCompiled(env, ["drain", server.name, "--timeout", "0"]);
      expect(await client.closed()).toEqual(TIME_UP);
      await until("its server sees the end", async () => (await endsAt(server))[0] !== null);
      expect(await endsAt(server)).toMatchObject([{ code: 1001, by: "client" }]);
    },
    TIMEOUT_MS,
  );
});

test(
  "A container leaves its network: 1011 within 5 s, although nothing has closed the connection",
  async () => {
    await using network = await createNetwork();
    await using proxy = await startProxy();
    const init = talker("m");
    const flags = [...(init.flags ?? []), "--network", network.name];
    const server = await startServer({ ...init, flags });
    await untilState(proxy, server, "routed");
    const [idle, busy] = [await talk(proxy.origin, "m"), await talk(proxy.origin, "m")];
    const startMs = performance.now();
    await dockerCli("network", "disconnect", network.name, server.name);
    busy.socket.send(JSON.stringify({ type: "response.create" }));
    for (const client of [idle, busy]) {
      expect(await client.closed()).toEqual({ code: 1011, reason: "the server is gone" });
    }
    expect(performance.now() - startMs).toBeLessThan(5_000);
    await until("the log reports it", () => earlyEndsIn(proxy, server.name).length === 1);
    expect(earlyEndsIn(proxy, server.name)[0]).toMatchObject({
      container: server.name,
      websockets: 2,
    });
    await dockerCli("rm", "--force", server.name);
  },
  TIMEOUT_MS,
);

test(
  "A container that runs out of memory: 1011 with that reason",
  async () => {
    await using proxy = await startProxy();
    const init = talker("m");
    const flags = [...(init.flags ?? []), "--memory", "150m", "--memory-swap", "150m"];
    const server = await startServer({ ...init, flags });
    await untilState(proxy, server, "routed");
    const client = await talk(proxy.origin, "m");
    // The server keeps a body in memory.
    const body = new Blob([new Uint8Array(300 * 1024 * 1024)]);
    const flood = fetch(`${await server.origin()}/v1/embeddings`, { method: "POST", body });
    flood.catch(() => undefined);
    expect(await client.closed()).toEqual({ code: 1011, reason: "the server ran out of memory" });
    await until("the log reports it", () => earlyEndsIn(proxy, server.name).length === 1);
    expect(earlyEndsIn(proxy, server.name)[0]?.["reason"]).toMatch(
      /^its container ran out of memory/,
    );
  },
  TIMEOUT_MS,
);

test(
  "300 WebSockets of one container that is killed: each gets 1011 within 5 s, and one log line reports all",
  async () => {
    await using proxy = await startProxy();
    const server = await startServer(talker("m"));
    await untilState(proxy, server, "routed");
    const clients: Conversation[] = [];
    for (let nth = 0; nth < 300; nth += 1) clients.push(await talk(proxy.origin, "m"));
    const startMs = performance.now();
    await dockerCli("kill", server.name);
    const ends = await Promise.all(clients.map((client) => client.closed()));
    expect(performance.now() - startMs).toBeLessThan(5_000);
    expect(new Set(ends.map(({ code, reason }) => `${code} ${reason}`))).toEqual(
      new Set(["1011 the server was killed"]),
    );
    await until("the log reports it", () => earlyEndsIn(proxy, server.name).length > 0);
    expect(earlyEndsIn(proxy, server.name)).toMatchObject([
      { container: server.name, websockets: 300 },
    ]);
  },
  TIMEOUT_MS,
);

test(
  "A handshake that its server has not answered before a restart opens at the next run",
  async () => {
    await using proxy = await startProxy({ PROXY_WAIT_TIMEOUT: "1m" });
    const server = await startServer(talker("m", { TERM_MODE: "abrupt" }));
    await untilState(proxy, server, "routed");
    await admin(server, "/gate?state=shut");
    const opening = converse(`${proxy.origin}/v1/realtime?model=m`, {}, 30_000);
    await untilShown(proxy.origin, server.name, { in_flight: 1 });
    await dockerCli("restart", server.name);
    await turn(await opening);
    await untilShown(proxy.origin, server.name, { state: "routed", in_flight: 1 });
  },
  TIMEOUT_MS,
);

/** A client that opens its WebSocket again each time it ends. */
class Faithful {
  readonly #url: string;
  #isLeaving = false;
  /** All different ways in which its WebSockets have ended, and all different errors. */
  readonly ends = new Set<string>();
  turns = 0;
  readonly over: Promise<void>;

  constructor(origin: string) {
    this.#url = `${origin}/v1/realtime?model=m`;
    this.over = this.#run();
  }

  leave(): Promise<void> {
    this.#isLeaving = true;
    return within("the end of the client", this.over, 30_000);
  }

  async #run(): Promise<void> {
    while (!this.#isLeaving) {
      try {
        await this.#talk(await converse(this.#url, {}, 60_000));
      } catch (error) {
        this.ends.add(String(error));
      }
    }
  }

  async #talk(conversation: Conversation): Promise<void> {
    const { socket } = conversation;
    let isOpen = true;
    const { promise, resolve } = Promise.withResolvers<string>();
    socket.addEventListener("close", ({ code }) => {
      isOpen = false;
      resolve(String(code));
    });
    while (isOpen && !this.#isLeaving) {
      await Promise.race([turn(conversation), promise]);
      if (isOpen) this.turns += 1;
    }
    if (isOpen) socket.close(1000);
    const end = await within("the end of the WebSocket", promise);
    if (!this.#isLeaving) this.ends.add(end);
  }
}

test(
  "Clients that reconnect after 1012 see no other end while their server is recreated, replaced and restarted",
  async () => {
    await using proxy = await startProxy({ PROXY_DRAIN_TIMEOUT: "1s", PROXY_WAIT_TIMEOUT: "2m" });
    const loading = talker("m", { LISTEN_DELAY_MS: "1000" });
    let server = await startService(talker("m"));
    await untilState(proxy, server, "routed");
    const clients = Array.from({ length: 20 }, () => new Faithful(proxy.origin));
    const turnsOfAll = async (): Promise<void> => {
      const before = clients.map(({ turns }) => turns);
      const all = (): boolean => clients.every(({ turns }, at) => turns > (before[at] ?? 0) + 2);
      await until("each client has had answers", all, 60_000);
    };
    await turnsOfAll();
    server = await recreate(server, loading);
    await turnsOfAll();
    server = await replaceByHand(server, talker("m", { TERM_MODE: "ignore" }));
    await turnsOfAll();
    await dockerCli("restart", "--time", "3", server.id); // the server ignores the stop, so the proxy ends the WebSockets
    await turnsOfAll();
    for (const client of clients) await client.leave();
    expect([...new Set(clients.flatMap(({ ends }) => [...ends]))]).toEqual(["1012"]);
  },
  TIMEOUT_MS,
);
