/**
 * The compiled binary behind common front proxies: client → nginx, HAProxy or Caddy → our proxy → server. The
 * client and the server are bare sockets. The configurations are in tests/support/front-proxies/config/;
 * docs/front-proxies.md shows them.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { CODEX_WEBSOCKET, written } from "../../support/client/openings.ts";
import {
  completeBody,
  type RawConnection,
  type RawServer,
  rawConnect,
} from "../../support/client/raw-http.ts";
import {
  FRONT_PROXIES,
  type FrontProxyName,
  installFrontProxies,
  isInstalled,
  startFrontProxy,
} from "../../support/front-proxies/programs.ts";
import { startCompiledChain } from "../../support/proxy/compiled-chain.ts";
import { rawRequest } from "../../support/proxy/in-process.ts";
import { until } from "../../support/until.ts";

const MAY_INSTALL = process.env["TEST_ENGINE"] === "install";
const CAN_RUN = MAY_INSTALL || isInstalled();
if (!CAN_RUN) console.log("Not tested behind nginx, HAProxy and Caddy: they are not installed.");

const NAMES = Object.keys(FRONT_PROXIES) as FrontProxyName[];
const HEAD =
  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

type Chain = AsyncDisposable & {
  readonly client: RawConnection;
  readonly upstream: RawServer;
};

async function startChain(name: FrontProxyName): Promise<Chain> {
  await using stack = new AsyncDisposableStack();
  const { proxy, upstream } = stack.use(await startCompiledChain());
  const front = stack.use(await startFrontProxy(name, proxy.port));
  const client = stack.use(await rawConnect(front.port));
  const started = stack.move();
  return { client, upstream, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

describe.skipIf(!CAN_RUN).each(NAMES)("behind %s", (name) => {
  beforeAll(async () => {
    if (!isInstalled()) await installFrontProxies();
  }, 300_000);

  test("each token arrives before the server sends the next, and the stream ends properly", async () => {
    await using chain = await startChain(name);
    chain.client.send(rawRequest());
    const server = await chain.upstream.request(1);
    server.send(HEAD);
    for (let token = 0; token < 5; token += 1) {
      server.send(chunk(`data: ${token}\n\n`));
      await chain.client.waitFor(`data: ${token}\n\n`);
    }
    server.send("0\r\n\r\n");
    await chain.client.waitFor("\r\n0\r\n\r\n");
    expect(completeBody(chain.client.received())).toBe(
      "data: 0\n\ndata: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\n",
    );
  });

  test("a prompt is forwarded while it is still arriving", async () => {
    await using chain = await startChain(name);
    const start = `{"model":"m","messages":["${"x".repeat(2_000_000)}`;
    const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: ${start.length + 3}\r\n\r\n`;
    chain.client.send(head + start);
    const server = await chain.upstream.request(1);
    await until(
      "the server has the start of the prompt",
      () => server.received().length > 2_000_000,
    );
    chain.client.send('"]}');
    await server.waitFor('"]}');
  });

  test.each<[phase: string, sent: string]>([
    ["before the first token", ""],
    ["in the middle of a stream", HEAD + chunk("data: 0\n\n")],
    [
      "in the middle of an answer of known length",
      "HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\ndata: 0\n\n",
    ],
  ])("a client that hangs up %s ends the server's request", async (_phase, sent) => {
    await using chain = await startChain(name);
    chain.client.send(rawRequest());
    const server = await chain.upstream.request(1);
    server.send(sent);
    if (sent !== "") await chain.client.waitFor("data: 0");
    chain.client.end();
    await server.waitForClose();
  });

  test("a client that hangs up in the middle of its prompt ends the server's request", async () => {
    await using chain = await startChain(name);
    const start = `{"model":"m","messages":["${"x".repeat(2_000_000)}`;
    chain.client.send(
      `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n${start}`,
    );
    const server = await chain.upstream.request(1);
    await until(
      "the server has the start of the prompt",
      () => server.received().length > 2_000_000,
    );
    chain.client.reset();
    await server.waitForClose();
  });

  test.each(["end", "reset"] as const)(
    "a stream that breaks off (%s) does not look complete",
    async (how) => {
      await using chain = await startChain(name);
      chain.client.send(rawRequest());
      const server = await chain.upstream.request(1);
      server.send(HEAD + chunk("data: 0\n\n"));
      await chain.client.waitFor("data: 0");
      server[how]();
      if (name === "Caddy" && (await endsBrokenAnswers())) {
        await chain.client.waitFor("\r\n0\r\n\r\n"); // docs/front-proxies.md warns of this
        return;
      }
      await chain.client.waitForClose();
      expect(completeBody(chain.client.received())).toBeUndefined();
    },
  );

  test("a server without WebSockets: the answer to Codex' Upgrade makes it continue over HTTP", async () => {
    await using chain = await startChain(name);
    chain.client.send(written(CODEX_WEBSOCKET));
    if (name !== "nginx, HTTP/1.0") {
      (await chain.upstream.request(1)).send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    }
    await chain.client.waitFor('"code":"upgrade_required"');
    expect(chain.client.received()).toStartWith("HTTP/1.1 426 ");
  });

  test("the server sees the client's Host, and the X-Forwarded-* headers of both proxies", async () => {
    await using chain = await startChain(name);
    chain.client.send(rawRequest());
    const server = await chain.upstream.request(1);
    const seen = server.received().toLowerCase();
    expect(seen).toContain("\r\nhost: proxy.test\r\n");
    expect(seen).toContain("\r\nx-forwarded-for: 127.0.0.1, 127.0.0.1\r\n");
    expect(seen).toContain("\r\nx-forwarded-host: proxy.test\r\n");
    expect(seen).toContain("\r\nx-forwarded-proto: http\r\n");
  });
});

/** Caddy before 2.7 (Debian 12 has such a version) ends a broken answer as if it were complete (caddy#5951). */
async function endsBrokenAnswers(): Promise<boolean> {
  const version = await Bun.spawn(["caddy", "version"], { stdout: "pipe" }).stdout.text();
  return /^v?2\.[0-6]\./.test(version);
}
