/** What the tests of one file do before and after each of them, on the real engine that they share. */
import { afterAll, afterEach, beforeAll } from "bun:test";
import { buildInferenceImage } from "../server/inference-server/image.ts";
import { removeLeftovers, removeServers } from "./real-engine.ts";

const BUILD_BOUND_MS = 120_000;
const REMOVE_BOUND_MS = 60_000;

/** The image is there and nothing of an earlier run; no test sees the servers of the one before it. */
export function startEachTestWithoutServers(): void {
  beforeAll(async () => {
    await removeLeftovers();
    await buildInferenceImage();
  }, BUILD_BOUND_MS);
  afterEach(removeServers, REMOVE_BOUND_MS);
  afterAll(removeServers, REMOVE_BOUND_MS);
}
