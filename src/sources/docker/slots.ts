/** The places that a container fills. A later container in one of these places is its successor. Pure. */
import type { Container } from "../../engine/container.ts";

const COMPOSE = "com.docker.compose.";
/** We leave out longer slots: cut to this length, a slot could be equal to another container's slot. */
const LENGTH_MAX = 512;

/**
 * While Compose replaces a container, one of the two has the name `<12 hex digits>_NAME`: the successor
 * from v2.1 on, the old one before v2.1. So that container also fills the slot of NAME.
 */
const REPLACED_NAME = /^[0-9a-f]{12}_(.+)$/;

export function slotsOf({ name, labels }: Pick<Container, "name" | "labels">): readonly string[] {
  const replaced = REPLACED_NAME.exec(name)?.[1];
  const slots = [
    nameSlot(name),
    ...(replaced === undefined ? [] : [nameSlot(replaced)]),
    ...composeSlots(labels),
  ];
  return slots.filter((slot) => slot.length <= LENGTH_MAX);
}

export function nameSlot(name: string): string {
  return `name ${name}`;
}

/** A container of `docker compose run` has the labels of its service, but replaces no container. */
function composeSlots(labels: Container["labels"]): readonly string[] {
  const project = labels[`${COMPOSE}project`] ?? "";
  const service = labels[`${COMPOSE}service`] ?? "";
  const number = labels[`${COMPOSE}container-number`] ?? "";
  if (labels[`${COMPOSE}oneoff`]?.toLowerCase() === "true") return [];
  // Compose does not allow a slash in these. A slash would make two services look like one.
  const isWhole = [project, service].every((part) => /^[^/]+$/.test(part)) && /^\d+$/.test(number);
  return isWhole ? [`compose ${project}/${service}/${number}`] : [];
}
