import { expect, test } from "bun:test";
import { readlinkSync } from "node:fs";
import { readNetworkNamespace } from "../../src/process/network-namespace.ts";

test("readNetworkNamespace() returns the number that the kernel shows", async () => {
  expect(`net:[${await readNetworkNamespace()}]`).toBe(readlinkSync("/proc/self/ns/net"));
});

test("readNetworkNamespace() returns undefined if the system does not report it", async () => {
  expect(await readNetworkNamespace("/proc/self/ns/none")).toBeUndefined();
});
