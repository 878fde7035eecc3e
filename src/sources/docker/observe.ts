/** What the engine shows of one container → what is seen of it. Pure; the order is the contract's. */

import type { Container } from "../../engine/container.ts";
import { type Condition, notHealthy, notRunning } from "../../fleet/condition.ts";
import type { Held, Seen } from "../../fleet/plan.ts";
import { readLabels } from "../labels.ts";
import { chooseAddress, type Place, reachableHosts, sharedContainerId } from "./address.ts";
import { type Itself, isItself, loopAt } from "./itself.ts";
import type { NoticedRun } from "./stop-notices.ts";

/** One run of a container, at one address. */
export type Run = NoticedRun & {
  readonly name: string;
  /** `http://host:port`. */
  readonly origin: string;
  readonly basePath: string;
  /** Why it may well not be reachable there. */
  readonly doubt?: string | undefined;
};

export type Observation =
  /** Not running, or not to be routed. */
  | { readonly kind: "absent"; readonly condition: Condition }
  /** It runs, but as it is set up it can't be routed. */
  | { readonly kind: "ignored"; readonly reason: string }
  | {
      readonly kind: "seen";
      readonly seen: Exclude<Seen, "models read" | "read failed">;
      readonly run: Run;
      /** Where it can be reached without a doubt, the run's own origin or another. */
      readonly origins: readonly string[];
      /** Why it is not healthy, if it is not. */
      readonly condition: Condition;
    };

export type Surroundings = {
  /** Where the proxy runs. */
  readonly place: Place;
  readonly itself: Itself;
  /** The container whose network this one shares, if it does and that is there. */
  readonly peer?: Container | undefined;
  /** Whether the run has a stop notice that has not lapsed. */
  readonly isStopping: (run: Run) => boolean;
};

/** The name of this source. */
export const SOURCE = "docker";

const GONE: Observation = { kind: "absent", condition: { state: "stopped", reason: "removed" } };

const NO_HEALTHCHECK =
  "no HEALTHCHECK, so there is no telling when it is ready; add one to its image or its Compose service (healthcheck:), see README";

const ITSELF = "it is the proxy itself; remove its inference.* labels";

/** Podman has a state of its own for a stop under way, and no event. */
const RUNNING: ReadonlySet<string> = new Set(["running", "paused", "stopping"]);

export function observe(container: Container | undefined, around: Surroundings): Observation {
  if (container === undefined) return GONE;
  const labels = readLabels(container.labels);
  if (labels.kind === "disabled") {
    return { kind: "absent", condition: { state: "disabled", reason: labels.reason } };
  }
  if (!RUNNING.has(container.status)) return { kind: "absent", condition: notRunning(container) };
  if (isItself(container, around.itself)) return { kind: "ignored", reason: ITSELF };
  if (labels.kind === "wrong") return { kind: "ignored", reason: labels.reason };
  if (container.health === "none") return { kind: "ignored", reason: NO_HEALTHCHECK };
  const address = chooseAddress(container, labels.settings, around.place, around.peer);
  if (address.kind === "none") return { kind: "ignored", reason: address.reason };
  const owner = sharedContainerId(container) === undefined ? container : around.peer;
  const isOnHost = owner?.networkMode === "host";
  const { port } = labels.settings;
  const loop = loopAt({ host: address.host, port, isOnHost }, around.itself);
  if (loop !== undefined) return { kind: "ignored", reason: loop };

  const run: Run = {
    source: SOURCE,
    id: container.id,
    name: container.name,
    startedAtMs: container.startedAtMs,
    stopSignal: container.stopSignal,
    stopTimeoutMs: container.stopTimeoutMs,
    signalIsHidden: container.signalIsHidden,
    origin: `http://${address.host}:${port}`,
    basePath: labels.settings.basePath,
    doubt: address.doubt,
  };
  const stopping = container.status === "stopping" || around.isStopping(run);
  return {
    kind: "seen",
    seen: stopping ? "stopping" : healthSeen(container),
    run,
    origins: reachableHosts(container, around.place, around.peer).map(
      (host) => `http://${host}:${port}`,
    ),
    condition: notHealthy(container),
  };
}

/**
 * Whether the way to a run has changed so that all that is held of it is to be given up: it or the
 * proxy has left the network between them, or has joined it while the models are still asked for.
 * Nothing ends a connection whose network is gone: whoever waits on one would wait for ever.
 */
export function isCutOff(
  { run, held }: { readonly run: Run | undefined; readonly held: Held },
  seen: Extract<Observation, { readonly kind: "seen" }>,
): boolean {
  if (run === undefined || run.startedAtMs !== seen.run.startedAtMs) return false;
  if (run.origin !== seen.run.origin) return !seen.origins.includes(run.origin);
  const wasDoubted = run.doubt !== undefined;
  const isDoubted = seen.run.doubt !== undefined;
  return wasDoubted !== isDoubted && (isDoubted || held === "probing");
}

function healthSeen({ status, health }: Container): "not healthy" | "starting" | "routable" {
  if (status === "paused" || health === "unhealthy") return "not healthy";
  return health === "healthy" ? "routable" : "starting";
}
