/** Two compiled binaries on one fake engine. They route in the same way, and do not disturb each other. */
import { describe, expect, test } from "bun:test";
import { outcomeOf, outcomeOfStream, startLoad } from "../../support/client/load.ts";
import { chat, modelIds, streamedChat } from "../../support/client/requests.ts";
import { envOf } from "../../support/engine/fake.ts";
import type { FakeContainer } from "../../support/engine/replies.ts";
import { type CompiledProxy, runCompiled, startCompiled } from "../../support/proxy/compiled.ts";
import { untilShown } from "../../support/proxy/shown-status.ts";
import { SideBySide } from "../../support/proxy/side-by-side.ts";
import { startTokenServer } from "../../support/server/tokens.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { until, within } from "../../support/until.ts";

/** The longest time between the same step in both proxies, ms. */
const APART_MS = 100;

/** Status and body of the answer to a chat. */
async function answerOf({ origin }: CompiledProxy): Promise<readonly [number, unknown]> {
  const response = await chat(origin, "m");
  return [response.status, response.ok ? await response.text() : await response.json()];
}

function hasModels(expected: string): (proxy: CompiledProxy) => Promise<boolean> {
  return async ({ origin }) => (await modelIds(origin)).join() === expected;
}

describe("both proxies", () => {
  test("list the models of a container that becomes healthy at the same time", async () => {
    await using side = await SideBySide.start();
    for (let round = 0; round < 5; round += 1) {
      const container = side.addServer(`vllm-${round}`);
      await side.untilBothShow(container.name, { state: "starting" });
      side.engine.setHealth(container, "healthy");
      expect(await side.apartMs("m is listed", hasModels("m"))).toBeLessThan(APART_MS);
      side.engine.setHealth(container, "unhealthy");
      expect(await side.apartMs("nothing is", hasModels(""))).toBeLessThan(APART_MS);
      side.engine.exit(container);
    }
  });

  test("drain a container that gets a stop notice, and let its streams end", async () => {
    await using side = await SideBySide.start();
    let isStreaming = true;
    using server = startTokenServer(() => isStreaming);
    const container = side.add(server.port, { name: "vllm" });
    side.engine.emit(container, "start");
    await side.untilBothShow("vllm", { state: "routed" });
    const streams = await Promise.all(
      side.proxies.flatMap(({ origin }) => [1, 2, 3].map(() => streamedChat(origin, "m"))),
    );
    side.engine.kill(container);
    expect(await side.apartMs("nothing is listed", hasModels(""))).toBeLessThan(APART_MS);
    const [first, second] = await Promise.all(side.proxies.map(answerOf));
    expect(first).toMatchObject([503, { error: { code: "backend_draining" } }]);
    expect(second).toEqual(first!);
    await side.untilBothShow("vllm", { state: "stopping", in_flight: 3 });
    isStreaming = false;
    const ends = await within("all answers", Promise.all(streams.map(({ end }) => end)));
    expect([...new Set(ends)]).toEqual(["complete"]);
    side.engine.exit(container);
    await side.untilBothShow("vllm", { state: "stopped" });
  });
});

describe("a planned update", () => {
  /** Chats and streams, in turn. */
  const mixed = (): typeof outcomeOf => {
    let count = 0;
    return (origin, model) => {
      count += 1;
      if (count % 2 === 0) return outcomeOf(origin, model);
      return outcomeOfStream(origin, model, { tokens: 5, token_delay_ms: 10 });
    };
  };

  /** Acts as a server that finishes its answers when it is stopped. */
  const stop = async (side: SideBySide, container: FakeContainer): Promise<void> => {
    side.engine.kill(container);
    await side.untilBothShow(container.name, { state: "stopping", in_flight: 0 });
    side.engine.exit(container);
    side.engine.containers.delete(container.id);
    side.engine.emit(container, "destroy");
  };
  const start = async (side: SideBySide, name: string): Promise<FakeContainer> => {
    const labels = { "com.docker.compose.project": "p", "com.docker.compose.service": "vllm" };
    const container = side.addServer(name, {
      ...labels,
      "com.docker.compose.container-number": "1",
    });
    await side.untilBothShow(name, { state: "starting" });
    side.engine.setHealth(container, "healthy");
    await side.untilBothShow(name, { state: "routed" });
    return container;
  };

  test.each([
    ["the new one first", {}, true],
    ["the old one first, and requests wait", { PROXY_WAIT_TIMEOUT: "10s" }, false],
  ])("loses no request of either proxy (%s)", async (_how, env, isNewFirst) => {
    await using side = await SideBySide.start(env);
    let old = await start(side, "vllm-1");
    await using one = startLoad(side.proxies[0].origin, "m", 4, mixed());
    await using two = startLoad(side.proxies[1].origin, "m", 4, mixed());
    const names = ["vllm-2", "vllm-3", "vllm-4"];
    for (const name of names) {
      if (!isNewFirst) await stop(side, old);
      const next = await start(side, name);
      if (isNewFirst) await stop(side, old);
      old = next;
      for (const { outcomes } of [one, two]) {
        await until(`${name} answers`, () => (outcomes.get(`200 by ${name}`) ?? 0) > 5);
      }
    }
    const fine = ["vllm-1", ...names].map((name) => `200 by ${name}`);
    expect([one.others(...fine), two.others(...fine)]).toEqual([[], []]);
  });
});

