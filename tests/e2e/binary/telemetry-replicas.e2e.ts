/** The telemetry of the compiled binary for a model that two containers share. One container declines requests. */
import { expect, test } from "bun:test";
import { chat } from "../../support/client/requests.ts";
import { startOtlpReceiver } from "../../support/collector/receiver.ts";
import { envOf, FakeEngine } from "../../support/engine/fake.ts";
import { startCompiled } from "../../support/proxy/compiled.ts";
import { type FakeBackend, fakeBackend } from "../../support/server/scripted.ts";
import { until } from "../../support/until.ts";

const REQUESTS = 4;

function server(answer: () => Response): FakeBackend {
  return fakeBackend(({ target }) =>
    target.endsWith("/models") ? Response.json({ data: [{ id: "m" }] }) : answer(),
  );
}

test("reports the reasons for each choice, the load of each replica, and where a request failed before", async () => {
  using receiver = startOtlpReceiver();
  using busy = server(() => new Response("busy", { status: 503 }));
  using idle = server(() => Response.json({}));
  using engine = await new FakeEngine().start();
  for (const [name, { origin }] of Object.entries({ busy, idle })) {
    const { port } = new URL(origin);
    const labels = { "inference.enable": "true", "inference.replica": "true" };
    engine.add({ name, labels: { ...labels, "inference.port": port } });
  }
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.origin, PROXY_METRICS: "true" };
  await using proxy = await startCompiled({ env: { ...envOf(engine), ...env } });
  const metrics = async (): Promise<string> => (await fetch(`${proxy.origin}/metrics`)).text();
  await until("both are routed", async () =>
    /^proxy_backends_active\{.*\} 2$/m.test(await metrics()),
  );

  for (let sent = 0; sent < REQUESTS; sent += 1) {
    const answer = await chat(proxy.origin, "m");
    expect(answer.status).toBe(200);
    await answer.bytes();
  }

  const text = await metrics();
  for (const name of ["busy", "idle"]) {
    const load = new RegExp(`^proxy_backend_load\\{container_name="${name}",.*\\} 0$`, "m");
    expect(text).toMatch(load);
  }
  expect(text).toMatch(/^proxy_route_decisions_total\{model="m",reason="failover",.*\} [1-9]\d*$/m);

  proxy.kill("SIGTERM");
  expect(await proxy.exited).toBe(0);
  const { points } = receiver.metrics.get("proxy.route.decisions")!;
  const failovers = busy.received.filter(({ target }) => target.includes("chat")).length;
  expect(failovers).toBeGreaterThan(0);
  const counts = Object.fromEntries(points.map(({ labels, value }) => [labels["reason"], value]));
  expect(counts["failover"]).toBe(failovers);
  const all = points.reduce((sum, { value }) => sum + value, 0);
  expect(all).toBe(REQUESTS + failovers);
  const moved = receiver.spans.filter(({ events }) => events.length > 0);
  expect(moved).toHaveLength(failovers);
  expect(moved[0]).toMatchObject({
    kind: "SERVER",
    attributes: { "container.name": "idle", "proxy.route.reason": "failover" },
    events: [{ name: "failover", attributes: { reason: "503", "container.name": "busy" } }],
    status: { code: "UNSET" },
  });
  const calls = receiver.spans.filter(({ parentSpanId }) => parentSpanId === moved[0]?.spanId);
  expect(
    calls.map(({ attributes }) => [attributes["container.name"], attributes["proxy.route.reason"]]),
  ).toEqual([
    ["busy", "load"],
    ["idle", "failover"],
  ]);
}, 30_000);
