/**
 * The compiled binary gives Prometheus the list of servers, and the state of each server and of the engine. One
 * test runs the command of docs/telemetry.md.
 */
import { expect, test } from "bun:test";
import { readText } from "../../support/docs.ts";
import { envOf, FakeEngine } from "../../support/engine/fake.ts";
import { startCompiled } from "../../support/proxy/compiled.ts";
import { fakeBackend } from "../../support/server/scripted.ts";
import { until } from "../../support/until.ts";

const BOUND_MS = 20_000;

type Group = { readonly targets: readonly string[]; readonly labels: object };

test("/sd/prometheus and /metrics follow the servers and the engine", async () => {
  using backend = fakeBackend(() => Response.json({ data: [{ id: "b" }, { id: "a" }] }));
  using engine = new FakeEngine();
  const { host, port } = new URL(backend.origin);
  const container = engine.add({ name: "vllm-1", port: Number(port) });
  engine.add({ name: "vllm-2", port: Number(port), health: "unhealthy" });
  await using proxy = await startCompiled({ env: { ...envOf(engine), PROXY_METRICS: "true" } });

  const get = (path: string): Promise<Response> => fetch(`${proxy.origin}${path}`);
  const groups = async (): Promise<readonly Group[] | number> => {
    const answer = await get("/sd/prometheus");
    return answer.ok ? ((await answer.json()) as readonly Group[]) : answer.status;
  };
  const untilGroups = (wanted: readonly Group[] | number): Promise<void> =>
    until(
      `targets are ${JSON.stringify(wanted)}`,
      async () => Bun.deepEquals(await groups(), wanted),
      BOUND_MS,
    );
  /** The lines of `/metrics` that begin with this, without their common part. */
  const metrics = async (name: string): Promise<readonly string[]> => {
    const text = await get("/metrics").then((answer) => answer.text());
    const lines = text.split("\n").filter((line) => line.startsWith(`${name}{`));
    return lines.map((line) => line.replace(/,?otel_scope_\w+="[^"]*"/g, "").slice(name.length));
  };

  expect(await groups()).toBe(503); // the engine has not started yet
  expect(await metrics("proxy_engine_connected")).toEqual(["{} 0"]);
  await engine.start();
  const group: Group = {
    targets: [host],
    labels: {
      container_name: "vllm-1",
      __meta_inference_container_id: container.id,
      __meta_inference_models: ",b,a,",
    },
  };
  await untilGroups([group]);
  expect(await metrics("proxy_engine_connected")).toEqual(["{} 1"]);
  expect((await metrics("proxy_model_backends")).toSorted()).toEqual([
    '{model="a"} 1',
    '{model="b"} 1',
  ]);
  expect(await metrics("proxy_container_state")).toEqual([
    '{container_name="vllm-1",state="routed"} 1',
    '{container_name="vllm-2",state="unhealthy"} 1',
  ]);
  expect(await metrics("proxy_container_crash_loop")).toEqual([
    '{container_name="vllm-1"} 0',
    '{container_name="vllm-2"} 0',
  ]);

  engine.kill(container);
  await untilGroups([]);
  engine.exit(container);
  await until("the container has stopped", async () =>
    (await metrics("proxy_container_state")).includes(
      '{container_name="vllm-1",state="stopped"} 1',
    ),
  );
  expect((await metrics("proxy_model_backends")).toSorted()).toEqual([
    '{model="a"} 0',
    '{model="b"} 0',
  ]);

  engine.stop();
  await untilGroups(503);
  expect(await metrics("proxy_engine_connected")).toEqual(["{} 0"]);
  await engine.start();
  await untilGroups([]);
});

test("/sd/prometheus works without PROXY_METRICS", async () => {
  using engine = await new FakeEngine().start();
  await using proxy = await startCompiled({ env: envOf(engine) });
  const answer = (): Promise<Response> => fetch(`${proxy.origin}/sd/prometheus`);
  await until("the answer is 200", async () => (await answer()).status === 200, BOUND_MS);
  expect(await answer().then((response) => response.text())).toBe("[]");
});

test("/sd/prometheus answers 503 until the proxy has asked all servers for their models", async () => {
  const asked = Promise.withResolvers<void>();
  const answering = Promise.withResolvers<void>();
  using backend = fakeBackend(async () => {
    asked.resolve();
    await answering.promise;
    return Response.json({ data: [{ id: "m" }] });
  });
  using engine = await new FakeEngine().start();
  engine.add({ name: "vllm-1", port: Number(new URL(backend.origin).port) });
  await using proxy = await startCompiled({ env: envOf(engine) });
  const status = async (): Promise<number> => (await fetch(`${proxy.origin}/sd/prometheus`)).status;
  await asked.promise; // so the proxy has connected to the engine
  expect(await status()).toBe(503);
  answering.resolve();
  await until("the proxy knows all servers", async () => (await status()) === 200, BOUND_MS);
});

test.skipIf(Bun.which("curl") === null)(
  "the command of docs/telemetry.md prints the routed servers",
  async () => {
    const [command = ""] = /^curl .*\/sd\/prometheus$/m.exec(readText("docs/telemetry.md")) ?? [];
    expect(command).toContain(":8080/");
    using backend = fakeBackend(() => Response.json({ data: [{ id: "m" }] }));
    using engine = new FakeEngine();
    engine.add({ name: "vllm-1", port: Number(new URL(backend.origin).port) });
    await engine.start();
    await using proxy = await startCompiled({ env: envOf(engine) });
    const here = command.replace(":8080", `:${proxy.port}`);
    const printed = (): Promise<string> => {
      const child = Bun.spawn(["sh", "-c", here], { stdio: ["ignore", "pipe", "ignore"] });
      return child.stdout.text();
    };
    await until(
      "the command prints the server",
      async () => (await printed()).includes(`"container_name":"vllm-1"`),
      BOUND_MS,
    );
    expect(JSON.parse(await printed())).toHaveLength(1);
  },
);
