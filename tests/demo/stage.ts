/** What the demo runs on: a stand-in engine, processes as containers, and the real proxy. */
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { FakeEngine } from "../support/engine/fake.ts";
import type { FakeContainer } from "../support/engine/replies.ts";
import { until } from "../support/until.ts";

export type DemoContainer = {
  readonly name: string;
  readonly model: string;
  /** Like `docker stop`: the engine reports the stop, then SIGTERM, then the process ends. */
  readonly stop: () => Promise<void>;
  /** Like `docker start`. The container is healthy at once. */
  readonly start: () => Promise<void>;
};

export type Stage = AsyncDisposable & {
  readonly engine: FakeEngine;
  /** How to call a command of the proxy at this port, from any directory. */
  readonly commandLine: (port: number) => string;
  readonly addContainer: (init: {
    readonly name: string;
    readonly model: string;
    readonly text: string;
    readonly anthropic: boolean;
    /** Whether it shares the requests of its model with other replicas. */
    readonly replica?: boolean;
  }) => Promise<DemoContainer>;
  /** Starts the proxy. `onLog` gets each line of its log. */
  readonly startProxy: (port: number, onLog: (line: string) => void) => Promise<void>;
};

const BACKEND = fileURLToPath(import.meta.resolve("./chat-backend.ts"));
const PROXY = fileURLToPath(import.meta.resolve("../../src/main.ts"));

type Child = Bun.Subprocess<"ignore", "pipe", "inherit">;

export async function setStage(): Promise<Stage> {
  const engine = await new FakeEngine().start();
  const children = new Set<Child>();
  const run = (script: string, env: Readonly<Record<string, string>>): Child => {
    const child: Child = Bun.spawn([process.execPath, script], {
      env: { PATH: process.env["PATH"] ?? "", TMPDIR: tmpdir(), ...env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.add(child);
    void child.exited.then(() => children.delete(child));
    return child;
  };
  const variablesOf = (port: number): Record<string, string> => ({
    PROXY_PORT: String(port),
    RUNTIME_DIRECTORY: engine.directory, // the demo kills the proxy at the end, and must leave no files behind
  });
  return {
    engine,
    commandLine: (port) => {
      const variables = Object.entries(variablesOf(port)).map(
        ([name, value]) => `${name}=${value}`,
      );
      return [...variables, process.execPath, PROXY].join(" ");
    },
    addContainer: async ({ name, model, text, anthropic, replica = false }) => {
      const env = { MODEL: model, TEXT: text, ...(anthropic && { ANTHROPIC: "1" }) };
      return containerOf(engine, { name, model, replica }, () => run(BACKEND, env));
    },
    startProxy: async (port, onLog) => {
      const host = `unix://${engine.socketPath}`;
      const child = run(PROXY, { ...variablesOf(port), DOCKER_HOST: host });
      void (async () => {
        for await (const line of linesOf(child)) onLog(line);
      })();
      await untilReady(`http://127.0.0.1:${port}`);
    },
    [Symbol.asyncDispose]: async () => {
      for (const child of children) child.kill("SIGKILL");
      await Promise.all([...children].map(({ exited }) => exited));
      engine[Symbol.dispose]();
    },
  };
}

async function containerOf(
  engine: FakeEngine,
  {
    name,
    model,
    replica,
  }: { readonly name: string; readonly model: string; readonly replica: boolean },
  run: () => Child,
): Promise<DemoContainer> {
  let child = run();
  const port = await portOf(child);
  const container: FakeContainer = engine.add({ name, port });
  if (replica) container.labels["inference.replica"] = "true";
  engine.emit(container, "start"); // reports the container to a proxy that is already running
  return {
    name,
    model,
    stop: async () => {
      engine.kill(container);
      child.kill("SIGTERM");
      await child.exited;
      engine.exit(container);
    },
    start: async () => {
      child = run();
      container.labels["inference.port"] = String(await portOf(child));
      engine.startAgain(container);
      engine.setHealth(container, "healthy");
    },
  };
}

async function portOf(child: Child): Promise<number> {
  for await (const line of linesOf(child)) return Number(line);
  throw new Error("A backend of the demo did not start");
}

async function* linesOf(child: Child): AsyncGenerator<string> {
  const utf8 = new TextDecoder();
  let rest = "";
  for await (const bytes of child.stdout) {
    const lines = (rest + utf8.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

const START_BOUND_MS = 10_000;

async function untilReady(origin: string): Promise<void> {
  const isReady = (): Promise<boolean> =>
    fetch(`${origin}/readyz`, { keepalive: false, proxy: false }).then(
      ({ status }) => status === 200,
      () => false,
    );
  await until("the proxy is ready", isReady, START_BOUND_MS);
}
