import { expect, test } from "bun:test";
import { originOf } from "../../src/ground/listen-address.ts";

test.each<[host: string | undefined, origin: string]>([
  [undefined, "http://127.0.0.1:80"],
  ["0.0.0.0", "http://127.0.0.1:80"],
  ["127.0.0.2", "http://127.0.0.2:80"],
  ["::", "http://[::1]:80"],
  ["0:0::0", "http://[::1]:80"],
  ["::1", "http://[::1]:80"],
  ["2001:DB8::1", "http://[2001:db8::1]:80"],
])("originOf() of a proxy that listens on %p is %s", (host, origin) => {
  expect(originOf({ host, port: 80 })).toBe(origin);
});
