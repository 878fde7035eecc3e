/**
 * Turns what the engine shows of one container into a sighting. Pure. The order of its checks is
 * part of the contract: the first that applies decides. It does not know what the fleet holds of
 * the container.
 */

import { type Container, isAlive } from "../../engine/container.ts";
import type { Server } from "../../routing/run.ts";
import { readLabels } from "../labels.ts";
import type { Present, Sighting } from "../sighting.ts";
import { chooseAddress, type Place, reachableHosts, sharedContainerId } from "./address.ts";
import { type Itself, isItself, loopAt } from "./itself.ts";
import { notHealthy, notRunning } from "./reasons.ts";

export type Surroundings = {
  /** Where the proxy runs. */
  readonly place: Place;
  readonly itself: Itself;
  /**
   * The container whose network this one shares; undefined if it shares none, or if that one does
   * not exist.
   */
  readonly peer?: Container | undefined;
  /** True if the current run of the container has a stop notice that has not lapsed. */
  readonly isStopping: (container: Container) => boolean;
};

/** The name of this source, and a part of the identity of its servers. */
export const SOURCE = "docker";

const NO_HEALTHCHECK =
  "no HEALTHCHECK, so there is no telling when it is ready; add one to its image or its Compose service (healthcheck:), see README";

const ITSELF = "it is the proxy itself; remove its inference.* labels";

/** Podman has the status `stopping` for a stop under way, in place of an event. */
const RUNNING: ReadonlySet<string> = new Set(["running", "paused", "stopping"]);

/** The identity that a container has in the fleet. */
export function serverOf(id: string): Server {
  return { source: SOURCE, id };
}

/** The sighting of a container that the engine does not know, or does not know any more. */
export function absent(id: string, name: string): Sighting {
  const server = serverOf(id);
  return {
    server,
    name,
    slots: [nameSlot(name)],
    kind: "absent",
    state: "stopped",
    reason: "removed",
    comesBack: false,
    outlook: "gone",
  };
}

export function observe(container: Container, around: Surroundings): Sighting {
  const common = {
    server: serverOf(container.id),
    name: container.name,
    slots: [nameSlot(container.name)],
  };
  const ignored = (reason: string): Sighting => ({ ...common, kind: "ignored", reason });
  const labels = readLabels(container.labels);
  if (labels.kind === "disabled" || !RUNNING.has(container.status)) {
    const absence =
      labels.kind === "disabled"
        ? { state: "disabled" as const, reason: labels.reason }
        : notRunning(container);
    const comesBack = isAlive(container);
    const outlook = comesBack ? "starts again" : "gone";
    return { ...common, kind: "absent", ...absence, comesBack, outlook };
  }
  if (isItself(container, around.itself)) return ignored(ITSELF);
  if (labels.kind === "wrong") return ignored(labels.reason);
  if (container.health === "none") return ignored(NO_HEALTHCHECK);
  const address = chooseAddress(container, labels.settings, around.place, around.peer);
  if (address.kind === "none") return ignored(address.reason);
  const { port } = labels.settings;
  const loop = loopAt(
    { host: address.host, port, isOnHost: isOnHost(container, around) },
    around.itself,
  );
  if (loop !== undefined) return ignored(loop);

  return {
    ...common,
    kind: "present",
    run: { ...common.server, startedAtMs: container.startedAtMs },
    origin: `http://${address.host}:${port}`,
    origins: reachableHosts(container, around.place, around.peer).map(
      (host) => `http://${host}:${port}`,
    ),
    doubt: address.doubt,
    settings: labels.settings,
    ...healthOf(container, around),
  };
}

function nameSlot(name: string): string {
  return `name ${name}`;
}

function isOnHost(container: Container, { peer }: Surroundings): boolean {
  const owner = sharedContainerId(container) === undefined ? container : peer;
  return owner?.networkMode === "host";
}

function healthOf(container: Container, around: Surroundings): Pick<Present, "seen" | "trouble"> {
  const { status, health } = container;
  if (status === "stopping" || around.isStopping(container)) return { seen: "stopping" };
  if (status === "paused" || health === "unhealthy") {
    return { seen: "not healthy", trouble: notHealthy(container) };
  }
  return { seen: health === "healthy" ? "routable" : "starting" };
}
