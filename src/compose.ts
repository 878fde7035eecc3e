/**
 * Builds the proxy: connects its parts and stops them in order. Only main.ts imports it. Decides nothing
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
import { sentence } from "./ground/sentence.ts";
import { type Descriptors, readDescriptors } from "./process/descriptors.ts";
import { explainListen } from "./process/listen-error.ts";
import { readNetworkNamespace } from "./process/network-namespace.ts";
import { PROGRAM } from "./process/program.ts";
import { VERSION } from "./process/version.ts";
import { BrokenAnswers } from "./proxy/broken-answers.ts";
import { createHandler } from "./proxy/handler.ts";
import { WaitingRoom } from "./proxy/waiting-room.ts";
import { RoutingTable } from "./routing/table.ts";
import { type ProxyServer, startServer } from "./server.ts";
import { observedOf, scrapeTargets, status } from "./shown.ts";
import { DockerSource } from "./sources/docker/docker.ts";
import type { DockerSourceInit } from "./sources/docker/docker-init.ts";
import { lookUpHost } from "./sources/docker/host-address.ts";
import { lookUpAddresses, readOwnAddresses } from "./sources/docker/own-addresses.ts";
import { readOwnContainerId } from "./sources/docker/own-container.ts";
import type { RemoteEngine } from "./sources/docker/own-place.ts";
import { SwarmSource } from "./sources/swarm/swarm.ts";
import { BugReport } from "./telemetry/bug-report.ts";
import { Changes, PROXY } from "./telemetry/changes.ts";
import type { Log } from "./telemetry/log.ts";
import { Recent } from "./telemetry/recent.ts";
import { startTelemetry } from "./telemetry/start.ts";

/**
 * The first entry of the last changes. The end has no entry: the proxy then accepts no connection to read it.
 */
const STARTED = { state: "started", reason: `version ${VERSION}`, gist: "started" };

/** Fewer file descriptors than this deserve a warning. */
const DESCRIPTORS_MIN = 4_096;

/** How the proxy ended. */
export type ProxyEnd = { readonly kind: "stopped" } | CannotListen;

type CannotListen = {
  readonly kind: "cannot listen";
  /** Also says what to do. */
  readonly reason: string;
};

/**
 * Runs the proxy until a stop signal. After the signal it resolves when the last request has ended or was cut.
 *
 * @param stopSignal resolves with the name of the signal
 */
export async function runProxy(
  config: Config,
  log: Log,
  stopSignal: Promise<string>,
): Promise<ProxyEnd> {
  const [startedMs, pseudonym, recent] = [Date.now(), newPseudonym(), new Recent()];
  const ownContainerId = await readOwnContainerId();
  const started = await startTelemetry(config.telemetry, {
    ...{ log, version: VERSION, containerId: ownContainerId },
    ...observedOf(() => ({ table, fleet, docker: sources.docker })),
  });
  const telemetry = recent.counting(started);
  const table = new RoutingTable(telemetry.tableUpdated);
  const engine = new Engine(config.engine);
  const { drainTimeoutMs, waitTimeoutMs } = config;
  const readModels = modelReader(viaEntry(pseudonym));
  const { changes, onConnection } = changesOf(config);
  const fleet = new Fleet({
    ...{ table, log, drainTimeoutMs, waitTimeoutMs, readModels, changes },
    recentOfContainer: (whose) => recent.ofContainer(whose),
  });
  const own = ownOf(config, ownContainerId, engine);
  const sources = sourcesOf({ engine, fleet, log, drainTimeoutMs, own, onConnection });
  const descriptors = await countDescriptors(log);
  const waitingRoom = new WaitingRoom({ timeoutMs: waitTimeoutMs, log });
  const brokenAnswers = new BrokenAnswers({ log, drainTimeoutMs });
  const handler = createHandler({
    ...{ routes: table, log, waitingRoom, brokenAnswers, pseudonym, telemetry },
    isReady: () => fleet.isReady,
    awaitsEngine: () => fleet.awaitsSources,
    hasRoom: () => descriptors?.take() ?? true,
    keptBytesMax: config.modelSearchBytesMax,
    trustedHosts: config.trustedHosts,
    refreshModels: fleet.refreshModels,
    refreshModelsOf: (whose) => fleet.refreshModelsOf(whose),
    scrapeTargets: () => scrapeTargets({ fleet, docker: sources.docker }),
    status: () =>
      status({ startedMs, config, engine, ...sources, fleet, table, waitingRoom, changes, recent }),
  });
  const server = listen(config, handler, log);
  if ("kind" in server) return server;
  changes.add({ ...PROXY, ...STARTED }, Date.now());

  const watching = new AbortController();
  for (const source of Object.values(sources)) void source.follow(watching.signal);
  const control = await openControlOf(config, fleet, log);
  const signal = await stopSignal;
  log.info("stopping", { signal });
  waitingRoom.close();
  // We watch the containers until the last request ends: requests in flight still depend on this.
  await drainServer(server, drainTimeoutMs, log);
  watching.abort();
  await control?.close();
  brokenAnswers.flush();
  await telemetry.shutdown();
  log.info("stopped");
  return { kind: "stopped" };
}

