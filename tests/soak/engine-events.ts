/** Records the engine's container events, in the engine's words and with the engine's times. */
import { readLines } from "../support/process/read-lines.ts";

export type EngineEvent = {
  readonly containerId: string;
  /** `start`, `kill`, `die`, `health_status: healthy` …; `crash` is our own. */
  readonly action: string;
  /** Only in a `kill`. */
  readonly signal: number | undefined;
  /** Only in a `die`. */
  readonly exitCode: number | undefined;
  /** The time, ms since the epoch. */
  readonly atMs: number;
};

export type EventFollower = AsyncDisposable & {
  /** All events since the call of `followEvents`, in the order of their arrival. */
  readonly events: readonly EngineEvent[];
  /** Adds our own event for something that the engine does not report, or reports late. */
  readonly add: (containerId: string, action: string, atMs: number) => void;
};

const ACTIONS = ["start", "kill", "die", "stop", "destroy", "pause", "unpause", "health_status"];

type WireEvent = {
  readonly Action: string;
  readonly Actor: {
    readonly ID: string;
    readonly Attributes: Readonly<Record<string, string>>;
  };
  readonly timeNano: number;
};

/**
 * Follows events with the docker command line, because the
 * proxy's own code must not be used to judge the proxy.
 */
export function followEvents(): EventFollower {
  const filters = ["type=container", ...ACTIONS.map((action) => `event=${action}`)];
  const since = String(Math.floor(Date.now() / 1000));
  const child = Bun.spawn(
    [
      ...["docker", "events", "--since", since, "--format", "{{json .}}"],
      ...filters.flatMap((filter) => ["--filter", filter]),
    ],
    { stdin: "ignore", stdout: "pipe", stderr: "inherit" },
  );
  const events: EngineEvent[] = [];
  void readLines(child.stdout, (line) => events.push(parseEvent(line)));
  return {
    events,
    add: (containerId, action, atMs) =>
      events.push({ containerId, action, signal: undefined, exitCode: undefined, atMs }),
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await child.exited;
    },
  };
}

function parseEvent(line: string): EngineEvent {
  const { Action, Actor, timeNano } = JSON.parse(line) as WireEvent;
  const number = (name: string): number | undefined => {
    const text = Actor.Attributes[name];
    return text === undefined ? undefined : Number(text);
  };
  return {
    containerId: Actor.ID,
    action: Action,
    signal: number("signal"),
    exitCode: number("exitCode"),
    atMs: timeNano / 1e6,
  };
}
