/**
 * Parses the engine's event stream, from bytes to `EngineEvent`. Names of the wire format stay
 * inside this file. It does not know what follows from an event.
 */
import { z } from "zod/mini";
import { JoinedBytes } from "../ground/joined-bytes.ts";
import { Turn } from "../ground/turn.ts";

export type ContainerEvent = {
  /**
   * `run over`: the process has ended. `kill`: a signal was sent, with whatever effect. `moved`:
   * the container was connected to a network, or disconnected. `changed`: inspect the container.
   * `probed`: inspect it now and once more shortly after, since Podman may not have stored the
   * probe's result yet.
   */
  readonly kind: "run over" | "kill" | "moved" | "changed" | "probed";
  readonly containerId: string;
  /**
   * Contain all labels of the container. They are empty for `moved`: events of networks show no
   * labels.
   */
  readonly attributes: Readonly<Record<string, string>>;
  /** Time of the event by the engine's own clock, ms since the epoch with fractions. */
  readonly timeMs: number;
  /**
   * Number of the signal of a `kill`. Undefined if the engine does not tell it, as Podman does not.
   */
  readonly signal: number | undefined;
  /** What it tells of a run, in Docker's words; undefined if it tells nothing of one. */
  readonly fact: RunFact | undefined;
  /**
   * Exit code of a `die`, as the engine tells it. Undefined if it tells none. A label named `exitCode`
   * takes its place: Docker merges labels into the attributes of its events.
   */
  readonly exitCode: number | undefined;
};

/** A service or a node of a swarm has changed: only its managers tell that. Events never tell of tasks. */
export type SwarmEvent = {
  readonly kind: "swarm changed";
  readonly what: "service" | "node";
  /** Time of the event by the engine's own clock, ms since the epoch with fractions. */
  readonly timeMs: number;
};

export type EngineEvent = ContainerEvent | SwarmEvent;

/**
 * `die`: its process has ended. `stop`: a `docker stop` has come to its end. `oom`: the kernel killed
 * one of its processes, since its memory was used up. `healthy`: a health check has passed after none
 * or a failed one.
 */
export type RunFact = "start" | "healthy" | "kill" | "oom" | "die" | "stop" | "destroy";

/**
 * The events that we ask for. Without this filter, health probes alone make a dozen lines a second.
 * Podman says `died` and `remove` for `die` and `destroy`, and may tell of no `oom`; Docker ignores
 * words that it does not know. `update` is for services and nodes. `connect` and `disconnect` come from networks, which have no labels, so we can't filter by
 * label.
 */
export const EVENT_TYPES = ["container", "network", "service", "node"] as const;

export const EVENT_ACTIONS = [
  "create",
  "rename",
  "start",
  "health_status",
  "pause",
  "unpause",
  "kill",
  "oom",
  "die",
  "stop",
  "destroy",
  "died",
  "remove",
  "connect",
  "disconnect",
  "update",
] as const;

/**
 * Each of these alone ends a run: `die` and `stop` come in either order, and one may be missing.
 */
const RUN_OVER: ReadonlySet<string> = new Set(["die", "stop", "destroy", "died", "remove"]);

const RUN_FACTS: ReadonlyMap<string, RunFact> = new Map([
  ["start", "start"],
  ["health_status: healthy", "healthy"],
  ["kill", "kill"],
  ["oom", "oom"],
  ["die", "die"],
  ["died", "die"],
  ["stop", "stop"],
  ["destroy", "destroy"],
  ["remove", "destroy"],
]);

/**
 * Engine API `GET /events`. From 1.52 on an event has no `status`, `id` and `from`, so we use none.
 */
const WireEvent = z.object({
  Type: z.enum(EVENT_TYPES),
  Action: z.string(),
  Actor: z.object({ ID: z.string(), Attributes: z.nullish(z.record(z.string(), z.string())) }),
  timeNano: z.number(),
});

