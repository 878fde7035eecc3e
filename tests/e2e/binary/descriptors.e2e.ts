/** The compiled binary with few file descriptors and too many clients. */
import { expect, test } from "bun:test";
import { rawConnect } from "../../support/client/raw-http.ts";
import { untilModels } from "../../support/client/requests.ts";
import { FakeEngine } from "../../support/engine/fake.ts";
import { startCompiled } from "../../support/proxy/compiled.ts";
import { rawRequest } from "../../support/proxy/in-process.ts";
import { startTokenServer } from "../../support/server/tokens.ts";
import { until } from "../../support/until.ts";

const RUNS = 20;
const LIMIT = 256;
const CLIENTS = 200;

test(`${CLIENTS} clients, ${LIMIT} descriptors, ${RUNS} times: as many streams as fit, 503 for the rest, and the process survives`, async () => {
  using fake = await new FakeEngine().start();
  let open = true;
  using backend = startTokenServer(() => open);
  fake.add({ port: backend.port });
  await using proxy = await startCompiled({
    env: { DOCKER_HOST: `unix://${fake.socketPath}` },
    descriptors: LIMIT,
  });
  await untilModels(proxy.origin, ["m"]);
  expect(proxy.log().filter(({ limit }) => limit === LIMIT)).toHaveLength(1);
  for (let run = 0; run < RUNS; run += 1) {
    open = true;
    const clients = await Promise.all(
      Array.from({ length: CLIENTS }, () => rawConnect(proxy.port)),
    );
    for (const client of clients) client.send(rawRequest());
    const streaming = (): number =>
      clients.filter((client) => client.received().includes("data: {}")).length;
    const refused = (): number =>
      clients.filter((client) => client.received().includes("proxy_overloaded") && client.closed())
        .length;
    await until("every client has an answer", () => streaming() + refused() === CLIENTS, 10_000);
    expect(streaming()).toBeGreaterThan(20);
    expect(refused()).toBeGreaterThan(20);
    open = false;
    await until(
      "the streams are complete",
      () =>
        clients.filter((client) => client.received().includes("0\r\n\r\n")).length === streaming(),
      10_000,
    );
    for (const client of clients) client[Symbol.dispose]();
    await untilModels(proxy.origin, ["m"]);
  }
  expect(proxy.stderr()).toBe("");
}, 120_000);
