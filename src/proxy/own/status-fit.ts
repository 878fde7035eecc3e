/**
 * Keeps the answer to `GET /status` below its limit, for any number of containers and models. It leaves out the least
 * important parts first: recent numbers of the least used entries, then the ends of long lists and of long reasons.
 * Last come whole entries: first idle models, then routed containers, then containers that are not routed. Pure.
 *
 * It starts with the shortest form of the entries and adds parts while there is room. So the limit bounds its work,
 * not the size of the status.
 */
import { greatestFirst } from "../../ground/greatest-first.ts";
import { cut } from "../../ground/some-of.ts";
import type { ContainerStatus, ModelStatus, Recent, Status } from "../../status.ts";
import {
  bytesOf,
  type Draft,
  ENTRY_BYTES_MIN,
  inOrder,
  Kept,
  type List,
  lengthenLists,
  Room,
  SHORT_LENGTH,
  textOf,
} from "./fit-parts.ts";
import { FittedServices, lengthAtLeast } from "./fit-services.ts";

const BYTES_MAX = 256 * 1024;

/**
 * Writes the status as printable JSON. The field `left_out` says what is missing.
 *
 * @param bytesMax the most bytes of the text; at least 64 KiB
 */
export function statusText(status: Status, bytesMax = BYTES_MAX): string {
  if (mayFit(status, bytesMax)) {
    const text = textOf(status);
    if (Buffer.byteLength(text) <= bytesMax) return text;
  }
  return textOf(fitted(status, bytesMax));
}

/** Estimates whether the whole status may fit, from the lengths of its texts. Reads no characters. */
function mayFit({ containers, models, swarm }: Status, bytesMax: number): boolean {
  let left = bytesMax - lengthAtLeast(swarm?.services ?? []);
  for (const { reason, models: ids } of containers) {
    left -= ENTRY_BYTES_MIN + reason.length;
    for (const id of ids) left -= id.length;
    if (left < 0) return false;
  }
  for (const { id, servers } of models) {
    left -= ENTRY_BYTES_MIN + id.length + servers.length * ENTRY_BYTES_MIN * 0.5;
    if (left < 0) return false;
  }
  return left >= 0;
}

function fitted(status: Status, bytesMax: number): Status {
  const frame = frameOf(status);
  const room = new Room(bytesMax - bytesOf(frame));
  const containers = new Kept(greatestFirst(status.containers, containerNeed), shortContainer);
  const models = new Kept(greatestFirst(status.models, modelNeed), shortModel);
  const changes = new Kept(status.changes, (change) => change);
  const services = new FittedServices(status.swarm?.services ?? []);
  // Each kind has its own share, so that many entries of one kind leave room for the others.
  services.kept.fill(room, room.left / 3);
  const { left } = room;
  containers.fill(room, left / 2);
  models.fill(room, (left * 3) / 8);
  changes.fill(room, left / 8);
  for (const kept of [containers, services.kept, models, changes]) kept.fill(room, room.left);
  lengthenReasons(containers.drafts, room);
  lengthenReasons(services.kept.drafts, room);
  lengthenLists(
    [
      ...services.lists,
      ...containers.drafts.map(listOfModels),
      ...models.drafts.map(listOfServers),
    ],
    room,
  );
  addRecent([...containers.drafts, ...models.drafts], room);
  return {
    ...frame,
    containers: inOrder(status.containers, containers.drafts),
    swarm: frame.swarm && { ...frame.swarm, services: services.shown },
    models: inOrder(status.models, models.drafts),
    changes: inOrder(status.changes, changes.drafts),
    left_out: {
      containers: containers.leftOut,
      services: services.kept.leftOut,
      models: status.left_out.models + models.leftOut,
      changes: changes.leftOut,
      details:
        frame.left_out.details ||
        services.isCut ||
        containers.drafts.some(isContainerCut) ||
        models.drafts.some(isModelCut),
    },
  };
}

const ENGINE_LENGTH_MAX = 1_000;

