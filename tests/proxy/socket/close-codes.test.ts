import { describe, expect, test } from "bun:test";
import {
  CUT,
  isSendable,
  serverEnded,
  TOO_LONG_MESSAGE,
} from "../../../src/proxy/socket/close-codes.ts";

describe("isSendable()", () => {
  test.each([1000, 1003, 1007, 1011, 1014, 3000, 4999])("returns true for %d", (code) => {
    expect(isSendable(code)).toBe(true);
  });

  test.each([0, 999, 1004, 1005, 1006, 1015, 2999, 5000])("returns false for %d", (code) => {
    expect(isSendable(code)).toBe(false);
  });
});

describe("the reasons of the proxy's own Close frames", () => {
  test("say how the server's run ended, if that is known", () => {
    expect(serverEnded("exited with code 3").reason).toBe("the server exited with code 3");
    expect(serverEnded().reason).toBe("the server is gone");
  });

  test.each([CUT, TOO_LONG_MESSAGE, serverEnded("x".repeat(1_000))])(
    "fit a Close frame: $code",
    ({ code, reason }) => {
      expect(isSendable(code)).toBe(true);
      expect(Buffer.byteLength(reason)).toBeWithin(1, 124);
    },
  );
});
