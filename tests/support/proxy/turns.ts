/** Whose turn it is to send does not matter to a test. */
import type { Turns } from "../../../src/proxy/body/upload-reader.ts";

export const NO_TURNS: Turns = { expect: () => undefined, keepOpen: () => undefined };
