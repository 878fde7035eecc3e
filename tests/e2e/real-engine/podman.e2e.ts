/** The compiled binary in front of Podman, whose socket speaks Docker's API with some differences. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chat, modelIds, streamedChat, untilModels } from "../../support/client/requests.ts";
import { provide } from "../../support/debian-package.ts";
import { PODMAN_PACKAGES, type Podman, startPodman } from "../../support/engine/podman.ts";
import { type CompiledProxy, startCompiled } from "../../support/proxy/compiled.ts";
import { until, within } from "../../support/until.ts";

const TIMEOUT_MS = 60_000;
/** Podman reads its own events from a file, four times a second. A resync would come only after 30 s. */
const SEEN_MS = 5_000;

const missing =
  process.getuid?.() === 0 ? await provide("podman", ...PODMAN_PACKAGES) : "the test needs root";
if (missing !== undefined) process.stderr.write(`Not tested with Podman: ${missing}\n`);

describe.skipIf(missing !== undefined)("in front of Podman", () => {
  let podman: Podman;

  beforeAll(async () => {
    podman = await startPodman();
  }, 120_000);
  afterAll(() => podman[Symbol.asyncDispose](), TIMEOUT_MS);

  function startProxy(): Promise<CompiledProxy> {
    return startCompiled({ env: { DOCKER_HOST: podman.host } });
  }

  /** The first probe can come before the server listens. */
  async function becomeHealthy(name: string): Promise<void> {
    await until(`${name} is healthy`, () => podman.probe(name));
  }

  async function health(name: string, state: "good" | "bad"): Promise<void> {
    const format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    const address = (await podman.cli("inspect", "--format", format, name)).trim();
    await fetch(`http://${address}:8000/admin/health?state=${state}`, { keepalive: false });
    await podman.probe(name);
    await podman.probe(name); // the healthcheck needs two failures
  }

  /**
   * Checks the list and sends no chat, because a request to a
   * paused container would wait for the end of the pause.
   */
  async function untilGone(proxy: CompiledProxy, model: string, status: number): Promise<void> {
    const isGone = async (): Promise<boolean> => !(await modelIds(proxy.origin)).includes(model);
    await until(`${model} is gone`, isGone, SEEN_MS);
    // The container may be about to start again until the proxy has inspected it, so first the answer is 503.
    const isAnswered = async (): Promise<boolean> =>
      (await chat(proxy.origin, model)).status === status;
    await until(`the answer is ${status}`, isAnswered, SEEN_MS);
  }

  test(
    "a container is routed when a probe succeeds, follows its health, and is gone when it exits",
    async () => {
      await using proxy = await startProxy();
      await podman.startServer("a", { MODELS: "m" });
      await until("the proxy knows the container", () => proxy.logged('"container":"a"'));
      expect(await modelIds(proxy.origin)).toEqual([]);
      await becomeHealthy("a");
      await untilModels(proxy.origin, ["m"], SEEN_MS);
      const { end } = await streamedChat(proxy.origin, "m");
      expect(await within("the answer", end)).toBe("complete");

      await health("a", "bad");
      await untilGone(proxy, "m", 503);
      await health("a", "good");
      await untilModels(proxy.origin, ["m"], SEEN_MS);
      await podman.cli("pause", "a");
      await untilGone(proxy, "m", 503);
      await podman.cli("unpause", "a");
      await untilModels(proxy.origin, ["m"], SEEN_MS);

      await podman.cli("kill", "a");
      await untilGone(proxy, "m", 404);
      await podman.cli("start", "a");
      await becomeHealthy("a");
      await untilModels(proxy.origin, ["m"], SEEN_MS);
      await podman.cli("rm", "--force", "--time", "0", "a");
      await untilGone(proxy, "m", 404);
      expect(proxy.log().filter(({ level }) => level === "error")).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    "Podman reports no stop notice: requests go on until the process has ended, and answers in flight finish",
    async () => {
      await using proxy = await startProxy();
      await podman.startServer("b", { MODELS: "n", TERM_MODE: "drain" });
      await becomeHealthy("b");
      await untilModels(proxy.origin, ["n"], SEEN_MS);
      const streamed = await streamedChat(proxy.origin, "n", { tokens: 50 });
      const stopped = podman.cli("stop", "--time", "10", "b");
      expect(await within("the answer", streamed.end)).toBe("complete");
      await stopped;
      await untilGone(proxy, "n", 404);
      await podman.cli("rm", "b");
    },
    TIMEOUT_MS,
  );

  test(
    "the proxy sees a stop that began before its own start, and sends no requests there",
    async () => {
      await podman.startServer("c", { MODELS: "o", TERM_MODE: "ignore" });
      await becomeHealthy("c");
      const stopped = podman.cli("stop", "--time", "30", "c");
      await until("the container is stopping", async () =>
        (await podman.cli("inspect", "--format", "{{.State.Status}}", "c")).startsWith("stopping"),
      );
      await using proxy = await startProxy();
      await until("the proxy is ready", () => proxy.logged('"ready"'), 15_000);
      expect(await modelIds(proxy.origin)).toEqual([]);
      await podman.cli("kill", "c");
      await stopped;
      await podman.cli("rm", "c");
    },
    TIMEOUT_MS,
  );

  test(
    "Podman's service ends and starts again: the log says so once each, routes stay, and the proxy sees the changes",
    async () => {
      await using proxy = await startProxy();
      await podman.startServer("d", { MODELS: "p" });
      await podman.startServer("e", { MODELS: "q" });
      await becomeHealthy("d");
      await becomeHealthy("e");
      await untilModels(proxy.origin, ["p", "q"], SEEN_MS);
      await podman.stopService();
      await until("the log says that Podman is gone", () =>
        proxy.logged("Cannot reach the Docker engine"),
      );
      await podman.cli("rm", "--force", "--time", "0", "e");
      expect((await chat(proxy.origin, "p")).status).toBe(200);
      await podman.startService();
      await until(
        "the log says that Podman is back",
        () => proxy.logged("engine reconnected"),
        15_000,
      );
      await untilModels(proxy.origin, ["p"], SEEN_MS);
      expect(proxy.log().filter(({ level }) => level === "error")).toHaveLength(1);
      await podman.cli("rm", "--force", "--time", "0", "d");
    },
    TIMEOUT_MS,
  );
});
