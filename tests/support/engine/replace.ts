/**
 * The container of a Compose service, and the ways to replace it. It makes Compose's calls with the plain
 * command-line client, because not every Docker installation has Compose.
 */
import { dockerCli } from "../server/inference-server/image.ts";
import { createServer, type Server, type ServerInit, startServer } from "./real.ts";

/** Longer than any answer. After this time the engine kills a container that has not stopped. */
const STOP_S = "60";

/**
 * Replaces a container by the next one of its service.
 *
 * @param next settings of the next container
 * @returns the next container, just started
 */
type Replace = (old: Server, next: ServerInit) => Promise<Server>;

/** In the order of the calls of `docker compose up -d --force-recreate`, and the order by hand. */
export const REPLACEMENTS: Readonly<Record<string, Replace>> = {
  /** Source: docker/compose, `recreateContainer` in pkg/compose/convergence.go. */
  "Compose (create, stop, rm, rename, start)": recreate,
  /** Source: the same function in v2.0. */
  "early Compose v2 (stop, rename, create, rm, start)": async (old, next) => {
    await stop(old);
    await dockerCli("rename", old.id, temporaryName(old));
    const server = await createServer(ofService(old.name, next));
    await dockerCli("rm", old.id);
    await dockerCli("start", server.id);
    return server;
  },
  "by hand (stop, rm, run)": replaceByHand,
};

/** The order of today's Compose. */
export async function recreate(old: Server, next: ServerInit): Promise<Server> {
  const server = await prepare(old, next);
  await makeWay(old);
  await dockerCli("rename", server.id, old.name);
  await dockerCli("start", server.id);
  return { ...server, name: old.name };
}

export async function replaceByHand(old: Server, next: ServerInit): Promise<Server> {
  await makeWay(old);
  return startServer({ ...next, name: old.name });
}

/**
 * Makes the next container of a service as Compose does, under a name that says which container it replaces.
 */
export function prepare(old: Server, next: ServerInit): Promise<Server> {
  const init = ofService(old.name, next);
  const labels = { ...init.labels, "com.docker.compose.replace": `${serviceIn(old.name)}-1` };
  return createServer({ ...init, name: temporaryName(old), labels });
}

/** Stops and removes a container. */
export async function makeWay(old: Server): Promise<void> {
  await stop(old);
  await dockerCli("rm", old.id);
}

export async function stop({ id }: Server): Promise<void> {
  await dockerCli("stop", "--time", STOP_S, id);
}

const PROJECT = `lw-inference-proxy-test-${process.pid}`;
let services = 0;

/** Starts the container of a new service with a unique name. Does not wait until it is healthy. */
export function startService(init: ServerInit = {}): Promise<Server> {
  services += 1;
  return startServer(ofService(`${PROJECT}-llm${services}-1`, init));
}

/** @param name `PROJECT-SERVICE-1` */
function ofService(name: string, init: ServerInit): ServerInit {
  const labels = {
    "com.docker.compose.project": PROJECT,
    "com.docker.compose.service": serviceIn(name),
    "com.docker.compose.container-number": "1",
    "com.docker.compose.oneoff": "False",
  };
  return { ...init, name, labels: { ...labels, ...init.labels } };
}

function serviceIn(name: string): string {
  return name.slice(PROJECT.length + 1, -"-1".length);
}

function temporaryName({ id, name }: Server): string {
  return `${id.slice(0, 12)}_${name}`;
}