/** A line contains all labels of a container, and some people's labels are large. */
const LINE_BYTES_MAX = 4 * 1024 * 1024;
const LINE_FEED = 10;

/** The latest time that a `Date` can hold. No engine writes a later one. */
const TIME_MS_MAX = 8.64e15;

/**
 * Yields the events of all containers until the engine closes the stream, as it does when it
 * restarts. Source: Engine API `GET /events`, one JSON object a line. A line that is no event for
 * us is skipped, and so is a line of more than 4 MiB. The next resync finds what a skipped line
 * would have told.
 *
 * @param onLongLine called once for each line of more than 4 MiB
 * @throws what reading `body` throws
 */
export async function* readEvents(
  body: AsyncIterable<Uint8Array>,
  onLongLine: () => void = () => undefined,
): AsyncGenerator<EngineEvent> {
  const utf8 = new TextDecoder();
  const turn = new Turn();
  for await (const line of readLines(body, onLongLine)) {
    if (turn.isOver) await turn.next();
    const event = parseEvent(utf8.decode(line));
    if (event !== undefined) yield event;
  }
}

/**
 * Yields the lines without their line feeds, at a bounded cost a byte, whatever the sizes of the
 * pieces. The bytes of a line are valid until the next line is requested. A last line without a
 * line feed is dropped.
 */
async function* readLines(
  body: AsyncIterable<Uint8Array>,
  onLongLine: () => void,
): AsyncGenerator<Uint8Array> {
  const unfinished = new JoinedBytes();
  let isSkipping = false;
  const append = (part: Uint8Array): void => {
    if (isSkipping) return;
    isSkipping = unfinished.length + part.length > LINE_BYTES_MAX;
    if (!isSkipping) {
      unfinished.append(part);
      return;
    }
    unfinished.clear();
    onLongLine();
  };
  for await (const piece of body) {
    let from = 0;
    for (let end = piece.indexOf(LINE_FEED); end >= 0; end = piece.indexOf(LINE_FEED, from)) {
      append(piece.subarray(from, end));
      if (!isSkipping) yield unfinished.bytes;
      unfinished.clear();
      isSkipping = false;
      from = end + 1;
    }
    append(piece.subarray(from));
  }
}

function parseEvent(line: string): EngineEvent | undefined {
  const wire = WireEvent.safeParse(parseJson(line));
  if (!wire.success) return undefined;
  const { Type, Action, Actor, timeNano } = wire.data;
  const attributes = Actor.Attributes ?? {};
  const timeMs = timeNano / 1e6; // JSON.parse has rounded it to 256 ns: good enough here
  if (!(timeMs >= 0 && timeMs <= TIME_MS_MAX)) return undefined;
  if (Type === "service" || Type === "node") return { kind: "swarm changed", what: Type, timeMs };
  if (Type === "network") {
    const containerId = attributes["container"];
    return containerId === undefined
      ? undefined
      : { kind: "moved", containerId, attributes: {}, timeMs, ...NO_FACT };
  }
  const signal = Number(attributes["signal"] ?? Number.NaN);
  return {
    kind: kindOf(Action),
    containerId: Actor.ID,
    attributes,
    timeMs,
    signal: Number.isInteger(signal) ? signal : undefined,
    fact: RUN_FACTS.get(Action),
    exitCode: Action.startsWith("die") ? exitCodeOf(attributes["exitCode"]) : undefined,
  };
}

const NO_FACT = { signal: undefined, fact: undefined, exitCode: undefined } as const;

/** Linux has 0 to 255, Windows any 32 bits. Another text is that of a label. */
function exitCodeOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

/**
 * Docker sends `health_status: healthy` when the health has changed: inspect once. Podman sends
 * `health_status` at each probe, and before 5.0 or so with the state that the probe is about to
 * replace.
 */
function kindOf(action: string): ContainerEvent["kind"] {
  if (RUN_OVER.has(action)) return "run over";
  if (action === "health_status") return "probed";
  return action === "kill" ? "kill" : "changed";
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
