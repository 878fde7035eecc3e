/** The constructor arguments of `ContainerLoop`. Types only. */
import type { Container } from "../../engine/container.ts";
import type { BugReport } from "../../telemetry/bug-report.ts";
import type { Log } from "../../telemetry/log.ts";
import type { WarnOnce } from "../../telemetry/warn-once.ts";
import type { SightingListener } from "../sighting.ts";
import type { Surroundings } from "./observe.ts";
import type { RunHistory } from "./run-history.ts";
import type { StopNotices } from "./stop-notices.ts";

export type ContainerLoopInit = {
  readonly listener: SightingListener;
  readonly notices: StopNotices;
  /** The source records each event here before it passes the event to the loop. */
  readonly history: RunHistory;
  readonly warnings: WarnOnce;
  readonly log: Log;
  readonly bugs: BugReport;
  /** @throws {EngineError} if the call fails */
  readonly inspect: (id: string) => Promise<Container | undefined>;
  /** The engine's time, ms since the epoch. Times of events and starts are in this time. */
  readonly engineNowMs: () => number;
  readonly around: () => Pick<Surroundings, "place" | "itself">;
  /** Resolves when the event stream has been open for long enough to look at a container. */
  readonly settled: () => Promise<void>;
  /** The minimum time between the starts of two looks, ms. */
  readonly lookPaceMs: number;
  /** Called when the container no longer exists and no look is due. */
  readonly onGone: () => void;
};
