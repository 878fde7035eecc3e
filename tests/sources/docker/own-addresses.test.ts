import { expect, test } from "bun:test";
import {
  canonicalAddress,
  isLoopback,
  lookUpAddresses,
  readOwnAddresses,
} from "../../../src/sources/docker/own-addresses.ts";

test.each([
  ["10.0.0.1", "10.0.0.1"],
  ["[FE80:0:0::1%eth0]", "fe80::1"],
  ["::ffff:10.1.2.3", "10.1.2.3"],
  ["[::1]", "::1"],
  ["::", "::"],
  ["", ""],
  ["docker-host.lan", "docker-host.lan"],
  ["a:b:nonsense", "a:b:nonsense"],
])("canonicalAddress(%p) is %p", (address, canonical) => {
  expect(canonicalAddress(address)).toBe(canonical);
});

test("isLoopback() recognizes addresses, not names", () => {
  expect(["127.0.0.1", "127.9.9.9", "::1"].every(isLoopback)).toBe(true);
  expect(["128.0.0.1", "127.example.com", "::", ""].some(isLoopback)).toBe(false);
});

test("readOwnAddresses() includes loopback", () => {
  expect(readOwnAddresses()).toContain("127.0.0.1");
});

test("lookUpAddresses() resolves names and addresses, and returns nothing for an unknown name", async () => {
  expect((await lookUpAddresses("localhost")).every(isLoopback)).toBe(true);
  expect(await lookUpAddresses("[::1]")).toEqual(["::1"]);
  expect(await lookUpAddresses("10.0.0.1")).toEqual(["10.0.0.1"]);
  expect(await lookUpAddresses("nobody.invalid", 1_000)).toEqual([]);
});

test("lookUpAddresses() gives up in time", async () => {
  expect(await lookUpAddresses("nobody.invalid", 0)).toEqual([]);
});
