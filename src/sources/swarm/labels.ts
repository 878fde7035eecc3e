/** The labels of a service → settings of its tasks. Pure. What a label means is in ../labels.ts. */
import type { Service } from "../../engine/swarm.ts";
import { isLabelled, type Labels, REPLICA_LABEL, readLabels } from "../labels.ts";

/**
 * The labels of the service (`deploy.labels` in a Compose file) and, for keys that it does not have, those of its
 * containers (`labels`): so the Compose file of one host works under `docker stack deploy` as it is. A label that is set
 * to nothing is the same as none.
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

/** What the labels say of the tasks. Those of one service share their requests, unless a label says something else. */
export function readServiceLabels(service: Service): Labels {
  const all = labelsOf(service);
  const labels = readLabels(all);
  if (labels.kind !== "enabled" || (all[REPLICA_LABEL] ?? "") !== "") return labels;
  return { kind: "enabled", settings: { ...labels.settings, shares: `service ${service.id}` } };
}
