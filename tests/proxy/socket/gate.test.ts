import { expect, test } from "bun:test";
import { Gate } from "../../../src/proxy/socket/gate.ts";
import { until } from "../../support/until.ts";

function gateOf(said: string[]): Gate {
  const end = { pause: () => void said.push("pause"), resume: () => void said.push("resume") };
  return new Gate(end, (act) => act());
}

/** Makes a turn last too long: at its end the gate has paused reading. */
function busyTurn(gate: Gate, said: readonly string[]): void {
  const beganMs = performance.now();
  while (said.length === 0 && performance.now() - beganMs < 1_000) gate.pass(() => undefined);
}

test("pass() in a turn that lasts too long waits for the next turn, in order, and pauses reading meanwhile", async () => {
  const said: string[] = [];
  const gate = gateOf(said);
  busyTurn(gate, said);
  for (const what of ["a", "b"]) gate.pass(() => void said.push(what));
  expect(said).toEqual(["pause"]);
  await until("it reads on", () => said.includes("resume"));
  expect(said).toEqual(["pause", "a", "b", "resume"]);
});

test("hold() during the wait keeps reading paused until release()", async () => {
  const said: string[] = [];
  const gate = gateOf(said);
  busyTurn(gate, said);
  gate.pass(() => void said.push("a"));
  expect([gate.hold(), gate.hold()]).toEqual([true, false]);
  await until("it is done", () => said.includes("a"));
  expect(said).toEqual(["pause", "a"]);
  expect([gate.release(), gate.release()]).toEqual([true, false]);
  expect(said).toEqual(["pause", "a", "resume"]);
});
