/**
 * A drained container that Compose replaces, as in docs/waiting.md: requests wait for the new one, unless it has
 * another model.
 */
import { expect, test } from "bun:test";
import { chat, untilModels } from "../../support/client/requests.ts";
import { envOf, FakeEngine } from "../../support/engine/fake.ts";
import type { FakeContainer } from "../../support/engine/replies.ts";
import { runCompiled, startCompiled } from "../../support/proxy/compiled.ts";
import { untilShown } from "../../support/proxy/shown-status.ts";
import { untilWaiting } from "../../support/proxy/waiting-requests.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { until } from "../../support/until.ts";

const NAME = "ai-vllm-1";

function startServer(model: string): Disposable & Pick<FakeContainer, "labels"> {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: ({ url }) =>
      Response.json(url.endsWith("/models") ? { data: [{ id: model }] } : { by: model }),
  });
  const labels = {
    "inference.enable": "true",
    "inference.port": String(server.port),
    "com.docker.compose.project": "ai",
    "com.docker.compose.service": "vllm",
    "com.docker.compose.container-number": "1",
  };
  return { labels, [Symbol.dispose]: () => void server.stop(true) };
}

/** The engine's part of `docker compose up -d` for a service with a new image. */
async function recreate(
  fake: FakeEngine,
  old: FakeContainer,
  { labels }: Pick<FakeContainer, "labels">,
  origin: string,
): Promise<void> {
  const name = `${old.id.slice(0, 12)}_${NAME}`;
  const next = fake.add({ name, labels, status: "created", health: undefined });
  fake.emit(next, "create");
  await until("the proxy's look", () => fake.requests.some((url) => url.includes(next.id)));
  fake.kill(old);
  fake.exit(old);
  await untilShown(origin, NAME, { state: "stopped" });
  await Bun.sleep(200); // Compose too needs some time before it starts the next one
  fake.containers.delete(old.id);
  fake.emit(old, "destroy");
  fake.startAgain(next);
  fake.setHealth(next, "healthy");
}

test.each<[model: string, waited: number, later: number]>([
  ["m", 200, 200],
  ["other", 503, 404],
])(
  "a new server with the model %p: a request that waited for m gets %i, a later one %i",
  async (model, waited, later) => {
    await using stack = new AsyncDisposableStack();
    const fake = stack.use(await new FakeEngine().start());
    const old = fake.add({ name: NAME, labels: stack.use(startServer("m")).labels });
    const RUNTIME_DIRECTORY = stack.use(temporaryDirectory()).path;
    const env = { ...envOf(fake), RUNTIME_DIRECTORY, PROXY_WAIT_TIMEOUT: "1m" };
    const proxy = stack.use(await startCompiled({ env }));
    await untilModels(proxy.origin, ["m"]);
    const own = { PROXY_PORT: String(proxy.port), RUNTIME_DIRECTORY };
    expect((await runCompiled(own, ["drain", NAME])).code).toBe(0);
    const waiting = chat(proxy.origin, "m");
    await untilWaiting(proxy, "m", 1);
    await recreate(fake, old, stack.use(startServer(model)), proxy.origin);
    expect((await waiting).status).toBe(waited);
    expect((await chat(proxy.origin, "m")).status).toBe(later);
  },
);
