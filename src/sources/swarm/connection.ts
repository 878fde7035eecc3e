/**
 * Decides from the answers of an engine whether it is a swarm manager, and reports the state of the
 * swarm in the log and in `GET /status`. Source: issue 20, facts section 3. It sends no requests.
 */

import type { EngineError } from "../../engine/error.ts";
import { sentence } from "../../ground/sentence.ts";
import type { SwarmStatus } from "../../status.ts";
import type { Log } from "../../telemetry/log.ts";

/**
 * - `undecided`: the engine has not answered yet. Meanwhile the proxy routes the containers of tasks as
 *   ordinary containers.
 * - `manager`: it has reported tasks. Later failures do not change that.
 * - `none`: it is a worker, or in no swarm.
 * - `forbidden`: a socket proxy does not allow the requests.
 */
type Mode = "undecided" | "manager" | "none" | "forbidden";

const ALLOW =
  "the socket proxy forbids requests for the tasks of the swarm, so the proxy routes only to the tasks on this node, as ordinary containers with their container labels; set SERVICES=1 TASKS=1 NODES=1 in the socket proxy";

/**
 * How long containers wait for the first answer, because they may belong to tasks. A manager answers in
 * 3 ms (measured).
 */
const DECIDE_MS = 1_000;

export class SwarmConnection {
  readonly #log: Log;
  readonly #decided = Promise.withResolvers<void>();
  #mode: Mode = "undecided";
  #sinceMs = Date.now();
  /** Why the last read failed; undefined if it succeeded. */
  #failure: string | undefined;
  #hasTaskContainers = false;
  #hasToldOfRefusal = false;
  #isAwaited = true;
  #late: Timer | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Resolves when the first attempt has succeeded or failed, or takes too long. */
  get decided(): Promise<void> {
    return this.#decided.promise;
  }

  /** True before the engine's first answer, while the other source does not route its tasks as containers yet. */
  get isNew(): boolean {
    return this.#isAwaited && this.#mode === "undecided" && this.#failure === undefined;
  }

  /** True if it may report tasks at any moment: it is a manager, or has not answered yet. */
  get isExpected(): boolean {
    return this.isManager || this.#mode === "undecided";
  }

  get isManager(): boolean {
    return this.#mode === "manager";
  }

  /** True if it is a manager and the last read succeeded. */
  get isAnswering(): boolean {
    return this.isManager && this.#failure === undefined;
  }

  /** The status without the services, which this class does not know. Null if there is nothing to report. */
  get status(): Omit<SwarmStatus, "services"> | null {
    const since = new Date(this.#sinceMs).toISOString();
    if (this.isManager) {
      const { isAnswering } = this;
      return { state: isAnswering ? "followed" : "lost", reason: this.#failure ?? null, since };
    }
    const isForbidden = this.#mode === "forbidden" && this.#hasTaskContainers;
    return isForbidden ? { state: "forbidden", reason: ALLOW, since } : null;
  }

  /** The engine has reported services and tasks. */
  answered(): void {
    const wasLost = this.#failure !== undefined;
    this.#failure = undefined;
    if (!this.isManager) {
      this.#become("manager");
      this.#log.info("swarm followed");
    } else if (wasLost) {
      this.#sinceMs = Date.now();
      this.#log.info("swarm reconnected");
    }
  }

  failed(error: EngineError): void {
    const mode = modeAfter(error, this.isManager);
    if (mode !== undefined) {
      if (this.isManager)
        this.#log.warn("swarm left", { reason: `${sentence(error.message)} ${ONLY_THIS_NODE}` });
      if (mode !== this.#mode) this.#become(mode);
      this.#failure = undefined;
      this.#warnIfForbidden();
    } else {
      if (this.#failure === undefined) this.#lost(error.message);
      this.#failure = error.message;
    }
  }

  /** The first request goes to the engine. After `decideMs` the containers no longer wait for the answer. */
  asking(decideMs = DECIDE_MS): void {
    this.#late = setTimeout(() => {
      this.#isAwaited = false; // until the answer, the other source routes tasks as containers
      this.#decided.resolve();
    }, decideMs);
    this.#late.unref();
  }

  /** An attempt has succeeded or failed. */
  tried(): void {
    clearTimeout(this.#late);
    this.#decided.resolve();
  }

  /** A container of this engine belongs to a task. */
  sawTaskContainer(): void {
    this.#hasTaskContainers = true;
    this.#warnIfForbidden();
  }

  #lost(reason: string): void {
    if (!this.isManager) return;
    this.#sinceMs = Date.now();
    this.#log.warn("swarm lost", {
      reason: `${sentence(reason)} The proxy keeps routing to the tasks that it knows.`,
    });
  }

  #become(mode: Mode): void {
    this.#mode = mode;
    this.#sinceMs = Date.now();
    this.#decided.resolve();
  }

  #warnIfForbidden(): void {
    if (this.#mode !== "forbidden" || !this.#hasTaskContainers || this.#hasToldOfRefusal) return;
    this.#hasToldOfRefusal = true;
    this.#log.warn("swarm forbidden", { reason: ALLOW });
  }
}

const ONLY_THIS_NODE =
  "The engine is no longer a manager of the swarm. From now on the proxy routes only to containers of this node.";

/** @returns undefined if the failure says nothing about the engine's role */
function modeAfter({ kind, status = 0 }: EngineError, isManager: boolean): Mode | undefined {
  if (kind === "forbidden") return "forbidden";
  if (kind === "not a manager") return "none";
  // A manager that cannot answer now says 500 or 503. Other answers come from an engine without swarm
  // support, such as Podman, or from a server in front of a manager.
  return kind === "refused" && status < 500 && !isManager ? "none" : undefined;
}