describe("of two containers with one model", () => {
  const servedBy = (proxies: readonly CompiledProxy[]): Promise<readonly string[]> =>
    Promise.all(proxies.map(({ origin }) => outcomeOf(origin, "m")));
  const startLate = async (side: SideBySide): Promise<CompiledProxy> => {
    const late = await startCompiled({ env: envOf(side.engine) });
    for (const name of ["vllm-1", "vllm-2"]) {
      await untilShown(late.origin, name, { state: "routed" });
    }
    return late;
  };

  test("both choose the one that became healthy last, even when both did almost at once", async () => {
    await using side = await SideBySide.start();
    const containers = [side.addServer("vllm-1"), side.addServer("vllm-2")];
    const turnAll = async (health: "healthy" | "unhealthy", state: string): Promise<void> => {
      for (const container of containers) side.engine.setHealth(container, health);
      for (const { name } of containers) await side.untilBothShow(name, { state });
    };
    for (let round = 0; round < 6; round += 1) {
      await turnAll("unhealthy", "unhealthy");
      containers.reverse();
      await turnAll("healthy", "routed");
      const expected = `200 by ${containers[1]?.name}`;
      expect(await servedBy(side.proxies)).toEqual([expected, expected]);
    }
  });

  // A proxy that starts cannot learn which one became healthy last.
  test.each([
    [["vllm-1", "vllm-2"], "vllm-2"],
    [["vllm-2", "vllm-1"], "vllm-1"],
  ])(
    "healthy in the order %j: a proxy that starts later chooses the container that was started last",
    async (...[order, last]) => {
      await using side = await SideBySide.start();
      const containers = [side.addServer("vllm-1"), side.addServer("vllm-2")];
      for (const name of order) {
        side.engine.setHealth(containers.find((one) => one.name === name)!, "healthy");
        await side.untilBothShow(name, { state: "routed" });
      }
      await using late = await startLate(side);
      expect(await servedBy(side.proxies)).toEqual([`200 by ${last}`, `200 by ${last}`]);
      expect(await servedBy([late])).toEqual(["200 by vllm-2"]);
    },
  );
});

describe("drain and undrain", () => {
  test("reach the right proxy, although both use one directory", async () => {
    using directory = temporaryDirectory();
    const shared = { RUNTIME_DIRECTORY: directory.path };
    await using side = await SideBySide.start(shared);
    side.engine.setHealth(side.addServer("vllm"), "healthy");
    await side.untilBothShow("vllm", { state: "routed" });
    const tell = (proxy: CompiledProxy, command: string): ReturnType<typeof runCompiled> =>
      runCompiled({ ...shared, PROXY_PORT: String(proxy.port) }, [command, "vllm"]);
    const states = (): Promise<readonly string[]> =>
      Promise.all(side.proxies.map(({ origin }) => outcomeOf(origin, "m")));

    const [one, two] = side.proxies;
    expect((await tell(one, "drain")).code).toBe(0);
    expect(await states()).toEqual(["503 backend_draining", "200 by vllm"]);
    expect((await tell(two, "drain")).code).toBe(0);
    expect(await states()).toEqual(["503 backend_draining", "503 backend_draining"]);
    expect((await tell(one, "undrain")).code).toBe(0);
    expect(await states()).toEqual(["200 by vllm", "503 backend_draining"]);

    one.kill("SIGTERM");
    expect(await one.exited).toBe(0);
    expect((await tell(two, "undrain")).stdout).toBe("vllm: gets new requests again\n");
    expect((await tell(one, "drain")).stderr).toContain("no proxy answers: the socket");
  });

  test("a second proxy on the same port ends, and does not disturb the first", async () => {
    await using side = await SideBySide.start();
    side.engine.setHealth(side.addServer("vllm"), "healthy");
    await side.untilBothShow("vllm", { state: "routed" });
    const [{ origin, port }] = side.proxies;
    const env = { ...envOf(side.engine), PROXY_PORT: String(port) };
    const { code, stderr } = await runCompiled(env);
    expect([code, stderr]).toEqual([1, expect.stringContaining("PROXY_PORT")]);
    expect((await runCompiled(env, ["drain", "vllm"])).code).toBe(0);
    expect(await outcomeOf(origin, "m")).toBe("503 backend_draining");
  });
});
