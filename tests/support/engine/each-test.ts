/** Hooks for test files that use the real engine: before the tests of a file, and after each test. */
import { afterAll, afterEach, beforeAll } from "bun:test";
import { buildInferenceImage } from "../server/inference-server/image.ts";
import { removeLeftovers, removeServers } from "./real.ts";

const BUILD_BOUND_MS = 120_000;
const REMOVE_BOUND_MS = 60_000;

/**
 * Before the tests of the file: builds the image, and removes containers of an earlier run. After each test:
 * removes its servers, so that the next test does not see them.
 */
export function startEachTestWithoutServers(): void {
  beforeAll(async () => {
    await removeLeftovers();
    await buildInferenceImage();
  }, BUILD_BOUND_MS);
  afterEach(removeServers, REMOVE_BOUND_MS);
  afterAll(removeServers, REMOVE_BOUND_MS);
}
