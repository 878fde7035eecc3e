/** What a running proxy reports about waiting requests. */
import { until } from "../until.ts";
import type { CompiledProxy } from "./compiled.ts";

/** How many requests wait for a model, from GET /status. */
async function waitingFor(origin: string, model: string): Promise<number> {
  const response = await fetch(`${origin}/status`, { keepalive: false });
  const { models } = (await response.json()) as {
    readonly models: readonly { readonly id: string; readonly waiting: number }[];
  };
  return models.find(({ id }) => id === model)?.waiting ?? 0;
}

export function untilWaiting(
  { origin }: CompiledProxy,
  model: string,
  count: number,
  boundMs = 10_000,
): Promise<void> {
  const holds = async (): Promise<boolean> => (await waitingFor(origin, model)) === count;
  return until(`${count} requests wait for ${model}`, holds, boundMs);
}

export type Wait = { readonly requests: number; readonly longestS: number };

/** The log's entries about finished waiting times for a model, oldest first. */
export function waitsFor(proxy: CompiledProxy, model: string): readonly Wait[] {
  return proxy
    .log()
    .filter((line) => line["longest_seconds"] !== undefined && line["model"] === model)
    .map((line) => ({
      requests: Number(line["requests"]),
      longestS: Number(line["longest_seconds"]),
    }));
}
