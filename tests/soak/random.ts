/** Choices from a seed: the same seed makes the same choices in the same order. */
import type { Random } from "../support/client/random-json.ts";

export function pick<T>(random: Random, choices: readonly T[]): T {
  const choice = choices[random(choices.length)];
  if (choice === undefined) throw new Error("Cannot choose from an empty list");
  return choice;
}

export function between(random: Random, from: number, to: number): number {
  return from + random(to - from + 1);
}
