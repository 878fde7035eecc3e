/** For tests in which the order of sending does not matter. */
import type { Turns } from "../../../src/proxy/body/upload-reader.ts";

export const NO_TURNS: Turns = { expect: () => undefined, keepOpen: () => undefined };
