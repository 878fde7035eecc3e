import { describe, expect, test } from "bun:test";
import { isIP } from "node:net";
import { isIpv4, isIpv6 } from "../../src/ground/ip-address.ts";

const IPV4 = ["0.0.0.0", "127.0.0.1", "10.0.0.255", "255.255.255.255", "1.2.3.4"];
const IPV6 = ["::", "::1", "2001:db8::1", "FE80::A", "1:2:3:4:5:6:7:8", "::ffff:127.0.0.1"];
const NEITHER = [
  ...[
    "",
    "a",
    "1",
    "1.2.3",
    "1.2.3.4.",
    ".1.2.3.4",
    "1.2.3.4.5",
    "256.1.1.1",
    "01.2.3.4",
    "1.2.3.04",
  ],
  ...[
    "0x7f.0.0.1",
    "1.2.3.4 ",
    " 1.2.3.4",
    "1.2.3.4\n",
    "1..2.3",
    "1.2.3.4:80",
    "１.2.3.4",
    "-1.2.3.4",
  ],
  ...[
    ":",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "::12345",
    "::g",
    "[::1]",
    "::1]",
  ],
  ...["::1/64", "::1]@x", "::1.2.3", "::1.2.3.256", "::1\n", " ::1"],
];

describe("isIpv4(), isIpv6()", () => {
  test.each([...IPV4, ...IPV6, ...NEITHER])("agree with node's isIP on %j", (text) => {
    expect([isIpv4(text), isIpv6(text)]).toEqual([isIP(text) === 4, isIP(text) === 6]);
  });

  test.each(["fe80::1%eth0", "fe80::1%25eth0", "::1%"])("accept no zone: %j", (text) => {
    expect([isIpv4(text), isIpv6(text)]).toEqual([false, false]);
  });
});
