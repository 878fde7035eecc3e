/** A proxy in front of replicas of the model `m`: real servers that answer or fail as the test wants. */
import { expect } from "bun:test";
import type { Backend } from "../../../src/routing/backend.ts";
import { Load } from "../../../src/routing/load.ts";
import { makeBackend } from "../server/backends.ts";
import type { FakeBackend } from "../server/scripted.ts";
import { until } from "../until.ts";
import { type RunningProxy, startProxy } from "./in-process.ts";

export type Replicas = RunningProxy & {
  /** In the order in which the proxy chooses them while no replica knows a prompt and all are equally busy. */
  readonly backends: readonly Backend[];
};

type Init = Parameters<typeof startProxy>[0] & { readonly maxInFlight?: number };

/** @param origins of the servers, in the order in which the proxy is to choose them */
export function startReplicas(
  origins: readonly string[],
  { maxInFlight, ...init }: Init = {},
): Replicas {
  const backends = origins.map((origin, index) =>
    makeBackend({
      origin,
      name: `gpu-${index}`,
      rank: -index,
      isReplica: true,
      load: new Load(maxInFlight),
    }),
  );
  return { ...startProxy({ ...init, backends }), backends };
}

/** How many requests each server has received. */
export function counts(...servers: readonly FakeBackend[]): readonly number[] {
  return servers.map(({ received }) => received.length);
}

/** Checks that each lease has ended and has returned its bytes. */
export async function expectNothingLeft({ backends }: Replicas): Promise<void> {
  await until("all leases have ended", () => backends.every(({ inFlight }) => inFlight === 0));
  for (const { load } of backends) expect([load.inFlight, load.unreadBytes]).toEqual([0, 0]);
}
