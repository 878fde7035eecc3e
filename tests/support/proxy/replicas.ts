/** A proxy in front of replicas of the model `m`: real servers that answer, or break, as the test says. */
import { expect } from "bun:test";
import type { Backend } from "../../../src/routing/backend.ts";
import { Load } from "../../../src/routing/load.ts";
import { makeBackend } from "../server/backends.ts";
import type { FakeBackend } from "../server/scripted.ts";
import { until } from "../until.ts";
import { type RunningProxy, startProxy } from "./in-process.ts";

export type Replicas = RunningProxy & {
  /** In the order in which they are asked as long as nobody knows a prompt and none is busier. */
  readonly backends: readonly Backend[];
};

type Init = Parameters<typeof startProxy>[0] & { readonly maxInFlight?: number };

/** @param origins of the servers, in the order in which they are to be asked */
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

/** How many requests each of them has got. */
export function counts(...servers: readonly FakeBackend[]): readonly number[] {
  return servers.map(({ received }) => received.length);
}

/** Each lease has ended, and has given back what it took. */
export async function expectNothingLeft({ backends }: Replicas): Promise<void> {
  await until("all leases have ended", () => backends.every(({ inFlight }) => inFlight === 0));
  for (const { load } of backends) expect([load.inFlight, load.unreadBytes]).toEqual([0, 0]);
}
