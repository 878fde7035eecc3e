/**
 * Answers what was true at a given time, according to the engine: whether a model was live, whether one of its
 * containers ran, and what explains a failed request. Each answer allows for the time that an event takes to
 * reach the proxy. Pure.
 */
import type { Member } from "./fleet.ts";
import type { History, Run, Span } from "./history.ts";

/** How long the proxy may take to act on an event, on a busy machine, ms. */
export const SLACK_MS = 500;
/** How long it may take when it must ask the engine first, and perhaps the server, ms. */
const LOOK_MS = 3_000;
/** The engine may show a container as running until it has cleaned up, or may not answer for that long. */
const CLEARED_UP_MS = 6_000;
/** The proxy stops reading from a container 5 s after the container is gone. */
const PENDING_READ_MS = 5_000;

export type TruthInit = {
  readonly members: readonly Member[];
  readonly history: History;
  /** PROXY_DRAIN_TIMEOUT. */
  readonly drainMs: number;
};

export class Truth {
  readonly #init: TruthInit;
  readonly #byShortId: ReadonlyMap<string, Member>;

  constructor(init: TruthInit) {
    this.#init = init;
    this.#byShortId = new Map(init.members.map((member) => [member.id.slice(0, 12), member]));
  }

  /** @param container an id, or at least its first twelve characters */
  member(container: string): Member | undefined {
    return this.#byShortId.get(container.slice(0, 12));
  }

  membersOf(model: string): readonly Member[] {
    return this.#init.members.filter(({ models }) => models.includes(model));
  }

  runs({ id }: Member): readonly Run[] {
    return this.#init.history.get(id) ?? [];
  }

  /** Whether a container served the model without a break. Then every other answer is wrong. */
  isLive(model: string, { fromMs, toMs }: Span): boolean {
    const untilMs = toMs + SLACK_MS;
    return this.membersOf(model).some((member) =>
      this.runs(member).some(
        ({ live, crashMs = Number.POSITIVE_INFINITY }) =>
          crashMs >= untilMs &&
          live.some((span) => span.fromMs + LOOK_MS <= fromMs && span.toMs >= untilMs),
      ),
    );
  }

  /**
   * Whether a container that had served the model ran, or was
   * about to restart, all that time. Then 404 is wrong.
   */
  isHeld(model: string, { fromMs, toMs }: Span): boolean {
    return this.membersOf(model).some(
      (member) =>
        this.#liveSpans(member).some((live) => isOlder(live, fromMs)) &&
        this.#aliveSpans(member).some(
          (alive) => alive.fromMs + LOOK_MS <= fromMs && alive.toMs >= toMs + SLACK_MS,
        ),
    );
  }

  /**
   * Whether a container that may have served the model may have run
   * at some point in that time. Then 503 is right.
   */
  mayBeHeld(model: string, { fromMs, toMs }: Span): boolean {
    return this.membersOf(model).some(
      (member) =>
        this.#liveSpans(member).some((live) => live.fromMs <= toMs + SLACK_MS) &&
        this.runs(member).some(
          (run) => run.fromMs <= toMs + SLACK_MS && run.clearedMs >= fromMs - CLEARED_UP_MS,
        ),
    );
  }

  /** Whether one of the containers was stopped, was dying, or reached its drain timeout at that time. */
  explainsFailure(members: readonly Member[], { fromMs, toMs }: Span): boolean {
    const touches = (from: number, to: number): boolean =>
      to >= fromMs - SLACK_MS && from <= toMs + SLACK_MS;
    return members.some((member) =>
      this.runs(member).some((run) => {
        const { noticeMs = Number.NaN, crashMs, killedMs } = run;
        const cutMs = noticeMs + this.#init.drainMs;
        const endsMs = crashMs ?? killedMs ?? run.toMs;
        return touches(noticeMs, noticeMs) || touches(cutMs, cutMs) || touches(endsMs, run.toMs);
      }),
    );
  }

  /** Whether the container was dying in a way that cuts answers, or reached its drain timeout, at that time. */
  explainsBreak(member: Member, atMs: number): boolean {
    return this.runs(member).some((run) => {
      const { noticeMs = Number.NaN, crashMs, killedMs } = run;
      if (Math.abs(atMs - noticeMs - this.#init.drainMs) <= SLACK_MS) return true;
      if (member.termMode === "drain" && run.exitCode === 0) return false; // it finished its work
      const signalledMs = member.termMode === "exit" ? noticeMs : Number.NaN;
      const from = Math.min(...[crashMs, killedMs, signalledMs, run.toMs].filter(isNumber));
      return atMs >= from - SLACK_MS && atMs <= run.toMs + PENDING_READ_MS + SLACK_MS;
    });
  }

  #liveSpans(member: Member): readonly Span[] {
    return this.runs(member).flatMap(({ live }) => live);
  }

  /** Its runs. Each includes the wait for the next run if the restart policy starts it again. */
  #aliveSpans(member: Member): readonly Span[] {
    const spans: Span[] = [];
    let before: Run | undefined;
    for (const run of this.runs(member)) {
      const again = before !== undefined && !before.signalled && member.restartPolicy === "always";
      const last = again ? spans.pop() : undefined;
      spans.push({ fromMs: last?.fromMs ?? run.fromMs, toMs: run.toMs });
      before = run;
    }
    return spans;
  }
}

function isNumber(value: number | undefined): value is number {
  return value !== undefined && !Number.isNaN(value);
}

/** Whether it was certainly routed some time before. */
function isOlder({ fromMs, toMs }: Span, thanMs: number): boolean {
  return toMs - fromMs >= LOOK_MS && fromMs + LOOK_MS + SLACK_MS <= thanMs;
}
