/** What `GET /status` of the compiled binary shows to repeated requests. */
import { expect, test } from "bun:test";
import type { Status } from "../../../src/status.ts";
import { chat, untilModels } from "../../support/client/requests.ts";
import { envOf, FakeEngine } from "../../support/engine/fake.ts";
import { type CompiledProxy, runCompiled, startCompiled } from "../../support/proxy/compiled.ts";
import { startModelServer } from "../../support/proxy/discovery.ts";
import { until } from "../../support/until.ts";

async function shown({ origin }: CompiledProxy): Promise<{ status: Status; etag: string }> {
  const answer = await fetch(`${origin}/status`);
  const status = (await answer.json()) as Status;
  return { status, etag: answer.headers.get("etag") ?? "" };
}

test("only the uptime changes while no client sends a request", async () => {
  using fake = await new FakeEngine().start();
  using models = startModelServer("m");
  const labels = {
    ...{ "inference.enable": "true", "inference.replica": "true" },
    "inference.port": `${models.port}`,
  };
  for (const name of ["one", "two"]) fake.add({ name, labels });
  await using proxy = await startCompiled({ env: envOf(fake) });
  await untilModels(proxy.origin, ["m"]);
  await until("status lists all changes", async () => {
    const { status } = await shown(proxy);
    const told = status.changes.filter(({ state }) => state === "routed" || state === "ready");
    return told.length === 3;
  });
  const first = await shown(proxy);
  expect(first.etag).toStartWith('W/"');
  await until("a second has passed", async () => {
    const { status } = await shown(proxy);
    return status.uptime_seconds > first.status.uptime_seconds;
  });
  const second = await shown(proxy);
  expect({ ...second.status, uptime_seconds: 0 }).toEqual({ ...first.status, uptime_seconds: 0 });
  expect(second.etag).toBe(first.etag);
  const headers = { "if-none-match": first.etag };
  expect((await fetch(`${proxy.origin}/status`, { headers })).status).toBe(304);
  expect(second.status.models).toMatchObject([
    { id: "m", servers: [{ gets: "shares" }, { gets: "shares" }] },
  ]);
});

test("shows what has happened to the proxy, its engine, a container that crashes, and its models", async () => {
  using fake = await new FakeEngine().start();
  using models = startModelServer("m");
  const container = fake.add({ port: models.port, name: "vllm" });
  await using proxy = await startCompiled({ env: envOf(fake) });
  await untilModels(proxy.origin, ["m"]);
  expect((await chat(proxy.origin, "m")).status).toBe(404); // from the server, which has no such path
  fake.exit(container);
  await until(
    "the change is listed",
    async () => (await shown(proxy)).status.changes[0]?.name === "vllm",
  );
  await until("the exit code is known", async () => {
    const { status } = await shown(proxy);
    return status.containers[0]?.last_exit !== null;
  });
  const { status } = await shown(proxy);
  expect(status.containers[0]).toMatchObject({ state: "stopped", crash_loop: false });
  const { reason, at } = status.containers[0]!.last_exit!;
  expect(reason).toStartWith("exited with code ");
  expect(Math.abs(Date.parse(at ?? "") - Date.now())).toBeLessThan(10_000);
  fake.stop();
  await until("the engine is lost", async () => {
    const [latest] = (await shown(proxy)).status.changes;
    return latest?.what === "engine" && latest.state === "lost" && latest.reason !== "";
  });
  const { changes } = (await shown(proxy)).status;
  const told = changes.map(({ what, name, state }) => `${what} ${name} ${state}`);
  const address = `unix://${fake.socketPath}`;
  for (const one of [
    "proxy lw-inference-proxy started",
    `engine ${address} connected`,
    "container vllm routed",
    "proxy lw-inference-proxy ready",
    "container vllm stopped",
    `engine ${address} lost`,
  ]) {
    expect(told).toContain(one);
  }
  expect(told.at(-1)).toBe("proxy lw-inference-proxy started");
  const table = await runCompiled({ PROXY_PORT: String(proxy.port) }, ["status"]);
  expect(table.code).toBe(1);
});

test("shows requests in flight and their outcomes, even after their container has gone", async () => {
  const answering = Promise.withResolvers<void>();
  using server = Bun.serve({
    port: 0,
    fetch: async ({ url }) => {
      if (url.endsWith("/models")) return Response.json({ data: [{ id: "m" }] });
      await answering.promise;
      return Response.json({ usage: { prompt_tokens: 3, completion_tokens: 5 } });
    },
  });
  using fake = await new FakeEngine().start();
  const container = fake.add({ port: server.port ?? 0, name: "vllm" });
  await using proxy = await startCompiled({ env: envOf(fake) });
  await untilModels(proxy.origin, ["m"]);
  const asked = chat(proxy.origin, "m");
  await until("the request is in flight", async () => {
    const { models, in_flight } = (await shown(proxy)).status;
    return models[0]?.in_flight === 1 && in_flight === 1;
  });
  expect((await shown(proxy)).status).toMatchObject({ recent: null, models: [{ recent: null }] });
  answering.resolve();
  await (await asked).text();
  fake.exit(container);
  await until("the container is gone", async () => {
    const { models } = (await shown(proxy)).status;
    return models[0]?.servers.length === 0;
  });
  const { recent, models, containers } = (await shown(proxy)).status;
  const counted = { last_hour: { requests: 1, input_tokens: 3, output_tokens: 5 } };
  expect(recent).toMatchObject(counted);
  expect(models).toMatchObject([{ id: "m", in_flight: 0, recent: counted }]);
  expect(containers).toMatchObject([{ name: "vllm", recent: counted }]);
});

test("1,000 containers take at most 256 KiB, and the exit code reports one unhealthy container", async () => {
  using fake = await new FakeEngine().start();
  using models = startModelServer("m");
  for (let n = 0; n < 1_000; n += 1) {
    const names = { "inference.models": `m${n}`, "inference.port": `${models.port}` };
    fake.add({ name: `c${n}`, labels: { "inference.enable": "true", ...names } });
  }
  const sick = fake.add({ port: models.port, name: "z-sick" });
  fake.setHealth(sick, "unhealthy");
  await using proxy = await startCompiled({ env: envOf(fake) });
  await until(
    "all others are routed",
    async () => {
      const { containers, left_out } = (await shown(proxy)).status;
      const sickOnes = containers.filter(({ state }) => state !== "routed");
      const isAll = containers.length + left_out.containers === 1_001;
      return isAll && sickOnes.length === 1 && sickOnes[0]?.state === "unhealthy";
    },
    60_000,
  );
  const answer = await fetch(`${proxy.origin}/status`);
  const bytes = await answer.bytes();
  expect(bytes.length).toBeLessThanOrEqual(256 * 1024);
  const env = { PROXY_PORT: String(proxy.port) };
  const { code, stdout } = await runCompiled(env, ["status"]);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^z-sick +unhealthy /m);
  expect(stdout).toMatch(/^and \d+ more containers$/m);
});
