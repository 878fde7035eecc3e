import { expect, test } from "bun:test";
import { lookUpHost } from "../../../src/sources/docker/host-address.ts";

test("the first name that resolves", async () => {
  expect(await lookUpHost(["no-such-host.invalid", "localhost"])).toMatch(/^(127\.0\.0\.1|::1)$/);
});

test("none that does", async () => {
  expect(await lookUpHost(["no-such-host.invalid"])).toBeUndefined();
});
