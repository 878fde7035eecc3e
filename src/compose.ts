/**
 * The proxy itself: connects the rooms, and stops them in order. Only main.ts imports it. Decides nothing
 * about a request or a server.
 */
import type { Config } from "./config.ts";
import { type OpenControl, openControl } from "./control.ts";
import { Engine } from "./engine/engine.ts";
import { type EngineAddress, showAddress } from "./engine/error.ts";
import { Fleet } from "./fleet/fleet.ts";
import { modelReader } from "./fleet/models.ts";
import { controlSocket } from "./ground/control-socket.ts";
import { newPseudonym, viaEntry } from "./ground/pseudonym.ts";
import { type Descriptors, readDescriptors } from "./process/descriptors.ts";
import { explainListen } from "./process/listen-error.ts";
import { readNetworkNamespace } from "./process/network-namespace.ts";
import { PROGRAM } from "./process/program.ts";
import { VERSION } from "./process/version.ts";
import { BrokenAnswers } from "./proxy/broken-answers.ts";
import { createHandler } from "./proxy/handler.ts";
import type { ScrapeTarget } from "./proxy/own/scrape-targets.ts";
import { WaitingRoom } from "./proxy/waiting-room.ts";
import { RoutingTable } from "./routing/table.ts";
import { type ProxyServer, startServer } from "./server.ts";
import { DockerSource, type DockerSourceInit } from "./sources/docker/docker.ts";
import { lookUpHost } from "./sources/docker/host-address.ts";
import { lookUpAddresses, readOwnAddresses } from "./sources/docker/own-addresses.ts";
import { readOwnContainerId } from "./sources/docker/own-container.ts";
import type { RemoteEngine } from "./sources/docker/own-place.ts";
import { type Status, statusOf } from "./status.ts";
import { BugReport } from "./telemetry/bug-report.ts";
import type { Observed } from "./telemetry/instruments.ts";
import type { Log } from "./telemetry/log.ts";
import { startTelemetry } from "./telemetry/start.ts";

/** Fewer file descriptors than this deserve a warning. */
const DESCRIPTORS_MIN = 4_096;

/** How the proxy ended. */
export type ProxyEnd = { readonly kind: "stopped" } | CannotListen;

type CannotListen = {
  readonly kind: "cannot listen";
  /** It also says what to do. */
  readonly reason: string;
};

/**
 * Runs the proxy until a signal asks it to stop. Resolves when the last request has ended after that, or
 * was cut.
 *
 * @param stopSignal resolves with the name of that signal
 */
export async function runProxy(
  config: Config,
  log: Log,
  stopSignal: Promise<string>,
): Promise<ProxyEnd> {
  const [startedMs, pseudonym] = [Date.now(), newPseudonym()];
  const ownContainerId = await readOwnContainerId();
  const telemetry = await startTelemetry(config.telemetry, {
    log,
    version: VERSION,
    containerId: ownContainerId,
    ...observedOf(() => ({ table, fleet, docker })),
  });
  const table = new RoutingTable(telemetry.tableUpdated);
  const engine = new Engine(config.engine);
  const { drainTimeoutMs, waitTimeoutMs } = config;
  const readModels = modelReader(viaEntry(pseudonym));
  const fleet = new Fleet({ table, log, drainTimeoutMs, waitTimeoutMs, readModels });
  const own = ownOf(config, ownContainerId, engine);
  const docker = new DockerSource({ engine, fleet, log, drainTimeoutMs, own });
  const descriptors = await countDescriptors(log);
  const waitingRoom = new WaitingRoom({ timeoutMs: waitTimeoutMs, log });
  const brokenAnswers = new BrokenAnswers({ log, drainTimeoutMs });
  const handler = createHandler({
    routes: table,
    log,
    isReady: () => fleet.isReady,
    waitingRoom,
    brokenAnswers,
    hasRoom: () => descriptors?.take() ?? true,
    pseudonym,
    keptBytesMax: config.modelSearchBytesMax,
    telemetry,
    trustedHosts: config.trustedHosts,
    refreshModels: fleet.refreshModels,
    refreshModelsOf: (whose) => fleet.refreshModelsOf(whose),
    scrapeTargets: () => scrapeTargets(fleet, docker),
    status: () => status({ startedMs, config, engine, docker, fleet, table, waitingRoom }),
  });
  const server = listen(config, handler, log);
  if ("kind" in server) return server;

  const watching = new AbortController();
  void docker.follow(watching.signal);
  const control = await openControlOf(config, fleet, log);
  const signal = await stopSignal;
  log.info("stopping: requests in flight may finish", { signal });
  waitingRoom.close();
  // We watch the containers until the last request ends: requests in flight still depend on them.
  const cut = await server.stop(config.drainTimeoutMs);
  watching.abort();
  await control?.close();
  if (cut > 0) log.warn("the time to drain is up; requests were cut", { requests_cut: cut });
  brokenAnswers.flush();
  await telemetry.shutdown();
  log.info("stopped");
  return { kind: "stopped" };
}

