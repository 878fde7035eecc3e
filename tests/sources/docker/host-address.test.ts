import { expect, test } from "bun:test";
import { lookUpHost } from "../../../src/sources/docker/host-address.ts";

test("lookUpHost() returns the address of the first name that resolves", async () => {
  expect(await lookUpHost(["no-such-host.invalid", "localhost"])).toMatch(/^(127\.0\.0\.1|::1)$/);
});

test("lookUpHost() returns undefined if no name resolves", async () => {
  expect(await lookUpHost(["no-such-host.invalid"])).toBeUndefined();
});
