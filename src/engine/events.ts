/** Bytes of the engine's event stream → ContainerEvent. Wire names stop here. */
import { z } from "zod/mini";
import { JoinedBytes } from "../ground/joined-bytes.ts";
import { Turn } from "../ground/turn.ts";

export type ContainerEvent = {
  /**
   * `run over`: the process is gone. `kill`: a signal was sent, whatever came of it.
   * `moved`: connected to a network or disconnected. `changed`: look again. `probed`: look again, and
   * once more shortly after: what came of the probe may not be there yet (Podman).
   */
  readonly kind: "run over" | "kill" | "moved" | "changed" | "probed";
  readonly containerId: string;
  /** With all labels of the container among them; those of networks (`moved`) show none, whoever moved. */
  readonly attributes: Readonly<Record<string, string>>;
  /** The engine's own time, ms since the epoch with fractions. */
  readonly timeMs: number;
  /** Number of the signal of a `kill`; Podman does not tell it. */
  readonly signal: number | undefined;
};

/**
 * Asked for in the query: unfiltered, health probes alone make a dozen lines a second. `died` and
 * `remove` are what Podman calls `die` and `destroy`; Docker ignores words it does not know.
 * `connect` and `disconnect` come from networks and have no labels, so labels are not asked for.
 */
export const EVENT_ACTIONS = [
  "create",
  "rename",
  "start",
  "health_status",
  "pause",
  "unpause",
  "kill",
  "die",
  "stop",
  "destroy",
  "died",
  "remove",
  "connect",
  "disconnect",
] as const;

/** `die` and `stop` come in either order, and one of them may be missing: each alone is enough. */
const RUN_OVER: ReadonlySet<string> = new Set(["die", "stop", "destroy", "died", "remove"]);

/** Engine API `GET /events`; from 1.52 on without `status`, `id` and `from`. */
const WireEvent = z.object({
  Type: z.enum(["container", "network"]),
  Action: z.string(),
  Actor: z.object({ ID: z.string(), Attributes: z.nullish(z.record(z.string(), z.string())) }),
  timeNano: z.number(),
});

/** A line holds all labels of a container, and those are not small with everybody. */
const LINE_BYTES_MAX = 4 * 1024 * 1024;
const LINE_FEED = 10;

/** The last time that there is for a Date; what comes after it was never written by an engine. */
const TIME_MS_MAX = 8.64e15;

/**
 * Yields the events of all containers until the engine closes the stream (it restarts: normal).
 * Source: Engine API `GET /events`, one JSON object a line. A line that is no event of ours is
 * passed over: what it may have hidden is found by the next resync. So is a line of more than 4 MiB.
 *
 * @param onLongLine called once for each such line
 * @throws what reading `body` throws
 */
export async function* readEvents(
  body: AsyncIterable<Uint8Array>,
  onLongLine: () => void = () => undefined,
): AsyncGenerator<ContainerEvent> {
  const utf8 = new TextDecoder();
  const turn = new Turn();
  for await (const line of readLines(body, onLongLine)) {
    if (turn.isOver) await turn.next();
    const event = parseEvent(utf8.decode(line));
    if (event !== undefined) yield event;
  }
}

/**
 * Looks at each byte once and copies it once, whatever the sizes of the pieces. A line is good until
 * the next one is asked for; one that does not end is none.
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

function parseEvent(line: string): ContainerEvent | undefined {
  const wire = WireEvent.safeParse(parseJson(line));
  if (!wire.success) return undefined;
  const { Type, Action, Actor, timeNano } = wire.data;
  const attributes = Actor.Attributes ?? {};
  const timeMs = timeNano / 1e6; // JSON.parse has rounded it to 256 ns; nothing here needs better
  if (!(timeMs >= 0 && timeMs <= TIME_MS_MAX)) return undefined;
  if (Type === "network") {
    const containerId = attributes["container"];
    return containerId === undefined
      ? undefined
      : { kind: "moved", containerId, attributes: {}, timeMs, signal: undefined };
  }
  const signal = Number(attributes["signal"] ?? Number.NaN);
  return {
    kind: kindOf(Action),
    containerId: Actor.ID,
    attributes,
    timeMs,
    signal: Number.isInteger(signal) ? signal : undefined,
  };
}

/**
 * Docker says `health_status: healthy` when health has changed. Podman says `health_status` at each
 * probe, before 5.0 or so with the state that the probe is about to replace.
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
