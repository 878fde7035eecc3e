import { expect, test } from "bun:test";
import { readlinkSync } from "node:fs";
import { readNetworkNamespace } from "../../src/process/network-namespace.ts";

test("readNetworkNamespace() is the number that the kernel shows", async () => {
  expect(`net:[${await readNetworkNamespace()}]`).toBe(readlinkSync("/proc/self/ns/net"));
});

test("it is not known where the system does not tell", async () => {
  expect(await readNetworkNamespace("/proc/self/ns/none")).toBeUndefined();
});
