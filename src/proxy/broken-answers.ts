/**
 * Logs which answers and WebSockets broke off, which requests failed before an answer began, and why. When a server
 * ends, all its answers break at once, and its source knows the reason moments later. So a line waits for both and
 * counts the failures. The same failure of a run is logged once a minute at most. No client waits for this: the proxy
 * ends the connection or sends the 502 independently.
 */
import { durationText } from "../ground/duration-text.ts";
import { failureWords, isOfConnection, NO_CONNECTION, RUN_OVER } from "../ground/failure-words.ts";
import type { Backend } from "../routing/backend.ts";
import type { Ending } from "../routing/ending.ts";
import type { RunEnd } from "../routing/run.ts";
import type { Log } from "../telemetry/log.ts";
import type { LogEvent } from "../telemetry/log-events.ts";
import { type AbortReason, PATIENCE } from "./upstream-abort.ts";

export type BrokenAnswersInit = {
  readonly log: Log;
  /** How long answers and WebSockets of a stopped backend may continue, ms. Without it the log names no time. */
  readonly drainTimeoutMs?: number;
  /** How long a line waits for more failures of the same kind, and for the run's end, ms. */
  readonly gatherMs?: number;
  /** The shortest time between two lines about the same failure of a run, ms. */
  readonly quietMs?: number;
};

export type Broken = {
  /** What broke off: an answer, a WebSocket, or a request before its answer began. */
  readonly what: "answer" | "request" | "websocket";
  readonly model: string | undefined;
  readonly error: unknown;
  readonly abortReason: AbortReason | undefined;
  /** How long the answer or the WebSocket had lasted, ms. Undefined for a request. */
  readonly afterMs?: number;
};

const QUIET_MS = 60_000;

export class BrokenAnswers {
  readonly #init: Required<Omit<BrokenAnswersInit, "drainTimeoutMs">>;
  readonly #timeIsUp: string;
  /** The key is shared by all backends of a run. Each run has nine incidents at most. */
  readonly #incidents = new WeakMap<Ending, Map<string, Incident>>();
  /** Incidents with failures that are not logged yet. */
  readonly #open = new Set<Incident>();

  constructor(init: BrokenAnswersInit) {
    const { log, drainTimeoutMs, gatherMs = PATIENCE.runEndMs, quietMs = QUIET_MS } = init;
    this.#init = { log, gatherMs, quietMs };
    const time = drainTimeoutMs === undefined ? "" : ` of ${durationText(drainTimeoutMs)}`;
    this.#timeIsUp = `the drain timeout${time} expired`;
  }

  add(backend: Backend, broken: Broken): void {
    const incident = this.#incidentOf(backend, broken);
    if (!incident.add(backend.name, broken)) return;
    this.#open.add(incident);
    void this.#tellLater(incident);
  }

  /** Logs all waiting incidents at once. The process is about to end. */
  flush(): void {
    for (const incident of this.#open) this.#tell(incident);
  }

  #incidentOf({ ending }: Backend, broken: Broken): Incident {
    let ofRun = this.#incidents.get(ending);
    if (ofRun === undefined) {
      ofRun = new Map();
      this.#incidents.set(ending, ofRun);
    }
    const cause = causeOf(broken);
    const key = `${cause} ${broken.what}`;
    let incident = ofRun.get(key);
    if (incident === undefined) {
      incident = new Incident(broken.what, cause, ending);
      ofRun.set(key, incident);
    }
    return incident;
  }

  async #tellLater(incident: Incident): Promise<void> {
    const { gatherMs, quietMs } = this.#init;
    await Bun.sleep(gatherMs);
    for (;;) {
      const restMs = incident.restMs(quietMs);
      if (restMs <= 0) return this.#tell(incident);
      await (incident.ending.end === undefined ? incident.ending.known(restMs) : Bun.sleep(restMs));
    }
  }

  #tell(incident: Incident): void {
    this.#open.delete(incident);
    const told = incident.tell(this.#timeIsUp);
    if (told === undefined) return;
    const { container, model, count, reason } = told;
    const { event, counted } = LINES[incident.what];
    this.#init.log.warn(event, { container, model, [counted]: count, reason });
  }
}

type Line = {
  readonly event: LogEvent;
  /** The field with the count. */
  readonly counted: string;
  /** The noun for one of them, in the text about how long it had lasted. */
  readonly one: string;
};

