import { describe, expect, test } from "bun:test";
import { isLabelled, LABELS, readLabels, unknownLabels } from "../../src/sources/labels.ts";

const ENABLED = { "inference.enable": "true" };

/** A value, and the part of it that the test name shows. */
function named(value: string): readonly [shown: string, value: string] {
  return [value.slice(0, 20), value];
}

describe("readLabels()", () => {
  test("defaults: port 8000, base path /v1, no network", () => {
    expect(readLabels(ENABLED)).toEqual({
      kind: "enabled",
      settings: { port: 8000, basePath: "/v1", network: undefined },
    });
  });

  test("enable=false is disabled", () => {
    expect(readLabels({ "inference.enable": "false" }).kind).toBe("disabled");
  });

  test("a label of ours without inference.enable is wrong, and the reason says what to write", () => {
    expect(readLabels({ "inference.port": "1" })).toEqual({
      kind: "wrong",
      reason:
        "label inference.enable is missing; write inference.enable=true to make the proxy route it",
    });
  });

  test.each(["yes", "1", "True", "TRUE", "on", " ", " true"])(
    "enable=%p is wrong, and the reason says what to write",
    (value) => {
      const read = readLabels({ "inference.enable": value });
      expect(read).toEqual({
        kind: "wrong",
        reason: `label inference.enable is ${JSON.stringify(value)}: write "true" to make the proxy route it`,
      });
    },
  );

  test.each([
    ["/v1", "/v1"],
    ["v1", "/v1"],
    ["/api/v1/", "/api/v1"],
    ["/", ""],
    ["//v1//", "/v1"],
    ["/v1/a..b", "/v1/a..b"],
    ["/v1/...", "/v1/..."],
    ["/a%2Fb/v1", "/a%2Fb/v1"],
    ["/v1/;x=..", "/v1/;x=.."],
  ])("base path %p is %p", (value, basePath) => {
    expect(readLabels({ ...ENABLED, "inference.api.base_path": value })).toMatchObject({
      settings: { basePath },
    });
  });

  test.each([
    ["inference.port", "0"],
    ["inference.port", "65536"],
    ["inference.port", "80a"],
    ["inference.port", " "],
    ["inference.port", "-1"],
    ["inference.api.base_path", "/v1?x=1"],
    ["inference.api.base_path", "/v1#x"],
    ["inference.api.base_path", "/v1/..%20/admin"],
    ["inference.api.base_path", "/v1/..%09/admin"],
    ["inference.api.base_path", "/v1/..%00/admin"],
    ["inference.api.base_path", "/v1/%25252e%25252e/admin"],
    ["inference.api.base_path", "/v1/%c0%ae%c0%ae/admin"],
    ["inference.api.base_path", "/v1/%zz"],
    ["inference.api.base_path", "/a b"],
    ["inference.api.base_path", "/v1/../admin"],
    ["inference.api.base_path", "/v1/./admin"],
    ["inference.api.base_path", ".."],
    ...[
      ...["%2e%2e", "%2E%2e", ".%2e", "%2e.", "%2e", "%252e%252e", "%252e.", "..;", "..;x=1", ".;"],
      ...[
        "%2e%2e;x",
        "..%3b",
        "%2f..",
        "x%2f..%2fy",
        "%5c..",
        "%255c..%255c",
        "%2f%2e%2e",
        "..%2f",
      ],
      ...["x%252f..", "..%5Cx"],
    ].flatMap((hidden): [string, string][] => [
      ["inference.api.base_path", `/v1/${hidden}/admin`],
      ["inference.api.base_path", `/v1/${hidden}`],
    ]),
  ])("%s=%p is wrong, and the reason names both", (label, value) => {
    const read = readLabels({ ...ENABLED, [label]: value });
    expect(read).toMatchObject({
      kind: "wrong",
      reason: expect.stringContaining(`${label} is ${JSON.stringify(value)}`),
    });
  });

  test.each(["1", "65535", "8080"])("accepts port %s", (port) => {
    expect(readLabels({ ...ENABLED, "inference.port": port })).toMatchObject({
      settings: { port: Number(port) },
    });
  });

  test.each([
    ["true", { shares: "inference.replica=true" }],
    ["false", {}],
    ["", {}],
  ])("replica %p is %p", (value, sharing) => {
    const settings = { port: 8000, basePath: "/v1", network: undefined, ...sharing };
    expect(readLabels({ ...ENABLED, "inference.replica": value })).toStrictEqual({
      kind: "enabled",
      settings,
    });
  });

  test.each([
    ["1", 1],
    ["16", 16],
    ["007", 7],
    ["1000000", 1_000_000],
  ])("max_in_flight %p is %p", (value, maxInFlight) => {
    expect(readLabels({ ...ENABLED, "inference.max_in_flight": value })).toMatchObject({
      settings: { maxInFlight },
    });
  });

  test.each(
    ["True", "TRUE", "yes", "1", " ", " true", "true,true", "t".repeat(1_000_000)].map(named),
  )("replica %p is wrong, and the reason says what to write", (_shown, value) => {
    const read = readLabels({ ...ENABLED, "inference.replica": value });
    expect(read).toEqual({
      kind: "wrong",
      reason: expect.stringMatching(
        /^label inference\.replica is ".{1,201}": write "true" if it is one of several replicas$/,
      ),
    });
  });

  test.each(
    ["0", "-1", "+1", "1.5", "1e3", "0x10", "16 ", " ", "1000001", "9".repeat(1_000_000)].map(
      named,
    ),
  )("max_in_flight %p is wrong, and the reason says what to write", (_shown, value) => {
    const read = readLabels({ ...ENABLED, "inference.max_in_flight": value });
    expect(read).toEqual({
      kind: "wrong",
      reason: expect.stringMatching(
        /^label inference\.max_in_flight is ".{1,201}": write a number of requests from 1 to 1000000$/,
      ),
    });
  });

  test("reads the name of the network", () => {
    expect(readLabels({ ...ENABLED, "inference.network": "ai" })).toMatchObject({
      settings: { network: "ai" },
    });
  });

  test("treats empty labels, as from an unset Compose variable, as missing", () => {
    const empty = Object.fromEntries(Object.keys(LABELS).map((label) => [label, ""]));
    expect(readLabels({ ...empty, ...ENABLED })).toEqual(readLabels(ENABLED));
    expect(readLabels(empty)).toEqual({
      kind: "wrong",
      reason:
        "label inference.enable is empty; write inference.enable=true to make the proxy route it",
    });
  });

  test.each<[value: string, models: string[]]>([
    ["a", ["a"]],
    ["a,b", ["a", "b"]],
    [" org/a:7b ,\tb,\n c\n", ["org/a:7b", "b", "c"]],
    [",a,,b, ,a,", ["a", "b"]],
    ["a b", ["a b"]],
    ["i".repeat(65_536), ["i".repeat(65_536)]],
  ])("models %p are read", (value, models) => {
    expect(readLabels({ ...ENABLED, "inference.models": value })).toMatchObject({
      kind: "enabled",
      settings: { models },
    });
  });

  test("accepts 10,000 models", () => {
    const names = Array.from({ length: 10_000 }, (_, n) => `m${n}`);
    const read = readLabels({ ...ENABLED, "inference.models": names.join() });
    expect(read).toMatchObject({ settings: { models: names } });
  });

  test.each<[what: string, value: string, reason: string]>([
    ["a comma", ",", 'is ",": write the names of its models, separated by commas'],
    [
      "white space",
      " \n",
      String.raw`is " \n": write the names of its models, separated by commas`,
    ],
    ["a long name", `a,${"i".repeat(65_537)}`, "has a name over 64 KiB: shorten it"],
    ["a name over 64 KiB of UTF-8", "ü".repeat(32_769), "has a name over 64 KiB: shorten it"],
    ["too many", Array(10_001).fill("m").join(), "has more than 10000 names: name fewer"],
    ["megabytes of commas", ",".repeat(8_000_000), "has more than 10000 names: name fewer"],
  ])("models that are %s are wrong, and the reason says what to write", (_what, value, reason) => {
    const read = readLabels({ ...ENABLED, "inference.models": value });
    expect(read).toEqual({
      kind: "wrong",
      reason: `label inference.models ${reason}`,
    });
  });
});

describe("isLabelled()", () => {
  test.each<[labels: Record<string, string>, expected: boolean]>([
    [{}, false],
    [{ "com.example": "x" }, false],
    [ENABLED, true],
    [{ "inference.enable": "false" }, true],
    [{ "inference.port": "1" }, true],
    [{ "inference.enable": "" }, false],
    [{ "inference.enable": "", "inference.models": "" }, false],
    [{ "inference.enable": "", "inference.port": "1" }, true],
    [{ "inference.eneble": "" }, true], // we warn about a typing error even if the value is empty
  ])("of %p is %p", (labels, expected) => {
    expect(isLabelled(labels)).toBe(expected);
  });
});

test("unknownLabels() returns only the misspelled labels", () => {
  const typed = [
    "inference.modles",
    "inference.prot",
    "inference.replicas",
    "inference.max-in-flight",
  ];
  const ours = { ...ENABLED, "inference.replica": "true", "inference.max_in_flight": "1" };
  const labels = { ...ours, ...Object.fromEntries(typed.map((label) => [label, ""])), "x.y": "z" };
  expect(unknownLabels(labels)).toEqual(typed);
});
