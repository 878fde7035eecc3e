/** The places that a container fills. Another container in one of them is its successor. Pure. */
import type { Container } from "../../engine/container.ts";

const COMPOSE = "com.docker.compose.";
/** A longer one is left out: cut to this length it might be that of another container. */
const LENGTH_MAX = 512;

/**
 * While Compose replaces a container, one of the two is called `<12 hex digits>_NAME`: from v2.1 on
 * the successor, before that the old one. So that one has the slot of NAME too.
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

/** A container of `docker compose run` has the labels of its service, and takes the place of nobody. */
function composeSlots(labels: Container["labels"]): readonly string[] {
  const project = labels[`${COMPOSE}project`] ?? "";
  const service = labels[`${COMPOSE}service`] ?? "";
  const number = labels[`${COMPOSE}container-number`] ?? "";
  if (labels[`${COMPOSE}oneoff`]?.toLowerCase() === "true") return [];
  // Compose allows no slash in these. One in there would make two services look like one.
  const isWhole = [project, service].every((part) => /^[^/]+$/.test(part)) && /^\d+$/.test(number);
  return isWhole ? [`compose ${project}/${service}/${number}`] : [];
}
