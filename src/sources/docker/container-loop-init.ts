/** What the loop of one container is given when it is made: types alone. */
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
  /** Events are in it before the loop gets them. */
  readonly history: RunHistory;
  readonly warnings: WarnOnce;
  readonly log: Log;
  readonly bugs: BugReport;
  /** @throws {EngineError} if the engine can't tell; then nothing was seen */
  readonly inspect: (id: string) => Promise<Container | undefined>;
  /** The engine's time, ms since the epoch. The engine times events and starts by this clock. */
  readonly engineNowMs: () => number;
  readonly around: () => Pick<Surroundings, "place" | "itself">;
  /** Resolves when the event stream has been open for long enough to look at a container. */
  readonly settled: () => Promise<void>;
  /** The least time from the start of one look to the start of the next, ms. */
  readonly lookPaceMs: number;
  /** Called when the container no longer exists, and no look at it is due. */
  readonly onGone: () => void;
};
