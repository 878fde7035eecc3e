/** What the engine shows of one container → what is seen of it. Pure; the order is the contract's. */
import { chooseAddress } from "../docker/address.ts";
import type { Container } from "../docker/container.ts";
import { readLabels } from "../docker/labels.ts";
import type { Seen } from "./plan.ts";
import type { NoticedRun } from "./stop-notices.ts";

/** One run of a container, at one address. */
export type Run = NoticedRun & {
  readonly containerName: string;
  /** `http://host:port`. */
  readonly origin: string;
  readonly basePath: string;
};

export type Observation =
  /** Not running, or not to be routed: nothing to say about it. */
  | { readonly kind: "absent" }
  /** It runs, but as it is set up it can't be routed. */
  | { readonly kind: "ignored"; readonly reason: string }
  | {
      readonly kind: "seen";
      readonly seen: Exclude<Seen, "models read" | "read failed">;
      readonly run: Run;
    };

export type Surroundings = {
  /** Undefined if the proxy runs on the host. */
  readonly ownNetworkIds: ReadonlySet<string> | undefined;
  /** Whether the run has a stop notice that has not lapsed. */
  readonly isStopping: (run: Run) => boolean;
};

const ABSENT: Observation = { kind: "absent" };

const NO_HEALTHCHECK =
  "the container has no HEALTHCHECK, so there is no telling when it is ready; add one to its image or its Compose service (healthcheck:)";

export function observe(container: Container | undefined, around: Surroundings): Observation {
  if (container === undefined) return ABSENT;
  if (container.status !== "running" && container.status !== "paused") return ABSENT;
  const labels = readLabels(container.labels);
  if (labels.kind === "disabled") return ABSENT;
  if (labels.kind === "wrong") return { kind: "ignored", reason: labels.reason };
  if (container.health === "none") return { kind: "ignored", reason: NO_HEALTHCHECK };
  const address = chooseAddress(container, labels.settings, around.ownNetworkIds);
  if (address.kind === "none") return { kind: "ignored", reason: address.reason };

  const run: Run = {
    containerId: container.id,
    containerName: container.name,
    startedAtMs: container.startedAtMs,
    stopSignal: container.stopSignal,
    stopTimeoutMs: container.stopTimeoutMs,
    origin: `http://${address.host}:${labels.settings.port}`,
    basePath: labels.settings.basePath,
  };
  return { kind: "seen", seen: around.isStopping(run) ? "stopping" : healthSeen(container), run };
}

function healthSeen({ status, health }: Container): "not healthy" | "starting" | "routable" {
  if (status === "paused" || health === "unhealthy") return "not healthy";
  return health === "healthy" ? "routable" : "starting";
}
