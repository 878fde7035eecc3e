/** Tests each case of a table of handshakes: directly, and through the proxy. */
import { describe, expect, test } from "bun:test";
import {
  expectedAnswer,
  expectedArrival,
  type HandshakeCase,
  ownAnswer,
} from "./handshake-case.ts";
import { exchangeDirectly, exchangeThrough } from "./handshake-exchange.ts";

/** @param what the name of the table */
export function compareHandshakes(what: string, cases: readonly HandshakeCase[]): void {
  const named = cases.map((tried) => [tried.name, tried] as const);

  describe(`${what}: the same through the proxy as directly`, () => {
    test.each(named)("%s", async (_name, tried) => {
      const directly = await exchangeDirectly(tried);
      expect(directly.client?.status ?? 0).toBe(tried.status);
      const through = await exchangeThrough(tried);
      const { own, asked } = tried.through ?? {};
      const arrival = asked === false ? undefined : expectedArrival(tried, directly);
      expect(through.server).toEqual(arrival);
      if (own === undefined) expect(through.client).toEqual(expectedAnswer(tried, directly));
      else expect(ownAnswer(through.client, own)).toEqual(own);
    });
  });
}
