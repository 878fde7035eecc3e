/** The process: reads the configuration, connects the parts, listens to signals. Imported by nobody. */
import { type Command, parseCommandLine } from "./command-line.ts";
import { runCommand } from "./commands.ts";
import { type Config, loadConfig, loadPort } from "./config.ts";
import { type Descriptors, readDescriptors } from "./descriptors.ts";
import { Controller } from "./discovery/controller.ts";
import { EngineConnection } from "./discovery/engine-connection.ts";
import { readModels } from "./discovery/models.ts";
import { watch } from "./discovery/watch.ts";
import { Engine } from "./docker/engine.ts";
import { showAddress } from "./docker/engine-error.ts";
import { lookUpHost } from "./docker/host-address.ts";
import { readOwnContainerId } from "./docker/own-container.ts";
import { relaunchIfNeeded } from "./launch.ts";
import { createHandler } from "./proxy/handler.ts";
import { RoutingTable } from "./routing/table.ts";
import { type ProxyServer, startServer } from "./server.ts";
import { statusOf } from "./status.ts";
import { createLog, type Log } from "./telemetry/log.ts";
import { startTelemetry } from "./telemetry/start.ts";
import { VERSION } from "./version.ts";

const EXIT_CONFIG = 2;
/** Fewer are worth a warning. */
const DESCRIPTORS_MIN = 4_096;

function fail(lines: readonly string[], code: number): never {
  process.stderr.write(lines.map((line) => `lw-inference-proxy: ${line}\n`).join(""));
  process.exit(code);
}

async function main(): Promise<void> {
  const command = parseCommandLine(process.argv.slice(2));
  if (command.kind !== "serve") return run(command);
  const loaded = loadConfig(process.env);
  if (loaded.kind === "wrong") fail(loaded.errors, EXIT_CONFIG);
  const { config } = loaded;
  const stillRoot = launch(config);
  const terminated = firstSignal(); // before anything starts: as PID 1 a signal without a handler is lost
  const log = createLog({
    level: config.logLevel,
    format: process.stdout.isTTY ? "text" : "json",
    write: (line) => void process.stdout.write(line),
  });
  for (const warning of loaded.warnings) log.warn(warning);
  if (stillRoot !== undefined) log.info("stays root", { reason: stillRoot });
  await serve(config, log, terminated);
  process.exit(0);
}

async function run(command: Exclude<Command, { kind: "serve" }>): Promise<never> {
  const outcome = await runCommand(command, loadPort(process.env));
  await write(process.stdout, outcome.stdout);
  await write(process.stderr, outcome.stderr);
  process.exit(outcome.code);
}

/** Resolves when it is out. Not by Bun.write: that empties a file that the stream was sent to. */
function write(stream: NodeJS.WriteStream, text = ""): Promise<unknown> {
  return new Promise((resolve) => stream.write(text, resolve));
}

/** Resolves when the last request has ended after the signal to stop, or was cut. */
async function serve(config: Config, log: Log, terminated: Promise<string>): Promise<void> {
  const startedMs = Date.now();
  const ownContainerId = await readOwnContainerId();
  const telemetry = await startTelemetry(config.telemetry, {
    log,
    version: VERSION,
    containerId: ownContainerId,
    activeBackends: () => table.activeCount,
  });
  const table = new RoutingTable(telemetry.tableUpdated);
  const engine = new Engine(config.engine);
  const connection = new EngineConnection();
  const controller = new Controller({
    engine,
    table,
    log,
    drainTimeoutMs: config.drainTimeoutMs,
    ownContainerId,
    lookUpHost,
    readModels,
    isFollowing: () => connection.isFollowed,
  });
  const descriptors = readDescriptors();
  warnOfFewDescriptors(descriptors, log);
  const handler = createHandler({
    table,
    log,
    isReady: () => controller.isReady,
    admit: () => descriptors?.admit() ?? true,
    heldBytesMax: config.modelSearchBytesMax,
    telemetry,
    refreshModels: controller.refreshModels,
    refreshModelsOf: (containerId) => controller.refreshModelsOf(containerId),
    status: () =>
      statusOf({ startedMs, address: config.engine, engine, connection, controller }, Date.now()),
  });
  const server = listen(config.port, handler, log);
  log.info("listening", { port: server.port, engine: showAddress(config.engine) });

  const watching = new AbortController();
  void watch({ engine, controller, connection, log, signal: watching.signal });
  const signal = await terminated;
  log.info("stopping: requests in flight may finish", { signal });
  // Stop notices and deaths are followed to the end: what is in flight still depends on them.
  const cut = await server.stop(config.drainTimeoutMs);
  watching.abort();
  if (cut > 0) log.warn("the time to drain is up; requests were cut", { requests_cut: cut });
  await telemetry.shutdown();
  log.info("stopped");
}

/** @returns why it is still root, if it should not be */
function launch({ user, engine }: Config): string | undefined {
  try {
    return relaunchIfNeeded({ user, socket: engine.kind === "unix" ? engine.path : undefined });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const whom = user === undefined ? "" : `; may user ${user.uid} run this binary?`;
    return fail([`cannot start again: ${why}${whom}`], 1);
  }
}

function warnOfFewDescriptors(descriptors: Descriptors | undefined, log: Log): void {
  if (descriptors === undefined || descriptors.limit >= DESCRIPTORS_MIN) return;
  log.warn(
    "few file descriptors: each request takes two; raise the limit (ulimit -n, LimitNOFILE)",
    { limit: descriptors.limit },
  );
}

function listen(
  port: number,
  handler: Parameters<typeof startServer>[0]["handler"],
  log: Log,
): ProxyServer {
  try {
    return startServer({ port, handler, log });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return fail([`cannot listen on port ${port}: ${why}; choose another in PROXY_PORT`], 1);
  }
}

/** The first signal is to stop gracefully; a second one ends the process at once. */
function firstSignal(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let stopping = false;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(1);
      stopping = true;
      resolve(signal);
    });
  }
  return promise;
}

await main();
