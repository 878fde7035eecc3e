/** What the compiled binary logs when a server dies in the middle of its answers. */
import { describe, expect, test } from "bun:test";
import { rawConnect } from "../../support/client/raw-http.ts";
import { startCompiledChain } from "../../support/proxy/compiled-chain.ts";
import { rawRequest } from "../../support/proxy/in-process.ts";
import { until } from "../../support/until.ts";

const HALF = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
/** Docker 23 and later report the end of a container 75 to 150 ms after its connections broke. */
const DIE_MS = 100;

type Chain = Awaited<ReturnType<typeof startCompiledChain>>;

/** Opens clients that have half of their answers. */
async function halfway({ proxy, upstream }: Chain, count: number) {
  const clients = await Promise.all(Array.from({ length: count }, () => rawConnect(proxy.port)));
  for (const client of clients) client.send(rawRequest());
  // Connection 0 read the models.
  const connections = await Promise.all(clients.map((_, index) => upstream.request(index + 1)));
  for (const connection of connections) connection.send(HALF);
  await Promise.all(clients.map((client) => client.waitFor("hello")));
  return { clients, connections };
}

function brokenIn({ proxy }: Chain) {
  return proxy.log().filter(({ message }) => message === "answers broken off");
}

describe("the end of a container", () => {
  test("breaks 50 answers: the proxy logs one line with the reason, and no client waits for it", async () => {
    await using chain = await startCompiledChain();
    const { clients, connections } = await halfway(chain, 50);
    for (const connection of connections) connection.reset();
    await Promise.all(clients.map((client) => client.waitForClose()));
    await Bun.sleep(DIE_MS);
    chain.engine.exit(chain.container);
    await until("the proxy has logged it", () => brokenIn(chain).length > 0);
    expect(brokenIn(chain)).toMatchObject([
      { level: "warn", container: chain.container.name, model: "m", answers: 50 },
    ]);
    expect(String(brokenIn(chain)[0]!["reason"])).toMatch(
      /^its container .+ [\d.]+ s into the longest of the answers/,
    );
    expect(JSON.stringify(chain.proxy.log())).not.toMatch(/verbose|ECONNRESET|"cut"|run-over/);
    expect(chain.proxy.stderr()).toBe("");
  });

  test("is in the 502 of a request whose answer had not begun", async () => {
    await using chain = await startCompiledChain();
    using client = await rawConnect(chain.proxy.port);
    client.send(rawRequest());
    (await chain.upstream.request(1)).reset();
    await Bun.sleep(DIE_MS);
    expect(client.received()).toBe("");
    chain.engine.exit(chain.container);
    await client.waitFor("}}");
    expect(client.received()).toStartWith("HTTP/1.1 502 ");
    expect(client.received()).toMatch(/the server of model \\"m\\" .+ before it answered/);
    await until("the proxy has logged it", () => chain.proxy.logged("requests failed"));
    expect(chain.proxy.logged("its container ")).toBe(true);
  });
});

test("the log says so when the container still seems to run", async () => {
  await using chain = await startCompiledChain();
  const { connections } = await halfway(chain, 1);
  connections[0]!.reset();
  await until("the proxy has logged it", () => brokenIn(chain).length > 0);
  expect(String(brokenIn(chain)[0]!["reason"])).toMatch(
    /^the server closed the connection [\d.]+ s into the answer; its container still seems to run$/,
  );
});

test("a pending report is logged when the proxy ends", async () => {
  await using chain = await startCompiledChain();
  const { clients, connections } = await halfway(chain, 2);
  for (const connection of connections) connection.reset();
  await Promise.all(clients.map((client) => client.waitForClose()));
  chain.proxy.kill("SIGTERM");
  expect(await chain.proxy.exited).toBe(0);
  expect(brokenIn(chain)).toMatchObject([{ answers: 2 }]);
});
