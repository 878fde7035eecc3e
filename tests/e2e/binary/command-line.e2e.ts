/** The commands of the compiled binary, as an operator or Docker types them. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { version } from "../../../package.json" with { type: "json" };
import { USAGE } from "../../../src/cli/arguments.ts";
import { untilModels } from "../../support/client/requests.ts";
import { envOf, FakeEngine } from "../../support/engine/fake.ts";
import { BINARY, freePort, runCompiled, startCompiled } from "../../support/proxy/compiled.ts";
import { startModelServer } from "../../support/proxy/discovery.ts";
import { containerStatus, statusReply } from "../../support/proxy/status-reply.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { until, within } from "../../support/until.ts";

type Reply = { readonly containers: readonly unknown[] };

test("--version prints the proxy's version, the commit and Bun's version, and is quick", async () => {
  const startMs = performance.now();
  const { code, stdout, stderr } = await runCompiled({}, ["--version"]);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(
    new RegExp(`^lw-inference-proxy ${version} \\(commit [\\w-]+, Bun ${Bun.version}\\)\\n$`),
  );
  expect(performance.now() - startMs).toBeLessThan(1_000);
});

test.each(["--help", "help"])("%s prints to stdout, and ignores wrong variables", async (help) => {
  const { code, stdout } = await runCompiled({ PROXY_PORT: "x" }, [help]);
  expect([code, stdout.split("\n")[0]]).toEqual([0, USAGE.split("\n")[0]]);
});

test("an unknown argument: exit code 2 with the usage, and nothing starts", async () => {
  const port = String(freePort());
  const { code, stdout, stderr } = await runCompiled({ PROXY_PORT: port }, ["--port", "80"]);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toBe(`lw-inference-proxy: unexpected argument "--port"\n\n${USAGE}`);
});

test("healthcheck finds the proxy by PROXY_PORT, and ignores HTTP_PROXY", async () => {
  using fake = await new FakeEngine().start();
  await using proxy = await startCompiled({ env: envOf(fake) });
  const dead = `http://127.0.0.1:${freePort()}`;
  const env = { PROXY_PORT: String(proxy.port), HTTP_PROXY: dead, http_proxy: dead };
  expect(await runCompiled(env, ["healthcheck"])).toEqual({ code: 0, stdout: "", stderr: "" });
  expect((await runCompiled({ PROXY_PORT: String(freePort()) }, ["healthcheck"])).code).toBe(1);
});

test("status: exit code 0 and a table while everything is routed, 1 and the reason when something is not", async () => {
  using fake = await new FakeEngine().start();
  using models = startModelServer("org/m");
  fake.add({ port: models.port });
  await using proxy = await startCompiled({ env: envOf(fake) });
  await untilModels(proxy.origin, ["org/m"]);
  const env = { PROXY_PORT: String(proxy.port) };
  const well = await runCompiled(env, ["status"]);
  expect([well.code, well.stderr]).toEqual([0, ""]);
  expect(well.stdout).toMatch(/^lw-inference-proxy \S+, up \d+ s, ready, 0 in flight\n/);
  expect(well.stdout).toMatch(/^\S+ +routed .* org\/m$/m);
  const sick = fake.add({ port: models.port, name: "sick-1" });
  fake.setHealth(sick, "unhealthy");
  await until("status reports it", async () => (await runCompiled(env, ["status"])).code === 1);
  expect((await runCompiled(env, ["status"])).stdout).toMatch(/^sick-1 +unhealthy /m);
  const shown = JSON.parse((await runCompiled(env, ["status", "--json"])).stdout) as Reply;
  const reply = (await (await fetch(`${proxy.origin}/status`)).json()) as Reply;
  expect(shown.containers).toEqual(reply.containers); // the other fields change with time
});

test("output is appended to a file that both streams write to", async () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, "log");
  const commands = 'echo before; "$0" --version; "$0" wrong; "$0" healthcheck; echo after';
  const child = Bun.spawn(["sh", "-c", `(${commands}) > ${file} 2>&1`, BINARY], {
    env: { PROXY_PORT: String(freePort()) },
  });
  await within("the end of the commands", child.exited);
  const text = readFileSync(file, "utf8");
  expect(text).toMatch(/^before\nlw-inference-proxy \d.*\n[^\0]*Usage: [^\0]*refused\nafter\n$/);
});

test("status --json of 5,000 containers arrives complete through a pipe", async () => {
  const containers = Array.from({ length: 5_000 }, (_, n) => containerStatus({ name: `c${n}` }));
  const reply = JSON.stringify(statusReply({ containers }));
  using server = Bun.serve({ port: 0, fetch: () => new Response(reply) });
  const result = await runCompiled({ PROXY_PORT: String(server.port) }, ["status", "--json"]);
  expect([result.code, result.stdout === `${reply}\n`, result.stderr]).toEqual([0, true, ""]);
});
