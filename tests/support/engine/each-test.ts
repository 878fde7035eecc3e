/** The hooks of test files that use the real engine: what happens before a file's tests, and after each of them. */
import { afterAll, afterEach, beforeAll } from "bun:test";
import { buildInferenceImage } from "../server/inference-server/image.ts";
import { removeLeftovers, removeServers } from "./real.ts";

const BUILD_BOUND_MS = 120_000;
const REMOVE_BOUND_MS = 60_000;

/**
 * Before the file's tests: builds the image and removes what an earlier run left behind. After each test: removes its
 * servers, so that the next one does not see them.
 */
export function startEachTestWithoutServers(): void {
  beforeAll(async () => {
    await removeLeftovers();
    await buildInferenceImage();
  }, BUILD_BOUND_MS);
  afterEach(removeServers, REMOVE_BOUND_MS);
  afterAll(removeServers, REMOVE_BOUND_MS);
}
