/** Waits for the status of a container in a running proxy's GET /status. */
import { expect } from "bun:test";
import type { ContainerStatus } from "../../../src/status.ts";
import { until } from "../until.ts";

/**
 * Waits until a container's status is as expected. A failure shows the actual status.
 *
 * @param expected fields of the status; a text may be a matcher of the test runner
 * @returns the waiting time in ms
 */
export async function untilShown(
  origin: string,
  name: string,
  expected: Readonly<Record<string, unknown>>,
  boundMs = 20_000,
): Promise<number> {
  const startMs = performance.now();
  let last: unknown;
  const isShown = async (): Promise<boolean> => {
    try {
      expect(await containerStatusOf(origin, name)).toMatchObject(expected);
      return true;
    } catch (error) {
      last = error;
      return false;
    }
  };
  try {
    await until(`${name} has the expected status`, isShown, boundMs);
  } catch (error) {
    throw last ?? error;
  }
  return performance.now() - startMs;
}

/** @param reason the beginning of the reason */
export function isWarned(log: string, container: string, reason: string): boolean {
  const about = [
    '"level":"warn"',
    `"container":"${container}"`,
    `"reason":${JSON.stringify(reason).slice(0, -1)}`,
  ];
  return log.split("\n").some((line) => about.every((words) => line.includes(words)));
}

/** Matches texts with this beginning. */
export function startOf(text: string): RegExp {
  return new RegExp(`^${RegExp.escape(text)}`);
}

/** @returns undefined if the proxy knows no such container */
async function containerStatusOf(
  origin: string,
  name: string,
): Promise<ContainerStatus | undefined> {
  const response = await fetch(`${origin}/status`, { keepalive: false });
  const { containers } = (await response.json()) as {
    readonly containers: readonly ContainerStatus[];
  };
  return containers.find((container) => container.name === name);
}