type Sources = { readonly docker: DockerSource; readonly swarm: SwarmSource };

/** The containers of the engine and the tasks of its swarm. Each source skips the servers of the other. */
function sourcesOf(init: DockerSourceInit & { readonly engine: Engine }): Sources {
  const { engine, fleet, log, drainTimeoutMs, own } = init;
  const swarm = new SwarmSource({
    ...{ engine, fleet, log, drainTimeoutMs, ownContainerId: own.containerId },
    own: () => docker.own(),
    onChange: () => void docker.resync(),
  });
  const docker: DockerSource = new DockerSource({ ...init, tasks: swarm });
  return { docker, swarm };
}

async function drainServer(server: ProxyServer, timeoutMs: number, log: Log): Promise<void> {
  const cut = await server.stop(timeoutMs);
  if (cut > 0) log.warn("drain timeout expired", { requests_cut: cut });
}

/** What the source must know about this process to find a way to containers and to exclude the proxy itself. */
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

/** @returns undefined if the socket cannot be made: the proxy then runs without it */
async function openControlOf(
  { runtimeDirectory: directory, port }: Config,
  { drains }: Fleet,
  log: Log,
): Promise<OpenControl | undefined> {
  const path = controlSocket({ directory, port, networkNamespace: await readNetworkNamespace() });
  const bugs = new BugReport(log);
  const onBug = (error: unknown): void => bugs.tell("while it handled drain or undrain", error);
  const control = await openControl({ path, drains, onBug });
  if (control.kind === "open") return control;
  const { reason } = control;
  log.warn("control socket unavailable", {
    reason: `${sentence(reason)} The commands drain and undrain do not work. Set RUNTIME_DIRECTORY to a directory that the proxy can write to.`,
  });
  return undefined;
}

type EngineChanges = Required<Pick<DockerSourceInit, "onConnection">> & {
  readonly changes: Changes;
};

/** The last changes, and a callback that adds the state of the engine connection to them. */
function changesOf({ engine }: Config): EngineChanges {
  const changes = new Changes();
  const name = showAddress(engine);
  const onConnection: EngineChanges["onConnection"] = ({ state, reason = "" }) =>
    changes.add({ what: "engine", name, state, reason, gist: state }, Date.now());
  return { changes, onConnection };
}

/** How to find the machine of an engine at tcp://; undefined for a unix socket. */
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
    const { limit, requestsMax } = descriptors;
    log.warn("low open file limit", {
      limit,
      reason: `The limit of ${limit} open files allows about ${requestsMax} requests at once. Raise it with ulimit -n or LimitNOFILE, in Docker with --ulimit nofile=65536.`,
    });
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
