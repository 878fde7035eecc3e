/**
 * What went wrong: a daemon was killed. It started its containers again before it answered any call.
 * One container got the former address of another one, and with it the requests of that one.
 */
import { expect, test } from "bun:test";
import { FakeEngine } from "../support/engine/fake.ts";
import { kindOf, startDiscovery, startModelServer, untilKind } from "../support/proxy/discovery.ts";
import { until } from "../support/until.ts";

test("a backend that refuses a connection while no events come gets no requests until the engine shows it again", async () => {
  using fake = await new FakeEngine().start();
  using models = startModelServer("m");
  fake.add({ port: models.port });
  using discovery = startDiscovery(fake);
  await untilKind(discovery, "live");
  const [backend] = discovery.table.backends;
  fake.stop();
  await until("the stream has ended", () => !discovery.connection.isFollowed);
  expect(kindOf(discovery)).toBe("live");
  backend?.reportUnreachable("connection refused");
  expect(kindOf(discovery)).toBe("draining");
  expect(discovery.containers()).toMatchObject([
    { state: "unknown", reason: expect.stringContaining("it refuses connections") },
  ]);
  await fake.start();
  await untilKind(discovery, "live");
});

test("while events come, they report the end of a run, and a refused connection has no effect", async () => {
  using fake = await new FakeEngine().start();
  using models = startModelServer("m");
  fake.add({ port: models.port });
  using discovery = startDiscovery(fake);
  await untilKind(discovery, "live");
  const [backend] = discovery.table.backends;
  backend?.reportUnreachable("connection refused");
  expect(kindOf(discovery)).toBe("live");
});

test("an engine that was slow to answer is asked again at once", async () => {
  using fake = await new FakeEngine().start();
  const askedMs: number[] = [];
  fake.intercept = (path) => {
    if (!path.endsWith("/version")) return undefined;
    askedMs.push(performance.now());
    return new Promise(() => undefined);
  };
  const callTimeoutMs = 1_300; // longer than any pause
  using _discovery = startDiscovery(fake, { callTimeoutMs });
  await until("it has been asked three times", () => askedMs.length === 3, 5_000);
  expect(askedMs[2]! - askedMs[1]!).toBeWithin(callTimeoutMs - 300, callTimeoutMs + 250);
});