const LINES: Readonly<Record<Broken["what"], Line>> = {
  answer: {
    event: "answers broken off",
    ...{ counted: "answers", one: "answer" },
  },
  request: {
    event: "requests failed",
    ...{ counted: "requests", one: "request" },
  },
  websocket: {
    event: "websockets broken off",
    ...{ counted: "websockets", one: "connection" },
  },
};

/**
 * - `cut`: the proxy ended it, because the drain timeout expired.
 * - `connection`: its connection failed. If its server ended, that is the reason.
 * - `other`: the proxy could not pass the server's answer on, or the proxy failed.
 */
type Cause = "cut" | "connection" | "other";

function causeOf({ error, abortReason }: Broken): Cause {
  if (abortReason === "cut") return "cut";
  return abortReason !== undefined || isOfConnection(error) ? "connection" : "other";
}

type Told = {
  readonly container: string;
  /** Undefined if several models are affected. */
  readonly model: string | undefined;
  readonly count: number;
  readonly reason: string;
};

/** The most reasons in one line. */
const REASONS_MAX = 3;

/** Failures of one run that have the same cause and are not logged yet. */
class Incident {
  readonly what: Broken["what"];
  readonly ending: Ending;
  readonly #cause: Cause;
  #container = "";
  #count = 0;
  #longestMs: number | undefined;
  #models = new Set<string | undefined>();
  #words = new Set<string>();
  #saidMs = Number.NEGATIVE_INFINITY;
  /** True if the last line said how the run ended. */
  #saidEnd = false;

  constructor(what: Broken["what"], cause: Cause, ending: Ending) {
    this.what = what;
    this.#cause = cause;
    this.ending = ending;
  }

  /** @returns true if this is the first failure since the last line */
  add(container: string, broken: Broken): boolean {
    const { model, afterMs } = broken;
    this.#container = container;
    this.#count += 1;
    if (this.#models.size < 2) this.#models.add(model);
    if (this.#words.size < REASONS_MAX) this.#words.add(wordsOf(broken));
    if (afterMs !== undefined) this.#longestMs = Math.max(this.#longestMs ?? 0, afterMs);
    return this.#count === 1;
  }

  /** The time until the next line may be written, ms. News of the run's end never waits. */
  restMs(quietMs: number): number {
    const isNews = this.#end !== undefined && !this.#saidEnd;
    return isNews ? 0 : this.#saidMs + quietMs - performance.now();
  }

  /** @returns the content of the next line; undefined if nothing failed since the last one */
  tell(timeIsUp: string): Told | undefined {
    if (this.#count === 0) return undefined;
    const model = this.#models.size === 1 ? [...this.#models][0] : undefined;
    const reason = this.#cause === "cut" ? timeIsUp : this.#reason();
    const told = { container: this.#container, model, count: this.#count, reason };
    this.#saidMs = performance.now();
    this.#saidEnd = this.#end !== undefined;
    this.#count = 0;
    this.#longestMs = undefined;
    this.#models = new Set();
    this.#words = new Set();
    return told;
  }

  /** How the run ended, if that explains the failures. */
  get #end(): RunEnd | undefined {
    return this.#cause === "connection" ? this.ending.end : undefined;
  }

  #reason(): string {
    const when = this.#when();
    const end = this.#end;
    if (end !== undefined) return `its container ${endWords(end, when)}`;
    const words = `${[...this.#words].join(", or ")}${when}`;
    if (this.#cause === "other" || this.#words.has(RUN_OVER)) return words;
    return `${words}; its container ${this.ending.isStopping ? "was told to stop" : "still seems to run"}`;
  }

  #when(): string {
    if (this.#longestMs === undefined) return "";
    const { one } = LINES[this.what];
    return ` ${durationText(this.#longestMs)} into the ${this.#count === 1 ? one : `longest of the ${one}s`}`;
  }
}

function wordsOf({ error, abortReason }: Broken): string {
  if (abortReason === "run-over") return RUN_OVER;
  return abortReason === "connect timed out" ? NO_CONNECTION : failureWords(error);
}

/** Advice may follow after a colon or a semicolon. The time goes before it. */
function endWords({ kind, brief, reason }: RunEnd, when: string): string {
  const words = kind === "unknown" ? brief : reason;
  const end = words.search(/[:;] /);
  // These words end with a time or a comma: a comma separates this time from them.
  const then = kind === "killed" && when !== "" ? `,${when}` : when;
  return end < 0 ? words + then : words.slice(0, end) + then + words.slice(end);
}
