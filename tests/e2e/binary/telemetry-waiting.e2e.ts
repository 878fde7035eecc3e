/**
 * What the compiled binary reports about requests that wait for
 * their model: in status, in its metrics, and in traces.
 */
import { expect, test } from "bun:test";
import type { Status } from "../../../src/status.ts";
import { chat, untilModels } from "../../support/client/requests.ts";
import { startOtlpReceiver } from "../../support/collector/receiver.ts";
import { envOf, FakeEngine } from "../../support/engine/fake.ts";
import { runCompiled, startCompiled } from "../../support/proxy/compiled.ts";
import { fakeBackend } from "../../support/server/scripted.ts";
import { until } from "../../support/until.ts";

test("status and metrics show how many requests wait; metrics and traces show how long they waited", async () => {
  using receiver = startOtlpReceiver();
  using backend = fakeBackend(({ target }) =>
    Response.json(target.endsWith("/models") ? { data: [{ id: "m" }] } : {}),
  );
  using engine = await new FakeEngine().start();
  const container = engine.add({ name: "server-1", port: Number(new URL(backend.origin).port) });
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.origin,
    PROXY_METRICS: "true",
    PROXY_WAIT_TIMEOUT: "1m",
  };
  await using proxy = await startCompiled({ env: { ...envOf(engine), ...env } });
  await untilModels(proxy.origin, ["m"]);
  const metrics = async (): Promise<string> => (await fetch(`${proxy.origin}/metrics`)).text();
  const models = async (): Promise<unknown> => {
    const status = (await (await fetch(`${proxy.origin}/status`)).json()) as Status;
    return status.models.map(({ id, waiting }) => ({ id, waiting }));
  };
  expect(await models()).toEqual([{ id: "m", waiting: 0 }]);

  engine.setHealth(container, "unhealthy");
  await untilModels(proxy.origin, []);
  expect(await models()).toEqual([]);
  const answers = [chat(proxy.origin, "m"), chat(proxy.origin, "m")];
  await until("both requests wait", async () =>
    Bun.deepEquals(await models(), [{ id: "m", waiting: 2 }]),
  );
  expect(await metrics()).toMatch(/^proxy_requests_waiting\{model="m",.*\} 2$/m);
  const { stdout } = await runCompiled({ PROXY_PORT: String(proxy.port) }, ["status"]);
  expect(stdout).toContain("\nwaiting: 2 for m\n");

  engine.setHealth(container, "healthy");
  for (const answer of answers) expect((await answer).status).toBe(200);
  expect(await models()).toEqual([{ id: "m", waiting: 0 }]);
  const text = await metrics();
  expect(text).toMatch(/^proxy_requests_waiting\{model="m",.*\} 0$/m);
  expect(text).toMatch(/^proxy_wait_duration_count\{model="m",outcome="routed",.*\} 2$/m);

  proxy.kill("SIGTERM");
  expect(await proxy.exited).toBe(0);
  const waits = receiver.spans
    .filter(({ kind }) => kind === "SERVER")
    .map(({ attributes }) => attributes);
  expect(waits.map((attributes) => attributes["proxy.wait.outcome"])).toEqual(["routed", "routed"]);
  for (const attributes of waits) {
    expect(attributes["proxy.wait.duration"]).toBeGreaterThan(0);
  }
});
