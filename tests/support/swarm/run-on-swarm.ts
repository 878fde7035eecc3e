/** Runs something with a swarm of its own, which is removed whatever comes of it. */
import { provideImages } from "./images.ts";
import { Swarm } from "./swarm.ts";

/**
 * @param run is given what the environment of its tests must have
 * @returns what it returns
 */
export async function withSwarm<T>(
  run: (environment: Readonly<Record<string, string>>) => Promise<T>,
): Promise<T> {
  await using swarm = await Swarm.start();
  // A signal ends this process before the block ends.
  const end = async (): Promise<void> => {
    await swarm[Symbol.asyncDispose]();
    process.exit(1);
  };
  process.once("SIGTERM", end);
  process.once("SIGINT", end);
  try {
    await provideImages(swarm);
    return await run(swarm.environment);
  } finally {
    process.off("SIGTERM", end);
    process.off("SIGINT", end);
  }
}
