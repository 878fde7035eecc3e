/** The proxy itself: connects the parts, and takes them apart again. Imported by main.ts alone. */
import type { Config } from "./config.ts";
import { Engine } from "./engine/engine.ts";
import { type EngineAddress, showAddress } from "./engine/error.ts";
import { Controller } from "./fleet/controller.ts";
import { modelReader } from "./fleet/models.ts";
import { newPseudonym, viaEntry } from "./ground/pseudonym.ts";
import { type Descriptors, readDescriptors } from "./process/descriptors.ts";
import { explainListen } from "./process/listen-error.ts";
import { VERSION } from "./process/version.ts";
import { createHandler } from "./proxy/handler.ts";
import { RoutingTable } from "./routing/table.ts";
import { type ProxyServer, startServer } from "./server.ts";
import { EngineConnection } from "./sources/docker/connection.ts";
import { watch } from "./sources/docker/follow.ts";
import { lookUpHost } from "./sources/docker/host-address.ts";
import { lookUpAddresses, readOwnAddresses } from "./sources/docker/own-addresses.ts";
import { readOwnContainerId } from "./sources/docker/own-container.ts";
import type { RemoteEngine } from "./sources/docker/own-place.ts";
import { statusOf } from "./status.ts";
import type { Log } from "./telemetry/log.ts";
import { startTelemetry } from "./telemetry/start.ts";

/** Base name of what this process runs. */
const PROGRAM = process.execPath.slice(process.execPath.lastIndexOf("/") + 1);

/** Fewer are worth a warning. */
const DESCRIPTORS_MIN = 4_096;

export type Outcome = { readonly kind: "stopped" } | CannotListen;

type CannotListen = {
  readonly kind: "cannot listen";
  /** And what to do. */
  readonly why: string;
};

/**
 * Resolves when the last request has ended after the signal to stop, or was cut.
 *
 * @param terminated resolves with the name of that signal
 */
export async function serve(
  config: Config,
  log: Log,
  terminated: Promise<string>,
): Promise<Outcome> {
  const [startedMs, pseudonym] = [Date.now(), newPseudonym()];
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
    engineNowMs: () => engine.clock.nowMs(),
    ownContainerId,
    listening: { host: config.host, port: config.port },
    program: PROGRAM,
    lookUpHost,
    remote: remoteOf(config.engine, engine),
    ownAddresses: readOwnAddresses,
    readModels: modelReader(viaEntry(pseudonym)),
    isFollowing: () => connection.isFollowed,
  });
  const descriptors = await countDescriptors(log);
  const handler = createHandler({
    routes: table,
    log,
    isReady: () => controller.isReady,
    hasRoom: () => descriptors?.admit() ?? true,
    pseudonym,
    keptBytesMax: config.modelSearchBytesMax,
    telemetry,
    trustedHosts: config.trustedHosts,
    refreshModels: controller.refreshModels,
    refreshModelsOf: (whose) => controller.refreshModelsOf(whose),
    status: () =>
      statusOf({ startedMs, address: config.engine, engine, connection, controller }, Date.now()),
  });
  const server = listen(config, handler, log);
  if ("kind" in server) return server;

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
  return { kind: "stopped" };
}

/** Undefined: it is asked over a unix socket. */
function remoteOf(address: EngineAddress, engine: Engine): RemoteEngine | undefined {
  if (address.kind === "unix") return undefined;
  const { host } = address;
  return {
    host,
    lookUp: () => lookUpAddresses(host),
    containerAddresses: () => engine.containerAddresses(),
  };
}

async function countDescriptors(log: Log): Promise<Descriptors | undefined> {
  const descriptors = await readDescriptors();
  if (descriptors !== undefined && descriptors.limit < DESCRIPTORS_MIN) {
    log.warn(
      "few file descriptors: each request takes two; raise the limit (ulimit -n, LimitNOFILE)",
      { limit: descriptors.limit },
    );
  }
  return descriptors;
}

function listen(
  { host, port, engine }: Config,
  handler: Parameters<typeof startServer>[0]["handler"],
  log: Log,
): ProxyServer | CannotListen {
  try {
    const server = startServer({ host, port, handler, log });
    const place = { ...(host !== undefined && { host }), port: server.port };
    log.info("listening", { ...place, engine: showAddress(engine) });
    return server;
  } catch (error) {
    return { kind: "cannot listen", why: explainListen({ host, port }, error) };
  }
}
