import { expect, test } from "bun:test";
import { chat } from "../support/client/requests.ts";
import { startProxy } from "../support/proxy/in-process.ts";
import { makeBackend } from "../support/server/backends.ts";
import { fakeBackend } from "../support/server/scripted.ts";

test("forward() reports only a backend whose address has no listener", async () => {
  const reported: string[] = [];
  using server = fakeBackend();
  const closed = fakeBackend();
  const { origin } = closed;
  closed[Symbol.dispose]();
  const listening = {
    seen: 1,
    origin: server.origin,
    onUnreachable: () => reported.push("listening"),
  };
  const silent = { seen: 2, origin, onUnreachable: () => reported.push("nobody there") };
  using proxy = startProxy({ backends: [makeBackend(listening), makeBackend(silent)] });
  expect((await chat(proxy.origin, "m")).status).toBe(200);
  expect(reported).toEqual(["nobody there"]);
});
