/** Runs something with a new swarm, and removes the swarm in every case. */
import { provideImages } from "./images.ts";
import { Swarm } from "./swarm.ts";

/**
 * @param run gets the environment variables that its tests need
 * @returns the result of `run`
 */
export async function withSwarm<T>(
  run: (environment: Readonly<Record<string, string>>) => Promise<T>,
): Promise<T> {
  await using swarm = await Swarm.start();
  // A signal ends this process before the end of the block.
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
