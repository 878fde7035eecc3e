import { expect, test } from "bun:test";
import { signalName, signalNumber } from "../../src/engine/signals.ts";

test.each([
  [9, "SIGKILL"],
  [11, "SIGSEGV"],
  [15, "SIGTERM"],
  [0, undefined],
  [40, undefined],
  [-1, undefined],
])("signalName(%d) is %p", (number, name) => {
  expect(signalName(number)).toBe(name);
  if (name !== undefined) expect(signalNumber(name)).toBe(number);
});
