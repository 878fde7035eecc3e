import { describe, expect, test } from "bun:test";
import type { Broken } from "../../src/proxy/broken-answers.ts";
import {
  BROKE_OFF,
  BROKEN,
  ENDED_EARLY,
  FAILED,
  LONG,
  OOM,
  REFUSED,
  reasonOf,
  rig,
  SOCKET,
} from "../support/proxy/broken-rig.ts";
import { expectNever, until } from "../support/until.ts";

describe("BrokenAnswers", () => {
  test("logs WebSockets in a separate line", async () => {
    const at = rig({ gatherMs: 20 });
    at.broken.add(at.backend, BROKEN);
    at.broken.add(at.backend, REFUSED);
    for (let n = 0; n < 12; n += 1) at.broken.add(at.backend, { ...SOCKET, afterMs: n * 1_000 });
    at.backend.ending.ended(OOM);
    await until("it is logged", () => at.log.lines.length === 3);
    const line = { message: ENDED_EARLY, container: "vllm-1", model: "m", websockets: 12 };
    const reason =
      "its container ran out of memory (exit code 137) 11 s into the longest of the connections";
    expect(at.told()[2]).toEqual({ ...line, reason });
    expect(at.log.lines).toMatchObject([
      { message: BROKE_OFF, answers: 1 },
      { message: FAILED, requests: 1 },
      { message: ENDED_EARLY, websockets: 12 },
    ]);
  });

  test.each<[how: string, broken: Partial<Broken>, reason: string]>([
    [
      "a server that broke off",
      {},
      "the server closed the connection 41 s into the connection; its container still seems to run",
    ],
    ["an expired drain timeout", { abortReason: "cut" }, "the drain timeout of 60 s expired"],
  ])("names the reason for a WebSocket: %s", async (_how, but, reason) => {
    const at = rig({ drainTimeoutMs: 60_000 });
    at.broken.add(at.backend, { ...SOCKET, ...but });
    expect(await reasonOf(at)).toBe(reason);
  });

  test("logs WebSockets as rarely as answers", async () => {
    const at = rig({ quietMs: LONG });
    at.broken.add(at.backend, SOCKET);
    await reasonOf(at);
    at.broken.add(at.backend, SOCKET);
    await expectNever("a line within the quiet time", () => at.log.lines.length > 1, 20);
    at.broken.add(at.backend, BROKEN);
    await until("the other kind is logged", () => at.log.lines.length > 1);
    at.broken.flush();
    expect(at.log.lines.map(({ message }) => message)).toEqual([
      ENDED_EARLY,
      BROKE_OFF,
      ENDED_EARLY,
    ]);
  });
});
