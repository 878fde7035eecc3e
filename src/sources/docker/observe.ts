/**
 * Turns the inspect of one container into a sighting. Pure. The order of the checks is part of the
 * contract: the first check that applies decides. It does not know the state of the fleet.
 */

import { type Container, isAlive } from "../../engine/container.ts";
import type { Server } from "../../routing/run.ts";
import { readLabels } from "../labels.ts";
import type { Outlook, Present, Sighting } from "../sighting.ts";
import { chooseAddress, type Place, reachableHosts, sharedContainerId } from "./address.ts";
import { type Itself, isItself, loopAt } from "./itself.ts";
import { type Past, pastOf } from "./past.ts";
import { comingUp, notHealthy, notRunning } from "./reasons.ts";
import { factsOf, type PastRun, runsIn } from "./run-facts.ts";
import type { LastSeen } from "./run-history.ts";
import { nameSlot, slotsOf } from "./slots.ts";

export type Surroundings = {
  /** Where the proxy runs. */
  readonly place: Place;
  readonly itself: Itself;
  /**
   * The container whose network this one shares; undefined if it shares none, or if the other container
   * does not exist.
   */
  readonly peer?: Container | undefined;
  /** True if the current run of the container has a stop notice that has not lapsed. */
  readonly isStopping: (container: Container) => boolean;
  /** What we know about its runs; undefined if we know only this inspect. */
  readonly history?: History | undefined;
};

export type History = {
  /** Oldest first. */
  readonly runs: readonly PastRun[];
  /** The engine's time, ms since the epoch. */
  readonly nowMs: number;
  /** How long a stop signal counts, ms. */
  readonly lapseMs: number;
};

/** The name of this source, and part of the identity of its servers. */
export const SOURCE = "docker";

const NO_HEALTHCHECK =
  "no HEALTHCHECK, so the proxy cannot know when it is ready; add one to its image or its Compose service (healthcheck:), see docs/servers.md";

const ITSELF = "this container is the proxy itself; remove its inference.* labels";

/** Podman shows the status `stopping` during a stop, instead of sending an event. */
const RUNNING: ReadonlySet<string> = new Set(["running", "paused", "stopping"]);

/** The identity of a container in the fleet. */
export function serverOf(id: string): Server {
  return { source: SOURCE, id };
}

/**
 * The sighting of a container that does not exist, or no longer exists.
 *
 * @param last from the last inspect; undefined if there was no inspect
 */
export function absent(id: string, name: string, last?: LastSeen, history?: History): Sighting {
  const past = last && history && pastOf({ ...last, runningSinceMs: undefined }, history);
  return {
    server: serverOf(id),
    name: last?.name ?? name,
    slots: last?.slots ?? [nameSlot(name)],
    kind: "absent",
    state: "stopped",
    reason: "removed",
    comesBack: false,
    outlook: past?.wasStopped ? "was stopped" : "gone",
    end: past?.end,
  };
}

export function observe(container: Container, around: Surroundings): Sighting {
  const common = {
    server: serverOf(container.id),
    name: container.name,
    slots: slotsOf(container),
  };
  const ignored = (reason: string): Sighting => ({ ...common, kind: "ignored", reason });
  const labels = readLabels(container.labels);
  const comesBack = isAlive(container);
  if (labels.kind === "disabled") {
    const { reason } = labels;
    return { ...common, kind: "absent", state: "disabled", reason, comesBack, outlook: "gone" };
  }
  const past = pastIn(container, around.history);
  if (!RUNNING.has(container.status)) {
    const outlook = outlookOf(container, past);
    const absence = { ...notRunning(container, past), comesBack, outlook, end: past.end };
    return { ...common, kind: "absent", ...absence };
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
    isCrashLoop: past.isCrashLoop,
    lastEnd: past.end,
    past: comingUp(container.name, past),
  };
}

function pastIn(container: Container, history: History | undefined): Past {
  const { status, startedAtMs, stopTimeoutMs } = container;
  const runningSinceMs = RUNNING.has(status) ? startedAtMs : undefined;
  // Without a history there are no times of events: we assume that an ended run has ended just now.
  const [runs, nowMs] = [runsIn(factsOf(container)), container.finishedAtMs];
  const given = history ?? { runs, nowMs, lapseMs: stopTimeoutMs };
  return pastOf({ ...container, runningSinceMs }, given);
}

/** What the fleet can expect from a container that does not run. */
function outlookOf(container: Container, { isCrashLoop, wasStopped }: Past): Outlook {
  if (container.status === "created") return container.startError === "" ? "created" : "gone";
  if (isAlive(container)) return isCrashLoop ? "crash loop" : "starts again";
  return wasStopped ? "was stopped" : "gone";
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