/** What metrics show of these parts. They are made after telemetry, and long before it asks. */
function observedOf(parts: () => Pick<StatusParts, "table" | "fleet" | "docker">): Observed {
  return {
    activeBackends: () => parts().table.activeCount,
    backendLoads: () =>
      parts().table.replicas.map(({ name, load }) => ({ name, load: load.value })),
    modelBackends: () => parts().table.takers,
    containers: () => parts().fleet.members,
    isEngineConnected: () => isConnected(parts().docker),
  };
}

function isConnected({ connection }: DockerSource): boolean {
  return connection.status.state === "connected";
}

/** What the source must know of this process, to find its way to containers and to leave itself out. */
function ownOf(
  { host, port, engine: address }: Config,
  containerId: string | undefined,
  engine: Engine,
): DockerSourceInit["own"] {
  return {
    containerId,
    addresses: readOwnAddresses,
    listening: { host, port },
    program: PROGRAM,
    lookUpHost,
    remote: remoteOf(address, engine),
  };
}

/** @returns undefined if there is none: the proxy does without it */
async function openControlOf(
  { runtimeDirectory: directory, port }: Config,
  { drains }: Fleet,
  log: Log,
): Promise<OpenControl | undefined> {
  const path = controlSocket({ directory, port, networkNamespace: await readNetworkNamespace() });
  const bugs = new BugReport(log);
  const onBug = (error: unknown): void => bugs.tell("while it was told what to do", error);
  const control = await openControl({ path, drains, onBug });
  if (control.kind === "open") return control;
  const { reason } = control;
  log.warn("drain and undrain will not work: can't make their socket", {
    reason: `${reason}; RUNTIME_DIRECTORY names another directory for it`,
  });
  return undefined;
}

type StatusParts = {
  readonly startedMs: number;
  readonly config: Config;
  readonly engine: Engine;
  readonly docker: DockerSource;
  readonly fleet: Fleet;
  readonly table: RoutingTable;
  readonly waitingRoom: WaitingRoom;
};

/** What `GET /status` shows now. */
function status(parts: StatusParts): Status {
  const { startedMs, config, engine, docker, fleet, table, waitingRoom } = parts;
  const { apiVersion } = engine;
  const connection = docker.connection.status;
  return statusOf(
    {
      version: VERSION,
      startedMs,
      engine: { address: showAddress(config.engine), apiVersion, connection },
      ready: fleet.isReady,
      containers: fleet.members,
      listed: table.models,
      waiting: waitingRoom.counts,
    },
    Date.now(),
  );
}

/** The servers whose own metrics can be read; undefined while it is not known which there are. */
function scrapeTargets(fleet: Fleet, docker: DockerSource): readonly ScrapeTarget[] | undefined {
  if (!fleet.isReady || !isConnected(docker)) return undefined;
  return fleet.members.flatMap(({ id, name, state, address, models }) =>
    state === "routed" && address !== null ? [{ id, name, origin: address, models }] : [],
  );
}

/** What is known of an engine that is asked over the network; undefined for a unix socket. */
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
    const address = { ...(host !== undefined && { host }), port: server.port };
    log.info("listening", { ...address, engine: showAddress(engine) });
    return server;
  } catch (error) {
    return { kind: "cannot listen", reason: explainListen({ host, port }, error) };
  }
}
