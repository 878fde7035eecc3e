import { expect, test } from "bun:test";
import { hostName } from "../../src/ground/host-name.ts";

test.each<[text: string, name: string | undefined]>([
  ["Proxy.Example.com", "proxy.example.com"],
  ["proxy.example.com.", "proxy.example.com"],
  ["my_container-1", "my_container-1"],
  ["AI.", "ai."], // another host than `ai`
  ["127.0.0.1", "127.0.0.1"],
  [`${"a".repeat(63)}.b`, `${"a".repeat(63)}.b`],
  [`${"a".repeat(64)}.b`, undefined],
  [`${"a.".repeat(126)}ab`, `${"a.".repeat(126)}ab`], // 254 characters
  [`${"a.".repeat(127)}a`, undefined],
  ["", undefined],
  [".", undefined],
  ["a..b", undefined],
  ["a.b:80", undefined],
  ["http://a.b", undefined],
  ["[::1]", undefined],
  ["é.b", undefined],
])("hostName() of %p is %p", (text, name) => {
  expect(hostName(text)).toBe(name);
});
