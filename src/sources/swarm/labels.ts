/** Turns the labels of a service into settings of its tasks. Pure. ../labels.ts says what a label means. */
import type { Service } from "../../engine/swarm.ts";
import { isLabelled, type Labels, REPLICA_LABEL, readLabels } from "../labels.ts";

/**
 * The labels of the service (`deploy.labels` in a Compose file) and, for missing keys, the labels of its
 * containers (`labels`). So the Compose file of one host works unchanged with `docker stack deploy`. An
 * empty label counts as missing.
 */
function labelsOf({
  labels,
  containerLabels,
}: Pick<Service, "labels" | "containerLabels">): Readonly<Record<string, string>> {
  const own = Object.entries(labels).filter(([, value]) => value !== "");
  return { ...labels, ...containerLabels, ...Object.fromEntries(own) };
}

/** True if the service has a label that is meant for us. */
export function isOurs(service: Service): boolean {
  return isLabelled(labelsOf(service));
}

/** Reads the settings of the tasks. The tasks of one service are replicas, unless a label says otherwise. */
export function readServiceLabels(service: Service): Labels {
  const all = labelsOf(service);
  const labels = readLabels(all);
  if (labels.kind !== "enabled" || (all[REPLICA_LABEL] ?? "") !== "") return labels;
  return { kind: "enabled", settings: { ...labels.settings, shares: `service ${service.id}` } };
}
