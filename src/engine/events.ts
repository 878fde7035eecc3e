/**
 * Parses the engine's event stream, from bytes to `EngineEvent`. Names of the wire format stay
 * inside this file. It does not know what the proxy does about an event.
 */
import { z } from "zod/mini";
import { JoinedBytes } from "../ground/joined-bytes.ts";
import { Turn } from "../ground/turn.ts";

export type ContainerEvent = {
  /**
   * `run over`: the process has ended. `kill`: a signal was sent, with any effect or none. `moved`:
   * the container was connected to a network, or disconnected. `changed`: inspect the container.
   * `probed`: inspect it now and once more shortly after, because Podman may not have stored the
   * probe's result yet.
   */
  readonly kind: "run over" | "kill" | "moved" | "changed" | "probed";
  readonly containerId: string;
  /**
   * They contain all labels of the container. They are empty for `moved`, because network events
   * have no labels.
   */
  readonly attributes: Readonly<Record<string, string>>;
  /** Time of the event by the engine's own clock, ms since the epoch with fractions. */
  readonly timeMs: number;
  /**
   * Number of the signal of a `kill`. Undefined if the engine does not report it; Podman does not.
   */
  readonly signal: number | undefined;
  /** What the event says about a run, in Docker's words; undefined if it says nothing about a run. */
  readonly fact: RunFact | undefined;
  /**
   * Exit code of a `die`; undefined if the engine does not report it. A label named `exitCode`
   * replaces it, because Docker merges labels into the attributes of its events.
   */
  readonly exitCode: number | undefined;
};

/** A service or a node of a swarm has changed. Only managers send this. No event reports tasks. */
export type SwarmEvent = {
  readonly kind: "swarm changed";
  readonly what: "service" | "node";
  /** Time of the event by the engine's own clock, ms since the epoch with fractions. */
  readonly timeMs: number;
};

export type EngineEvent = ContainerEvent | SwarmEvent;

/**
 * `die`: the process has ended. `stop`: a `docker stop` has finished. `oom`: the kernel killed one of
 * its processes because memory ran out. `healthy`: a health check has passed, and it is the first
 * one or the one before it failed.
 */
export type RunFact = "start" | "healthy" | "kill" | "oom" | "die" | "stop" | "destroy";

/**
 * The events that we ask for. Without this filter, health probes alone make a dozen lines a second.
 * Podman says `died` and `remove` instead of `die` and `destroy`, and may not send `oom`. Docker
 * ignores words that it does not know. `update` is for services and nodes. `connect` and
 * `disconnect` are network events. Networks have no labels of containers, so we can't filter by label.
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
 * Each of these alone ends a run. `die` and `stop` come in either order, and one may be missing.
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
 * Engine API `GET /events`. We do not use `status`, `id` and `from`: API 1.52 has removed them.
 */
const WireEvent = z.object({
  Type: z.enum(EVENT_TYPES),
  Action: z.string(),
  Actor: z.object({ ID: z.string(), Attributes: z.nullish(z.record(z.string(), z.string())) }),
  timeNano: z.number(),
});

/** A line contains all labels of a container, and labels can be large. */
const LINE_BYTES_MAX = 4 * 1024 * 1024;
const LINE_FEED = 10;

/** The latest time that a `Date` can hold. No engine writes a later one. */
const TIME_MS_MAX = 8.64e15;

/**
 * Yields the events of all containers until the engine closes the stream, for example at its
 * restart. Source: Engine API `GET /events`, one JSON object a line. It skips lines that are not
 * events for us, and lines of more than 4 MiB. The next resync finds any change that a skipped line
 * reported.
 *
 * @param onLongLine called once for each line of more than 4 MiB
 * @throws any error that reading `body` throws
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
 * Yields the lines without their line feeds. The cost per byte is bounded, whatever the sizes of the
 * pieces are. The bytes of a line are valid until the caller asks for the next line. It drops a last
 * line without a line feed.
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

/** Linux has 0 to 255, Windows has any 32-bit number. Any other text comes from a label. */
function exitCodeOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

/**
 * Docker sends `health_status: healthy` when the health has changed: one inspect is enough. Podman
 * sends `health_status` at each probe. Podman before about 5.0 sends it before it stores the new
 * state.
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