/** The status without its lists. The counts in `left_out` are the largest possible, so that they take enough room. */
function frameOf(status: Status): Status {
  const { version, engine, containers, swarm, models, changes, left_out } = status;
  const counts = {
    containers: containers.length,
    services: swarm?.services.length ?? 0,
    models: models.length + left_out.models,
    changes: changes.length,
  };
  const short = (text: string | null): string | null => text && cut(text, ENGINE_LENGTH_MAX);
  const { address, reason } = engine;
  const shown = {
    ...engine,
    address: cut(address, ENGINE_LENGTH_MAX),
    reason: short(reason),
  };
  const shownSwarm = swarm && { ...swarm, reason: short(swarm.reason), services: [] };
  const isCut = shown.reason !== reason || shownSwarm?.reason !== swarm?.reason;
  return {
    ...status,
    ...{ version: cut(version, ENGINE_LENGTH_MAX), engine: shown },
    ...{ containers: [], swarm: shownSwarm, models: [], changes: [] },
    left_out: { ...counts, details: left_out.details || isCut },
  };
}

/** Containers that are not routed come first: the exit code of the command `status` depends on them. */
function containerNeed({ state, in_flight, recent }: ContainerStatus): readonly number[] {
  const isWell = state === "routed" || state === "disabled";
  return [isWell ? 0 : 1, state === "routed" ? 1 : 0, in_flight, requestsOf(recent)];
}

function modelNeed({ waiting, in_flight, recent }: ModelStatus): readonly number[] {
  return [waiting + in_flight, requestsOf(recent)];
}

function requestsOf(recent: Recent | null): number {
  return recent?.last_hour.requests ?? 0;
}

/** Limits of the shortest form of a list: entries, and characters of all entries together. */
const [FEW, FEW_LENGTH_MAX] = [3, 120];

function shortContainer(container: ContainerStatus): ContainerStatus {
  const { id, name, reason, address, models, last_exit } = container;
  return {
    ...{ ...container, id: cut(id, SHORT_LENGTH), name: cut(name, SHORT_LENGTH) },
    reason: cut(reason, SHORT_LENGTH),
    address: address && cut(address, SHORT_LENGTH),
    models: fewOf(models, ({ length }) => length),
    last_exit: last_exit && { ...last_exit, reason: cut(last_exit.reason, SHORT_LENGTH) },
    recent: null,
  };
}

function shortModel(model: ModelStatus): ModelStatus {
  return { ...model, servers: fewOf(model.servers, (one) => one.container.length), recent: null };
}

function fewOf<Item>(items: readonly Item[], lengthOf: (item: Item) => number): readonly Item[] {
  let left = FEW_LENGTH_MAX;
  const few = items.slice(0, FEW);
  const end = few.findIndex((item) => {
    left -= lengthOf(item);
    return left < 0;
  });
  return end === -1 ? few : few.slice(0, end);
}

type WithReason = {
  readonly whole: { readonly reason: string };
  readonly shown: { reason: string };
};

function lengthenReasons(drafts: readonly WithReason[], room: Room): void {
  for (const { whole, shown } of drafts) {
    if (shown.reason === whole.reason) continue;
    if (!room.take(bytesOf(whole.reason) - bytesOf(shown.reason))) return;
    shown.reason = whole.reason;
  }
}

function listOfModels({ whole, shown }: Draft<ContainerStatus>): List {
  const show = (count: number): void => {
    shown.models = whole.models.slice(0, count);
  };
  return { whole: whole.models, count: shown.models.length, show };
}

function listOfServers({ whole, shown }: Draft<ModelStatus>): List {
  const show = (count: number): void => {
    shown.servers = whole.servers.slice(0, count);
  };
  return { whole: whole.servers, count: shown.servers.length, show };
}

type WithRecent = {
  readonly whole: { readonly recent: Recent | null };
  readonly shown: { recent: Recent | null };
};

function addRecent(drafts: readonly WithRecent[], room: Room): void {
  const busiest = drafts
    .filter(({ whole }) => whole.recent !== null)
    .sort((a, b) => requestsOf(b.whole.recent) - requestsOf(a.whole.recent));
  for (const { whole, shown } of busiest) {
    if (!room.take(bytesOf(whole.recent))) return;
    shown.recent = whole.recent;
  }
}

function isContainerCut({ whole, shown }: Draft<ContainerStatus>): boolean {
  return (
    shown.models.length < shown.model_count ||
    shown.recent !== whole.recent ||
    shown.reason !== whole.reason ||
    shown.last_exit?.reason !== whole.last_exit?.reason
  );
}

function isModelCut({ whole, shown }: Draft<ModelStatus>): boolean {
  return shown.servers.length < whole.servers.length || shown.recent !== whole.recent;
}
