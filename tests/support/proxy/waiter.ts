/** Waiters for the waiting room without a request: the test decides the results of their tries. */
import { type Tried, type Waiter, WaitingRoom } from "../../../src/proxy/waiting-room.ts";
import type { WaitOutcome } from "../../../src/telemetry/telemetry.ts";
import { type MemoryLog, memoryLog } from "./memory-log.ts";

type RoomInit = { readonly timeoutMs?: number; readonly waitersMax?: number };

export function makeRoom(init: RoomInit = {}): {
  readonly room: WaitingRoom;
  readonly log: MemoryLog;
} {
  const log = memoryLog();
  return { room: new WaitingRoom({ timeoutMs: 60_000, log, ...init }), log };
}

export const routed = (value: number): Tried<number> => ({ kind: "routed", value });

let arrivals = 0;

type Init = Partial<Waiter<number>> & { readonly outcomes?: WaitOutcome[] };

/** A waiter behind all earlier ones. By default it waits for the model `m` in vain. */
export function waiter({ outcomes = [], ...init }: Init = {}): Waiter<number> {
  arrivals += 1;
  return {
    model: "m",
    lane: "",
    signal: new AbortController().signal,
    patienceMs: 60_000,
    arrival: arrivals,
    reason: "its server is starting",
    waits: () => (outcome) => void outcomes.push(outcome),
    attempt: () => ({ kind: "waits" }),
    ...init,
  };
}
