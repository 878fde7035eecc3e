/** The proxy has no time-out of its own: a first token and a stream may be silent for longer than any default allows. */
import { expect, test } from "bun:test";
import { rawConnect, rawServer } from "../support/client/raw-http.ts";
import { untilModels } from "../support/client/requests.ts";
import { FakeEngine } from "../support/engine/fake.ts";
import { startCompiled } from "../support/proxy/compiled.ts";
import { rawRequest } from "../support/proxy/in-process.ts";
import { expectNever, until } from "../support/until.ts";

const SILENCE_MS = 400_000;
const IDLE_MS = 90_000;
const HEAD = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const MODELS = '{"data":[{"id":"m"}]}';

test(
  `${SILENCE_MS / 1000} s of silence, before the first token and in a stream; an idle connection is closed meanwhile`,
  async () => {
    using fake = await new FakeEngine().start();
    using upstream = await rawServer();
    fake.add({ port: upstream.port });
    await using proxy = await startCompiled({ env: { DOCKER_HOST: `unix://${fake.socketPath}` } });
    (await upstream.request(0)).send(
      `HTTP/1.1 200 OK\r\nContent-Length: ${MODELS.length}\r\n\r\n${MODELS}`,
    );
    await untilModels(proxy.origin, ["m"]);

    using waiting = await rawConnect(proxy.port);
    waiting.send(rawRequest());
    const slow = await upstream.request(1);
    using reading = await rawConnect(proxy.port);
    reading.send(rawRequest());
    const posts = (): readonly (typeof slow)[] =>
      upstream.connections.filter((connection) => connection.received().includes("POST "));
    await until("both requests are there", () => posts().length === 2);
    const silent = posts().find((connection) => connection !== slow)!;
    silent.send(`${HEAD}5\r\nfirst\r\n`);
    await reading.waitFor("first");
    using idle = await rawConnect(proxy.port);
    idle.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    await idle.waitFor("ok");
    await until("the idle connection is closed", idle.closed, IDLE_MS);

    const isCut = (): boolean =>
      [waiting, reading, slow, silent].some((connection) => connection.closed());
    await expectNever("either of them is cut", isCut, SILENCE_MS - IDLE_MS / 2);
    slow.send(`${HEAD}5\r\ntoken\r\n0\r\n\r\n`);
    silent.send("4\r\nlast\r\n0\r\n\r\n");
    await waiting.waitFor("token");
    await reading.waitFor("last\r\n0\r\n\r\n");
    expect(proxy.stderr()).toBe("");
  },
  SILENCE_MS + 120_000,
);
