/** drain and undrain of the compiled binary, in front of a fake engine and servers that stream. */
import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import {
  chat,
  type StreamedAnswer,
  streamedChat,
  untilModels,
} from "../../support/client/requests.ts";
import { envOf, FakeEngine } from "../../support/engine/fake.ts";
import type { FakeContainer } from "../../support/engine/replies.ts";
import {
  BINARY,
  type CompiledProxy,
  freePort,
  runCompiled,
  startCompiled,
} from "../../support/proxy/compiled.ts";
import { untilShown } from "../../support/proxy/shown-status.ts";
import { startTokenServer } from "../../support/server/tokens.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { until, within } from "../../support/until.ts";

class Stage implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly fake: FakeEngine;
  readonly container: FakeContainer;
  readonly proxy: CompiledProxy;
  readonly directory: string;
  /** Lets all streams end. */
  readonly endStreams: () => void;

  private constructor(
    parts: Pick<Stage, "fake" | "container" | "proxy" | "directory" | "endStreams">,
    stack: AsyncDisposableStack,
  ) {
    ({ fake: this.fake, container: this.container, proxy: this.proxy } = parts);
    ({ directory: this.directory, endStreams: this.endStreams } = parts);
    this.#stack = stack;
  }

  /** A routed container called vllm, whose model is m. */
  static async start(): Promise<Stage> {
    let isStreaming = true;
    const endStreams = (): void => {
      isStreaming = false;
    };
    await using stack = new AsyncDisposableStack();
    const directory = stack.use(temporaryDirectory()).path;
    const fake = stack.use(await new FakeEngine().start());
    const server = stack.use(startTokenServer(() => isStreaming));
    const container = fake.add({ port: server.port, name: "vllm" });
    const env = { ...envOf(fake), RUNTIME_DIRECTORY: directory };
    const proxy = stack.use(await startCompiled({ env }));
    await untilModels(proxy.origin, ["m"]);
    return new Stage({ fake, container, proxy, directory, endStreams }, stack.move());
  }

  get env(): Record<string, string> {
    return { PROXY_PORT: String(this.proxy.port), RUNTIME_DIRECTORY: this.directory };
  }

  run(...args: readonly string[]): ReturnType<typeof runCompiled> {
    return runCompiled(this.env, args);
  }

  streams(count: number): Promise<readonly StreamedAnswer[]> {
    return Promise.all(Array.from({ length: count }, () => streamedChat(this.proxy.origin, "m")));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

async function ends(streams: readonly StreamedAnswer[]): Promise<readonly string[]> {
  return [...new Set(await within("all answers", Promise.all(streams.map(({ end }) => end))))];
}

describe("drain", () => {
  test("with 20 streams in flight: waits for all of them, breaks none, and new requests get 503", async () => {
    await using stage = await Stage.start();
    const streams = await stage.streams(20);
    let isDone = false;
    const drained = stage.run("drain", "vllm").finally(() => {
      isDone = true;
    });
    await untilShown(stage.proxy.origin, "vllm", { state: "drained", in_flight: 20 });
    const refused = await chat(stage.proxy.origin, "m");
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await refused.json()).toMatchObject({
      error: {
        code: "backend_draining",
        message:
          'Cannot route the request: every server of model "m" is drained; try again shortly',
      },
    });
    expect(isDone).toBe(false);
    stage.endStreams();
    expect(await drained).toEqual({
      code: 0,
      stdout: "vllm: draining; 20 requests in flight\nvllm: drained; no requests left\n",
      stderr: "",
    });
    expect(await ends(streams)).toEqual(["complete"]);
    await until("the proxy has logged it", () => stage.proxy.logged("drain finished"));
    const said = stage.proxy.log().filter(({ message }) => `${message}`.includes("drain"));
    expect(said).toMatchObject([
      { level: "info", message: "container drained", container: "vllm", in_flight: 20 },
      { level: "info", message: "drain finished", container: "vllm" },
    ]);
    const { code, stdout } = await stage.run("status");
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^vllm +drained .* to route it again, run lw-inference-proxy undrain vllm$/m,
    );
  });

  test("after the time limit: exit code 1, the backend stays drained, and undrain makes the proxy route to it at once", async () => {
    await using stage = await Stage.start();
    const streams = await stage.streams(2);
    const late = await stage.run("drain", stage.container.id.slice(0, 12), "--timeout", "300ms");
    expect([late.code, late.stdout]).toEqual([1, "vllm: draining; 2 requests in flight\n"]);
    expect(late.stderr).toContain("vllm: 2 requests still in flight after 0.3 s");
    await untilShown(stage.proxy.origin, "vllm", { state: "drained", in_flight: 2 });
    const atOnce = await stage.run("drain", "vllm", "--timeout=0");
    expect([atOnce.code, atOnce.stdout]).toEqual([
      1,
      "vllm: already draining; 2 requests in flight\n",
    ]);
    expect(await stage.run("undrain", "vllm")).toEqual({
      code: 0,
      stdout: "vllm: gets new requests again\n",
      stderr: "",
    });
    await untilShown(stage.proxy.origin, "vllm", { state: "routed", in_flight: 2 });
    stage.endStreams();
    expect((await chat(stage.proxy.origin, "m")).status).toBe(200);
    expect(await ends(streams)).toEqual(["complete"]);
    expect(stage.proxy.logged("container undrained")).toBe(true);
  });

  test("ended by Ctrl-C: the backend stays drained", async () => {
    await using stage = await Stage.start();
    const streams = await stage.streams(1);
    const child = Bun.spawn([BINARY, "drain", "vllm"], { env: stage.env, stdout: "pipe" });
    await untilShown(stage.proxy.origin, "vllm", { state: "drained" });
    child.kill("SIGINT");
    expect(await child.exited).not.toBe(0);
    await untilShown(stage.proxy.origin, "vllm", { state: "drained", in_flight: 1 });
    stage.endStreams();
    expect(await ends(streams)).toEqual(["complete"]);
  });

  test("ends when the container stops, and the next run of the container is routed", async () => {
    await using stage = await Stage.start();
    const [stream] = await stage.streams(1);
    const drained = stage.run("drain", "vllm");
    await untilShown(stage.proxy.origin, "vllm", { state: "drained" });
    stage.fake.exit(stage.container);
    const { code, stdout } = await drained;
    expect([code, stdout]).toEqual([
      0,
      expect.stringContaining("vllm: the container has stopped or restarted\n"),
    ]);
    stage.fake.startAgain(stage.container);
    stage.fake.setHealth(stage.container, "healthy");
    await untilModels(stage.proxy.origin, ["m"]);
    stream?.cancel();
  });

  test("a stop of a drained container does not change answers in flight", async () => {
    await using stage = await Stage.start();
    const streams = await stage.streams(3);
    await stage.run("drain", "vllm", "--timeout", "0");
    stage.fake.kill(stage.container);
    await untilShown(stage.proxy.origin, "vllm", { state: "stopping", in_flight: 3 });
    stage.endStreams();
    expect(await ends(streams)).toEqual(["complete"]);
  });

  test("an unknown container: exit code 2, and the error names the known ones", async () => {
    await using stage = await Stage.start();
    for (const command of ["drain", "undrain"]) {
      expect(await stage.run(command, "vllm-2")).toEqual({
        code: 2,
        stdout: "",
        stderr: 'lw-inference-proxy: the proxy knows no container "vllm-2"; it knows vllm\n',
      });
    }
    const elsewhere = { ...stage.env, PROXY_PORT: String(freePort()) };
    const { code, stderr } = await runCompiled(elsewhere, ["drain", "vllm"]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("no proxy answers: the socket")]);
  });

  test("a restarted proxy has forgotten the drain, and the public port does not offer drain", async () => {
    await using stage = await Stage.start();
    await stage.run("drain", "vllm");
    for (const path of ["/drain?container=vllm", "/undrain?container=vllm", "/drain-state?run=x"]) {
      const answer = await fetch(`${stage.proxy.origin}${path}`, {
        method: "POST",
        keepalive: false,
      });
      expect(answer.status).toBe(404);
    }
    await untilShown(stage.proxy.origin, "vllm", { state: "drained" });
    stage.proxy.kill("SIGKILL");
    await stage.proxy.exited;
    const [socket = ""] = readdirSync(stage.directory);
    expect(socket).toBe(`lw-inference-proxy-${stage.proxy.port}.sock`);
    // The first proxy left this socket, so the second one replaces it.
    const env = { ...envOf(stage.fake), ...stage.env };
    await using again = await startCompiled({ env, port: stage.proxy.port });
    await untilModels(again.origin, ["m"]);
    expect((await stage.run("drain", "vllm")).code).toBe(0);
    expect(again.log().filter(({ level }) => level === "warn")).toEqual([]);
  });
});
