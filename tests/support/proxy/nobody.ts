/** A proxy that nothing leads back to. */
import type { Itself } from "../../../src/sources/docker/itself.ts";

export const NOBODY: Itself = {
  container: undefined,
  program: "proxy",
  addresses: [],
  listening: { host: undefined, port: 8080 },
};
