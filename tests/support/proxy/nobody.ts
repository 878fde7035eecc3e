/** Stands in for the proxy's knowledge of itself: here no container and no address is the proxy. */
import type { Itself } from "../../../src/sources/docker/itself.ts";

export const NOBODY: Itself = {
  container: undefined,
  program: "proxy",
  addresses: [],
  listening: { host: undefined, port: 8080 },
};
