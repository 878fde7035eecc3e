/**
 * The proxy has no time-out of its own: a server may be silent before the first token, or within a stream, for
 * longer than any default time-out allows. The same holds before a first token behind nginx, HAProxy and Caddy,
 * where they are installed, with the settings of docs/front-proxies.md.
 */
import { expect, test } from "bun:test";
import { IDLE_TIMEOUT_S } from "../../src/server.ts";
import { type RawServer, rawConnect, rawServer } from "../support/client/raw-http.ts";
import { untilModels } from "../support/client/requests.ts";
import { FakeEngine } from "../support/engine/fake.ts";
import {
  FRONT_PROXIES,
  type FrontProxyName,
  isInstalled,
  startFrontProxy,
} from "../support/front-proxies/programs.ts";
import { startCompiled } from "../support/proxy/compiled.ts";
import { rawRequest } from "../support/proxy/in-process.ts";
import { expectNever, until } from "../support/until.ts";

const SILENCE_MS = 400_000;
const IDLE_MS = IDLE_TIMEOUT_S * 1000;
const HEAD = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const MODELS = '{"data":[{"id":"m"}]}';
const FRONTS = isInstalled() ? (Object.keys(FRONT_PROXIES) as FrontProxyName[]) : [];

test(
  `the server may be silent for ${SILENCE_MS / 1000} s before the first token and in a stream; the proxy closes an idle connection meanwhile`,
  async () => {
    using fake = await new FakeEngine().start();
    using upstream = await rawServer();
    fake.add({ port: upstream.port });
    await using proxy = await startCompiled({ env: { DOCKER_HOST: `unix://${fake.socketPath}` } });
    (await upstream.request(0)).send(
      `HTTP/1.1 200 OK\r\nContent-Length: ${MODELS.length}\r\n\r\n${MODELS}`,
    );
    await untilModels(proxy.origin, ["m"]);

    await using stack = new AsyncDisposableStack();
    const ports = [proxy.port];
    for (const name of FRONTS) {
      ports.push(stack.use(await startFrontProxy(name, proxy.port)).port);
    }
    const waiting = await Promise.all(ports.map(async (port) => stack.use(await rawConnect(port))));
    for (const client of waiting) client.send(rawRequest());
    const posts = (): RawServer["connections"] =>
      upstream.connections.filter((connection) => connection.received().includes("POST "));
    await until("the server has all requests", () => posts().length === waiting.length);
    const slow = posts();
    using reading = await rawConnect(proxy.port);
    reading.send(rawRequest());
    await until("the server has one more request", () => posts().length > slow.length);
    const silent = posts().find((connection) => !slow.includes(connection))!;
    silent.send(`${HEAD}5\r\nfirst\r\n`);
    await reading.waitFor("first");
    using idle = await rawConnect(proxy.port);
    idle.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    await idle.waitFor("ok");
    await until("the idle connection is closed", idle.closed, IDLE_MS + 30_000);

    const isCut = (): boolean =>
      [...waiting, reading, ...slow, silent].some((connection) => connection.closed());
    await expectNever("a request is cut off", isCut, SILENCE_MS - IDLE_MS);
    for (const server of slow) server.send(`${HEAD}5\r\ntoken\r\n0\r\n\r\n`);
    silent.send("4\r\nlast\r\n0\r\n\r\n");
    for (const client of waiting) await client.waitFor("token");
    await reading.waitFor("last\r\n0\r\n\r\n");
    expect(proxy.stderr()).toBe("");
  },
  SILENCE_MS + 120_000,
);
