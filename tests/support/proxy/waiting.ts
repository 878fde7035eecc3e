/**
 * A proxy with a waiting room, in front of servers of the model `m` that the test admits and drains by hand.
 */
import { WaitingRoom, type WaitingRoomInit } from "../../../src/proxy/waiting-room.ts";
import type { Backend } from "../../../src/routing/backend.ts";
import { Load } from "../../../src/routing/load.ts";
import { makeBackend } from "../server/backends.ts";
import { until } from "../until.ts";
import { startProxy } from "./in-process.ts";
import { type MemoryLog, memoryLog } from "./memory-log.ts";

type ProxyInit = Parameters<typeof startProxy>[0];

export type PatientProxy = ReturnType<typeof startProxy> & {
  readonly room: WaitingRoom;
  /** The waiting room's log. */
  readonly roomLog: MemoryLog;
  /** Resolves when this many requests wait for a model. */
  readonly untilWaiting: (count: number, model?: string) => Promise<void>;
};

export function startPatientProxy(
  backends: readonly Backend[],
  { timeoutMs = 60_000, waitersMax, ...init }: Partial<WaitingRoomInit> & ProxyInit = {},
): PatientProxy {
  const limits = waitersMax === undefined ? {} : { waitersMax };
  const log = memoryLog();
  const room = new WaitingRoom({ timeoutMs, log, ...limits });
  const proxy = startProxy({ ...init, backends, waitingRoom: room });
  return {
    ...proxy,
    roomLog: log,
    room,
    untilWaiting: (count, model = "m") =>
      until(`${count} requests wait for ${model}`, () => (room.counts.get(model) ?? 0) === count),
    [Symbol.dispose]: () => {
      room.close();
      proxy[Symbol.dispose]();
    },
  };
}

/** A backend of the model `m` that takes one request at a time. */
export function narrow(origin: string, maxInFlight = 1): Backend {
  return makeBackend({ origin, load: new Load(maxInFlight) });
}
