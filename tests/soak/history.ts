/** The history of each container, as the engine reported it. Pure. */
import type { EngineEvent } from "./engine-events.ts";

/** Times in ms since the epoch. `toMs` is Infinity while the span continues. */
export type Span = { readonly fromMs: number; toMs: number };

/** One run of a container's process. */
export type Run = Span & {
  /** When it was healthy, and neither paused nor stopping. */
  readonly live: readonly Span[];
  /** When the engine reported its end, which may be seconds after the end. */
  readonly clearedMs: number;
  /** When the soak made it crash. The engine notices that later. */
  readonly crashMs: number | undefined;
  /** When it got SIGKILL. It is dead from then on, even if the engine reports it later. */
  readonly killedMs: number | undefined;
  /** The first stop notice. */
  readonly noticeMs: number | undefined;
  /** Whether the engine has sent it a signal. Then its restart policy no longer applies. */
  readonly signalled: boolean;
  readonly exitCode: number | undefined;
};

export type History = ReadonlyMap<string, readonly Run[]>;

type OpenRun = { -readonly [Key in keyof Run]: Key extends "live" ? Span[] : Run[Key] };

const SIGKILL = 9;
const STOP_SIGNALS: ReadonlySet<number | undefined> = new Set([2, 3, SIGKILL, 15]);

/** @returns the runs of each container, oldest first */
export function historyOf(events: readonly EngineEvent[]): History {
  const history = new Map<string, OpenRun[]>();
  for (const event of events) {
    const runs = history.get(event.containerId) ?? [];
    history.set(event.containerId, runs);
    if (event.action === "start") runs.push(newRun(event.atMs));
    else apply(event, runs.at(-1));
  }
  return history;
}

function newRun(fromMs: number): OpenRun {
  return {
    fromMs,
    toMs: Number.POSITIVE_INFINITY,
    live: [],
    clearedMs: Number.POSITIVE_INFINITY,
    crashMs: undefined,
    killedMs: undefined,
    noticeMs: undefined,
    signalled: false,
    exitCode: undefined,
  };
}

function apply({ action, signal, exitCode, atMs }: EngineEvent, run: OpenRun | undefined): void {
  if (run === undefined) return;
  switch (action) {
    case "health_status: healthy":
      if (run.noticeMs === undefined && run.crashMs === undefined)
        run.live.push({ fromMs: atMs, toMs: run.toMs });
      break;
    case "health_status: unhealthy":
    case "pause":
      endLive(run, atMs);
      break;
    case "crash":
      run.crashMs ??= atMs;
      break;
    case "kill":
      run.signalled = true;
      if (signal === SIGKILL) run.killedMs ??= atMs;
      if (!STOP_SIGNALS.has(signal)) break;
      run.noticeMs ??= atMs;
      endLive(run, atMs);
      break;
    case "die":
    case "stop":
    case "destroy":
      run.toMs = Math.min(run.toMs, atMs);
      run.clearedMs = atMs;
      run.exitCode ??= exitCode;
      endLive(run, atMs);
      break;
  }
}

function endLive(run: OpenRun, atMs: number): void {
  const last = run.live.at(-1);
  if (last !== undefined) last.toMs = Math.min(last.toMs, atMs);
}
